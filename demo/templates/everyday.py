"""What people inpaint for: the first templates of the list, in the order of their names."""

from __future__ import annotations

from typing import Any

from .layout import CORNER, Graph, Node, Row, Source, Step, pairs

CHECKPOINT = "sd_xl_base_1.0.safetensors"
PICTURE = "example.png"  # ComfyUI brings it
PROMPT = "child's drawing of a girl in a red dress with white flowers, yellow hair, green hill, blue sky"
UNWANTED = "text, watermark"
DRESS, EARS = 0xFFA6D6, 0xF5F7B6  # colours of that picture
SPECKS = -2  # pixels to take from a mask's rim: a photograph may have single pixels of such a colour
OWN = (
    "For **your own picture**: load it, right-click it > *Open in MaskEditor*, paint over what should be new, *Save*. "
)
FIRST = "1 - Load your model"
SECOND = "2 - Load your picture and paint its mask"
THIRD = "3 - Say what the picture shows, then Run"


def checkpoint(graph: Graph, name: str = CHECKPOINT) -> Node:
    return graph.add("CheckpointLoaderSimple", ckpt_name=name)


def prompts(graph: Graph, clip: Source, prompt: str, unwanted: str = UNWANTED) -> tuple[Node, Node]:
    positive = graph.add("CLIPTextEncode", "Prompt", clip=clip, text=prompt)
    negative = graph.add("CLIPTextEncode", "Negative prompt", clip=clip, text=unwanted)
    return graph.colour(positive, "positive"), graph.colour(negative, "negative")


def picture(graph: Graph, colour: int = DRESS, title: str = "The dress") -> tuple[Node, tuple[Node, ...]]:
    """Load Image, and the nodes that make its mask, which is the last one's.

    So that a template runs as it opens, whatever has one exact colour of ComfyUI's own example counts as painted. A
    photograph has no patches of it: there, what a person paints is all of the mask.
    """
    image = graph.add("LoadImage", image=PICTURE)
    patch = graph.add("ImageColorToMask", title, folded=True, image=image, color=colour)
    whole = graph.add("GrowMask", "No specks", folded=True, mask=patch, expand=SPECKS)
    mask = graph.add("MaskComposite", "+ your paint", folded=True, destination=whole, source=image, operation="add")
    return image, (patch, whole, mask)


def sampled(
    graph: Graph,
    model: Source,
    positive: Source,
    negative: Source,
    latent: Source,
    kind: str = "LatentRepaint_KSampler",
    **given: Any,
) -> Node:
    """A KSampler, ours if not said otherwise, with the defaults of ours: they are those for SD 1.5 and SDXL."""
    defaults = graph.defaults("LatentRepaint_KSampler")
    shared = {name: defaults[name] for name in ("steps", "cfg", "sampler_name", "scheduler")}
    return graph.add(
        kind, model=model, positive=positive, negative=negative, latent_image=latent, **{"seed": 1} | shared | given
    )


def results(graph: Graph, last: Node) -> list[Row]:
    """What a run shows: the picture, and the report below it, beside the page's map."""
    report = graph.add("PreviewAny", "Report", source=last["report"], tall=214)
    return [graph.add("SaveImage", images=last, filename_prefix="latent-repaint"), (report, CORNER)]


def composited(graph: Graph, vae: Source, latent: Source, original: Source, painted: Source, **given: Any) -> list[Any]:
    """VAE Decode, Composite, and what they lead to."""
    decode = graph.add("VAEDecode", folded=True, samples=latent, vae=vae)
    last = graph.add(
        "LatentRepaint_Composite", "Composite", folded=True, original=original, generated=decode, mask=painted, **given
    )
    return [decode, last, *results(graph, last)]


def cropped(graph: Graph, model: Source, vae: Source, image: Source, mask: Source) -> tuple[Node, Node]:
    """Crop, at the size that the model was trained at, and Encode."""
    cut = graph.add(
        "LatentRepaint_Crop",
        "Crop",
        folded=True,
        image=image,
        mask=mask,
        model=model,
        output_target_width=0,
        output_target_height=0,
    )
    return cut, graph.add("LatentRepaint_Encode", "Encode", folded=True, image=cut, mask=cut, vae=vae)


def stitched(graph: Graph, vae: Source, sampler: Source, cut: Source, latent: Source, **given: Any) -> list[Any]:
    """VAE Decode, Stitch, and what they lead to."""
    decode = graph.add("VAEDecode", folded=True, samples=sampler, vae=vae)
    last = graph.add(
        "LatentRepaint_Stitch", "Stitch", folded=True, stitch=cut, generated=decode, painted_mask=latent, **given
    )
    return [decode, last, *results(graph, last)]


def start_here(graph: Graph) -> None:
    note = graph.note(
        "Start here: paint part of a picture anew",
        "As it opens, it repaints the girl's dress. " + OWN + "Any size will do. All else stays as it was, "
        "to the last bit. *The dress* finds only this very pink. For several places far apart, unfold *Crop* and set "
        "*islands* to **each**.",
    )
    model = checkpoint(graph)
    image, masks = picture(graph)
    cut, latent = cropped(graph, model, model, image, masks[-1])
    positive, negative = prompts(graph, model, PROMPT)
    sampler = sampled(graph, model, positive, negative, latent)
    graph.columns(
        [note, Step(FIRST, [model]), Step(SECOND, [image, masks[:2]])],
        [*pairs(masks[2], cut, latent), Step(THIRD, [(positive, negative), sampler])],
        stitched(graph, model, sampler, cut, latent),
        stretch=[image, sampler],
    )


def remove(graph: Graph) -> None:
    note = graph.note(
        "Remove an object",
        "As it opens, it removes the pale inside of the ears. "
        + OWN
        + "Paint over its edges and its shadow as well. Without a prompt the surroundings decide. If it comes back, "
        "describe what is behind it, and set **cfg** to 7.",
    )
    model = checkpoint(graph)
    image, masks = picture(graph, EARS, "The ears")
    cut, latent = cropped(graph, model, model, image, masks[-1])
    positive, negative = prompts(graph, model, "", "")
    sampler = sampled(graph, model, positive, negative, latent, cfg=1.0, evaluations_per_step=3.0)
    graph.columns(
        [note, Step(FIRST, [model]), Step(SECOND, [image, masks[:2]])],
        [*pairs(masks[2], cut, latent), Step("3 - Leave the prompts empty, and Run", [(positive, negative), sampler])],
        stitched(graph, model, sampler, cut, latent, mask_expand_pixels=2),
        stretch=[image, sampler],
    )


def outpaint(graph: Graph) -> None:
    note = graph.note(
        "Outpaint: a larger canvas",
        "**Pad Image**: how many pixels are added on each side; leave *feathering* at 0. The **prompt** describes the "
        "whole new picture. Best at about the size of your model: 512 pixels for SD 1.5, 1024 for SDXL.",
    )
    model = checkpoint(graph)
    image = graph.add("LoadImage", image=PICTURE)
    padded = graph.add("ImagePadForOutpaint", image=image, left=128, top=0, right=128, bottom=0, feathering=0)
    latent = graph.add("LatentRepaint_Encode", "Encode", folded=True, image=padded, mask=padded, vae=model)
    wide = "child's drawing of a girl with yellow hair in a pink dress, green hill, blue sky, white clouds"
    positive, negative = prompts(graph, model, wide)
    sampler = sampled(graph, model, positive, negative, latent)
    decode, *ends = composited(graph, model, sampler, padded, latent)
    graph.columns(
        [Step(FIRST, [model]), Step("2 - Load your picture", [image]), Step(THIRD, [(positive, negative)])],
        [padded, (latent, decode), sampler],
        [note, *ends],
        stretch=[sampler],
    )


def soft_mask(graph: Graph) -> None:
    note = graph.note(
        "A soft mask: change some parts more than others",
        "As it opens, it changes the dress by 60 %. " + OWN + "With a brush of less **opacity**, more of the old "
        "picture stays. That is what *soft_mask* in **Encode** does.",
    )
    model = checkpoint(graph)
    image = graph.add("LoadImage", image=PICTURE)
    patch = graph.add("ImageColorToMask", "The dress", folded=True, image=image, color=DRESS)
    grey = graph.add("SolidMask", "60 %", folded=True, value=0.6, width=4096, height=4096)
    part = graph.add("MaskComposite", "of it", folded=True, destination=patch, source=grey, operation="multiply")
    mask = graph.add("MaskComposite", "+ your paint", folded=True, destination=part, source=image, operation="add")
    latent = graph.add(
        "LatentRepaint_Encode",
        "Encode",
        folded=True,
        image=image,
        mask=mask,
        vae=model,
        fill="original",
        spatial_method="area",
        mask_expand_cells=0,
        soft_mask=True,
    )
    positive, negative = prompts(graph, model, PROMPT)
    sampler = sampled(graph, model, positive, negative, latent, evaluations_per_step=4.0)
    graph.columns(
        [note, Step(FIRST, [model]), Step(SECOND, [image, (patch, grey)])],
        [*pairs(part, mask, latent), Step(THIRD, [(positive, negative), sampler])],
        composited(graph, model, sampler, image, latent),
        stretch=[image, sampler],
    )


def inpaint_model(graph: Graph) -> None:
    note = graph.note(
        "Inpaint Model: keep the sampler that you have",
        "The plain *KSampler* here may be any node that samples: a detailer, an upscaler, your own graph. With "
        "**Inpaint Model** before it, it inpaints wherever the latent has a mask. " + OWN,
    )
    model = checkpoint(graph)
    image, masks = picture(graph)
    cut, latent = cropped(graph, model, model, image, masks[-1])
    patched = graph.add("LatentRepaint_InpaintModel", model=model)
    positive, negative = prompts(graph, model, PROMPT)
    sampler = sampled(graph, patched, positive, negative, latent, kind="KSampler")
    decode, *ends = stitched(graph, model, sampler, cut, latent)
    graph.columns(
        [Step(FIRST, [model, patched]), Step(SECOND, [image])],
        [*pairs(*masks, cut, latent, decode), Step(THIRD, [(positive, negative), sampler])],
        [note, *ends],
        stretch=[image, sampler],
    )


TEMPLATES = {
    "01-start-here-inpaint-fill": start_here,
    "02-remove-object-erase": remove,
    "03-outpaint-extend": outpaint,
    "04-inpaint-soft-mask": soft_mask,
    "05-inpaint-model-any-sampler": inpaint_model,
}
