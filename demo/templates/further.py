"""Other models, and video: further templates, in the order of their names. Files, steps, cfg and shift are those of
ComfyUI's own templates."""

from __future__ import annotations

from typing import Any

from .everyday import (
    FIRST,
    OWN,
    PROMPT,
    SECOND,
    THIRD,
    checkpoint,
    cropped,
    picture,
    prompts,
    sampled,
    stitched,
)
from .layout import CORNER, Graph, Node, Step, pairs

FILES = "Its files are large; the page offers to download them. "


def loaders(graph: Graph, unet: str, clip: str, kind: str, vae: str) -> tuple[Node, Node, Node]:
    """The three loaders of a model that comes in three files."""
    return (
        graph.add("UNETLoader", unet_name=unet),
        graph.add("CLIPLoader", clip_name=clip, type=kind),
        graph.add("VAELoader", vae_name=vae),
    )


def sd35(graph: Graph) -> None:
    note = graph.note(
        "Stable Diffusion 3.5",
        "As *01*, with SD 3.5's own values: **cfg** 4 to 5, *euler*, *sgm_uniform*. " + OWN,
    )
    model = checkpoint(graph, "sd3.5_large_fp8_scaled.safetensors")
    image, masks = picture(graph)
    cut, latent = cropped(graph, model, model, image, masks[-1])
    positive, negative = prompts(graph, model, PROMPT)
    sampler = sampled(graph, model, positive, negative, latent, cfg=4.0, sampler_name="euler", scheduler="sgm_uniform")
    graph.columns(
        [note, Step(FIRST, [model]), Step(SECOND, [image, masks[:2]])],
        [*pairs(masks[2], cut, latent), Step(THIRD, [(positive, negative), sampler])],
        stitched(graph, model, sampler, cut, latent),
        stretch=[image, sampler],
    )


def three_files(
    graph: Graph,
    note: Node,
    files: tuple[Node, Node, Node],
    shift: Node | None,
    **sampling: Any,
) -> None:
    """A model in three files that knows no negative prompt."""
    unet, clip, vae = files
    model = shift or unet
    image, masks = picture(graph)
    cut, latent = cropped(graph, model, vae, image, masks[-1])
    positive = graph.colour(graph.add("CLIPTextEncode", "Prompt", clip=clip, text=PROMPT), "positive")
    nothing = graph.add("ConditioningZeroOut", "Zeroed", folded=True, conditioning=positive)
    sampler = sampled(graph, model, positive, nothing, latent, **sampling)
    shifted = [shift] if shift else []
    decode, *ends = stitched(graph, vae, sampler, cut, latent)
    graph.columns(
        [Step(FIRST, [unet, (clip, vae)]), Step(SECOND, [image])],
        [*pairs(*shifted, *masks, cut, latent, nothing, decode), Step(THIRD, [positive, sampler])],
        [note, *ends],
        stretch=[image, sampler],
    )


def flux(graph: Graph) -> None:
    note = graph.note("Flux dev", FILES + "Flux has no negative prompt: **cfg** stays at 1. " + OWN)
    unet = graph.add("UNETLoader", unet_name="flux1-dev.safetensors")
    clip = graph.add(
        "DualCLIPLoader", clip_name1="clip_l.safetensors", clip_name2="t5xxl_fp16.safetensors", type="flux"
    )
    vae = graph.add("VAELoader", vae_name="ae.safetensors")
    three_files(graph, note, (unet, clip, vae), None, cfg=1.0, sampler_name="euler", scheduler="simple")


def z_image(graph: Graph) -> None:
    note = graph.note(
        "Z-Image-Turbo",
        FILES + "The model is distilled to 8 steps, so the method is **blend**, and **cfg** stays at 1. " + OWN,
    )
    files = loaders(graph, "z_image_turbo_bf16.safetensors", "qwen_3_4b.safetensors", "lumina2", "ae.safetensors")
    shift = graph.add("ModelSamplingAuraFlow", "Shift 3", folded=True, model=files[0], shift=3.0)
    three_files(
        graph,
        note,
        files,
        shift,
        steps=8,
        cfg=1.0,
        sampler_name="res_multistep",
        scheduler="simple",
        method="blend",
    )


def qwen(graph: Graph) -> None:
    note = graph.note(
        "Qwen Image Edit",
        "The model sees the picture as a reference: the **prompt** says what to change under the mask.",
    )
    unet, clip, vae = loaders(
        graph,
        "qwen_image_edit_2509_fp8_e4m3fn.safetensors",
        "qwen_2.5_vl_7b_fp8_scaled.safetensors",
        "qwen_image",
        "qwen_image_vae.safetensors",
    )
    shift = graph.add("ModelSamplingAuraFlow", "Shift 3", folded=True, model=unet, shift=3.0)
    image, masks = picture(graph)
    cut, latent = cropped(graph, shift, vae, image, masks[-1])
    texts = [
        graph.add("TextEncodeQwenImageEditPlus", title, clip=clip, vae=vae, image1=cut, prompt=text)
        for title, text in (("Prompt", "make the dress red, with white flowers"), ("Negative prompt", ""))
    ]
    positive, negative = graph.colour(texts[0], "positive"), graph.colour(texts[1], "negative")
    sampler = sampled(graph, shift, positive, negative, latent, cfg=4.0, sampler_name="euler", scheduler="simple")
    decode, *ends = stitched(graph, vae, sampler, cut, latent)
    graph.columns(
        [Step(FIRST, [unet, (clip, vae), shift]), Step(SECOND, [image])],
        [
            *pairs(*masks, cut, latent, decode),
            Step("3 - Say what to change, then Run", [(positive, negative), sampler]),
        ],
        [note, *ends],
        stretch=[image, sampler],
    )


def video(graph: Graph) -> None:
    note = graph.note(
        "Video with a moving mask: Wan 2.2",
        FILES + "Load a **film**, and its **mask as a film**: white is painted. Both have 4n + 1 frames, 121 at most, "
        "of 1280x704 pixels.",
    )
    unet, clip, vae = loaders(
        graph,
        "wan2.2_ti2v_5B_fp16.safetensors",
        "umt5_xxl_fp8_e4m3fn_scaled.safetensors",
        "wan",
        "wan2.2_vae.safetensors",
    )
    shift = graph.add("ModelSamplingSD3", "Shift 8", folded=True, model=unet, shift=8.0)
    film = graph.add("LoadVideo", "Load Video: the film", file="")
    moving = graph.add("LoadVideo", "Load Video: its mask", file="")
    frames = graph.add("GetVideoComponents", "Frames", folded=True, video=film)
    white = graph.add("GetVideoComponents", "Masks", folded=True, video=moving)
    mask = graph.add("ImageToMask", "As a mask", folded=True, image=white, channel="red")
    latent = graph.add("LatentRepaint_Encode", "Encode", folded=True, image=frames, mask=mask, vae=vae)
    positive, negative = prompts(graph, clip, "an empty beach at sunset", "")
    sampler = sampled(graph, shift, positive, negative, latent, cfg=5.0, sampler_name="uni_pc", scheduler="simple")
    decode = graph.add("VAEDecode", folded=True, samples=sampler, vae=vae)
    last = graph.add(
        "LatentRepaint_Composite", "Composite", folded=True, original=frames, generated=decode, mask=latent
    )
    joined = graph.add("CreateVideo", folded=True, images=last, fps=frames, audio=frames)
    save = graph.add("SaveVideo", video=joined, filename_prefix="video/latent-repaint")
    report = graph.add("PreviewAny", "Report", source=last["report"], tall=214)
    graph.columns(
        [
            note,
            Step(FIRST, [unet, (clip, vae)]),
            Step("2 - Load a film and its mask", [film, moving]),
        ],
        [*pairs(shift, frames, white, mask, latent), Step(THIRD, [(positive, negative), sampler])],
        [decode, last, joined, save, (report, CORNER)],
        stretch=[film, sampler],
    )


TEMPLATES = {
    "06-inpaint-sd35": sd35,
    "07-inpaint-flux-dev": flux,
    "09-inpaint-z-image-turbo": z_image,
    "10-inpaint-qwen-image-edit": qwen,
    "11-inpaint-video-wan22": video,
}
