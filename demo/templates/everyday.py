"""What people inpaint for: the templates of the first half of the list, in the order of their names."""

from __future__ import annotations

from typing import Any

from .layout import Graph, Node, Source

DEMO = "latent-repaint-demo.safetensors"
MODEL = "**Load Checkpoint**: your SD 1.5 or SDXL model"
PAINT = "**Load Image**: your picture, and its mask"
SETTINGS = "Set **cfg** to 6 to 8 for SD 1.5 and SDXL: 4 is for the demo's tiny model. "
EDITOR = "Right-click *Load Image*, *Open in MaskEditor*, and paint over what should be new. "


def model_and_prompts(graph: Graph, prompt: str) -> tuple[Node, Node, Node]:
    """The loader, the prompt and the negative prompt."""
    model = graph.add("CheckpointLoaderSimple", ckpt_name=DEMO)
    return model, *prompts(graph, model, prompt)


def prompts(graph: Graph, clip: Source, prompt: str) -> tuple[Node, Node]:
    positive = graph.add("CLIPTextEncode", "Prompt", clip=clip, text=prompt)
    negative = graph.add("CLIPTextEncode", "Negative prompt", clip=clip, text="")
    return graph.colour(positive, "positive"), graph.colour(negative, "negative")


def sampled(
    graph: Graph,
    model: Source,
    positive: Source,
    negative: Source,
    latent: Source,
    kind: str = "LatentRepaint_KSampler",
    **given: Any,
) -> Node:
    """A KSampler, ours if not said otherwise, with values that suit the demo's model."""
    values = {"seed": 1, "steps": 20, "cfg": 4.0, "sampler_name": "euler_ancestral", "scheduler": "karras"} | given
    return graph.add(kind, model=model, positive=positive, negative=negative, latent_image=latent, **values)


def finished(
    graph: Graph, vae: Source, latent: Source, original: Source, mask: Source, **given: Any
) -> tuple[Node, Node, Node]:
    """VAE Decode, Composite with what it is given, and Save Image."""
    decode = graph.add("VAEDecode", folded=True, samples=latent, vae=vae)
    composite = graph.add("LatentRepaint_Composite", original=original, generated=decode, mask=mask, **given)
    return decode, composite, saved(graph, composite)


def saved(graph: Graph, image: Source) -> Node:
    return graph.add("SaveImage", images=image, filename_prefix="latent-repaint")


def one_picture(
    graph: Graph,
    note: Node,
    picture: str,
    prompt: str,
    encode: dict[str, Any] | None = None,
    composite: dict[str, Any] | None = None,
    **sampling: Any,
) -> None:
    """The plain graph: Load Image, Encode, KSampler, VAE Decode, Composite, Save Image."""
    model, positive, negative = model_and_prompts(graph, prompt)
    image = graph.add("LoadImage", image=picture)
    latent = graph.add("LatentRepaint_Encode", image=image, mask=image, vae=model, **(encode or {}))
    sampler = sampled(graph, model, positive, negative, latent, **sampling)
    end = finished(graph, model, sampler, image, latent, **(composite or {}))
    graph.columns([model, (positive, negative), image], [latent, sampler], [note, *end])


def start_here(graph: Graph) -> None:
    note = graph.note(
        "Start here: inpaint a picture of any size",
        [MODEL, PAINT, "**Prompt**: the whole picture. Then *Run*"],
        EDITOR + SETTINGS + "It need not be an inpainting model. Beyond the painted part and its soft edge nothing "
        "changes, to the last bit.",
        216,
    )
    one_picture(graph, note, "example_odd.png", "day, snow, sun, blue house")


def remove(graph: Graph) -> None:
    note = graph.note(
        "Remove an object",
        [MODEL, "**Load Image**: paint over the whole object", "Leave **Prompt** empty, and **cfg** at 1"],
        EDITOR
        + "Take its shadow and its rim, too. Without a prompt the surroundings decide. If the object comes back, "
        "describe what is behind it, and set **cfg** to 4 or more.",
        216,
    )
    one_picture(
        graph, note, "example_remove.png", "", composite={"mask_expand_pixels": 2}, cfg=1.0, evaluations_per_step=3.0
    )


def outpaint(graph: Graph) -> None:
    note = graph.note(
        "Outpaint: a larger canvas",
        [MODEL, "**Pad Image**: pixels to add on each side"],
        "Set **cfg** to 6 to 8 for SD 1.5 and SDXL. **Prompt**: the whole new picture. With *feathering* 0 and "
        "*mask_expand_cells* 1 no line is left at the old border.",
        128,
    )
    model, positive, negative = model_and_prompts(graph, "sunset, snow, mountains, red house, sun")
    image = graph.add("LoadImage", image="example_narrow.png")
    padded = graph.add("ImagePadForOutpaint", image=image, left=28, top=0, right=28, bottom=0, feathering=0, height=184)
    latent = graph.add("LatentRepaint_Encode", image=padded, mask=padded, vae=model)
    sampler = sampled(graph, model, positive, negative, latent)
    decode, composite, save = finished(graph, model, sampler, padded, latent)
    graph.columns([model, (positive, negative), image, decode], [latent, sampler], [note, padded, composite, save])


def large_picture(graph: Graph) -> None:
    note = graph.note(
        "A large picture, a small mask",
        [MODEL, PAINT, "**Crop**: the size your model likes"],
        EDITOR
        + SETTINGS
        + "Crop to 512 pixels for SD 1.5, 1024 for SDXL; 128 is the demo's. **Prompt**: what is seen in the "
        "crop. The rest of the picture costs nothing.",
        216,
    )
    cropped(graph, note, "example_large.png", "sunset, yellow field, clouds")


def islands(graph: Graph) -> None:
    note = graph.note(
        "Several spots in one picture",
        [MODEL, "**Load Image**: paint as many spots as you like", "**Crop**: *islands* on **each**"],
        EDITOR
        + SETTINGS
        + "Each spot gets a crop of its own, at the full resolution of the model. The crops are sampled "
        "as one batch, and **Stitch** puts all of them back.",
        216,
    )
    cropped(graph, note, "example_spots.png", "sunset, yellow field, clouds", islands="each")


def cropped(graph: Graph, note: Node, picture: str, prompt: str, **crop: Any) -> None:
    """Load Image, Crop, Encode, KSampler, VAE Decode, Stitch, Save Image."""
    model, positive, negative = model_and_prompts(graph, prompt)
    image = graph.add("LoadImage", image=picture)
    cut = graph.add(
        "LatentRepaint_Crop",
        image=image,
        mask=image,
        context_from_mask_extend_factor=2.5,  # the demo's model knows whole scenes, no details of them
        output_target_width=128,
        output_target_height=128,
        output_padding=8,
        **crop,
    )
    latent = graph.add("LatentRepaint_Encode", "Encode", folded=True, image=cut, mask=cut, vae=model)
    sampler = sampled(graph, model, positive, negative, latent)
    decode = graph.add("VAEDecode", folded=True, samples=sampler, vae=model)
    stitch = graph.add("LatentRepaint_Stitch", stitch=cut, generated=decode, painted_mask=latent)
    save = saved(graph, stitch)
    graph.columns([model, (positive, negative), image], [cut, latent, sampler], [note, decode, stitch, save])


def soft_mask(graph: Graph) -> None:
    note = graph.note(
        "A soft mask: change some parts more than others",
        [MODEL, PAINT, "Paint with a brush of less **opacity**"],
        SETTINGS + "The lighter the stroke, the more of the old picture stays: white is painted, grey only in the last "
        "steps. *spatial_method* **area** in **Encode** keeps the greys.",
        200,
    )
    one_picture(
        graph,
        note,
        "example_soft.png",
        "sunset, yellow field, mountains, red house",
        encode={"spatial_method": "area", "mask_expand_cells": 0, "fill": "original"},
        steps=25,
        evaluations_per_step=4.0,
    )


def batch(graph: Graph) -> None:
    note = graph.note(
        "Two pictures at once, each with its own mask",
        [MODEL, "**Load Image**: two pictures of one size"],
        EDITOR + SETTINGS + "Picture 1 goes with mask 1, picture 2 with mask 2. For a whole folder see *python batch*.",
        164,
    )
    model, positive, negative = model_and_prompts(graph, "day, snow, sun, blue house")
    images = [graph.add("LoadImage", image=name) for name in ("example_masked.png", "example_second.png")]
    pictures = graph.add("ImageBatch", folded=True, image1=images[0], image2=images[1])
    drawn = [graph.add("MaskToImage", folded=True, mask=image) for image in images]
    both = graph.add("ImageBatch", "Batch Masks", folded=True, image1=drawn[0], image2=drawn[1])
    masks = graph.add("ImageToMask", folded=True, image=both, channel="red")
    latent = graph.add("LatentRepaint_Encode", "Encode", folded=True, image=pictures, mask=masks, vae=model)
    sampler = sampled(graph, model, positive, negative, latent)
    end = finished(graph, model, sampler, pictures, latent)
    graph.columns(
        [*images, (drawn[0], drawn[1])],
        [model, (positive, negative), (pictures, both), (masks, latent), sampler],
        [note, *end],
        widths=(462, 462, 366),
    )


TEMPLATES = {
    "01-start-here-inpaint": start_here,
    "02-remove-object": remove,
    "03-outpaint": outpaint,
    "04-large-picture-small-mask": large_picture,
    "05-several-spots": islands,
    "06-soft-mask-strength": soft_mask,
    "07-batch-a-mask-each": batch,
}
