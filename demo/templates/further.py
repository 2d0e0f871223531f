"""Other models and video: further templates, in the order of their names."""

from __future__ import annotations

from .everyday import EDITOR, MODEL, PAINT, SETTINGS, finished, model_and_prompts, prompts, sampled
from .layout import Graph

PICTURE, PROMPT = "example_masked.png", "day, snow, sun, blue house"


def inpaint_model(graph: Graph) -> None:
    note = graph.note(
        "Inpaint Model: keep the sampler that you have",
        [MODEL, "Put **Inpaint Model** before any sampler"],
        EDITOR
        + SETTINGS
        + "The plain *KSampler* here may be any node that samples, of any pack: where the latent has a "
        "mask, it inpaints by the method of **Inpaint Model**.",
        164,
    )
    model, positive, negative = model_and_prompts(graph, PROMPT)
    image = graph.add("LoadImage", image=PICTURE)
    patched = graph.add("LatentRepaint_InpaintModel", model=model)
    latent = graph.add("LatentRepaint_Encode", image=image, mask=image, vae=model)
    sampler = sampled(graph, patched, positive, negative, latent, kind="KSampler")
    decode, composite, save = finished(graph, model, sampler, image, latent)
    graph.columns([model, (positive, negative), image, decode], [latent, sampler], [note, patched, composite, save])


def flow_models(graph: Graph) -> None:
    note = graph.note(
        "Flow models: SD 3.5 and Flux",
        ["**Load Checkpoint**: your SD 3.5 or Flux", PAINT],
        "It holds its text encoders and its VAE (SD 1.5 and SDXL: see *01*). SD 3.5: **cfg** 4 to 5, scheduler "
        "sgm_uniform. Flux dev: **cfg** 1, **guidance** 3.5. **Shift** is bypassed; press Ctrl+B on it to raise it for "
        "SD 3.5 above 1024 pixels.",
        170,
    )
    model, positive, negative = model_and_prompts(graph, PROMPT)
    image = graph.add("LoadImage", image=PICTURE)
    shift = graph.add("ModelSamplingSD3", "Shift (SD 3.5)", model=model, shift=3.0)
    shift.data["mode"] = 4  # bypassed: the demo's model is no flow model
    guidance = graph.add("FluxGuidance", conditioning=positive, guidance=3.5)
    latent = graph.add("LatentRepaint_Encode", image=image, mask=image, vae=model)
    sampler = sampled(graph, shift, guidance, negative, latent, scheduler="simple")
    decode, composite, save = finished(graph, model, sampler, image, latent)
    graph.columns(
        [model, (positive, negative), image, (shift, guidance)], [latent, sampler], [note, decode, composite, save]
    )


def edit_models(graph: Graph) -> None:
    note = graph.note(
        "Edit models: Qwen Image Edit, Flux Kontext",
        ["Get **Qwen Image Edit**: three files", "**Prompt**: say what to change under the mask"],
        "*models/diffusion_models*: **qwen_image_edit_2509_fp8_e4m3fn**; *text_encoders*: "
        "**qwen_2.5_vl_7b_fp8_scaled**; *vae*: **qwen_image_vae**. The model sees the picture as a reference, and "
        "paints only the mask. For Flux Kontext take its loaders, and *ReferenceLatent* after the prompt. SD 1.5 and "
        "SDXL with *Load Checkpoint*: see *01*.",
        180,
    )
    unet = graph.add("UNETLoader", unet_name="qwen_image_edit_2509_fp8_e4m3fn.safetensors")
    clip = graph.add("CLIPLoader", clip_name="qwen_2.5_vl_7b_fp8_scaled.safetensors", type="qwen_image")
    vae = graph.add("VAELoader", vae_name="qwen_image_vae.safetensors")
    shift = graph.add("ModelSamplingAuraFlow", model=unet, shift=3.0)
    image = graph.add("LoadImage", image=PICTURE)
    texts = [
        graph.add("TextEncodeQwenImageEditPlus", title, clip=clip, vae=vae, image1=image, prompt=text)
        for title, text in (("Prompt", "replace the house by a red car"), ("Negative prompt", ""))
    ]
    positive, negative = graph.colour(texts[0], "positive"), graph.colour(texts[1], "negative")
    latent = graph.add("LatentRepaint_Encode", "Encode", folded=True, image=image, mask=image, vae=vae)
    sampler = sampled(graph, shift, positive, negative, latent, steps=20, cfg=2.5, scheduler="simple")
    decode, composite, save = finished(graph, vae, sampler, image, latent)
    graph.columns(
        [unet, clip, image],
        [(vae, shift), (positive, negative), latent, sampler],
        [note, decode, composite, save],
        stretch=[positive],
        widths=(430, 462, 398),
    )


def video(graph: Graph) -> None:
    note = graph.note(
        "Video with a moving mask: Wan 2.1",
        ["Get **Wan 2.1**: three files", "**Load Video**: the film, and its mask as a film"],
        "*models/diffusion_models*: **wan2.1_t2v_1.3B_fp16**. *text_encoders*: **umt5_xxl_fp8_e4m3fn_scaled**. *vae*: "
        "**wan_2.1_vae**. Both films have 4n + 1 frames, 81 at most, of 832x480 pixels; in the mask, white is painted. "
        "SD 1.5, SDXL with *Load Checkpoint*: see *01*.",
        180,
    )
    unet = graph.add("UNETLoader", unet_name="wan2.1_t2v_1.3B_fp16.safetensors")
    clip = graph.add("CLIPLoader", clip_name="umt5_xxl_fp8_e4m3fn_scaled.safetensors", type="wan")
    vae = graph.add("VAELoader", vae_name="wan_2.1_vae.safetensors")
    shift = graph.add("ModelSamplingSD3", model=unet, shift=8.0)
    positive, negative = prompts(graph, clip, "an empty beach at sunset")
    film = graph.add("LoadVideo", file="film.mp4")
    moving = graph.add("LoadVideo", "Load Video: mask", file="mask.mp4")
    frames = graph.add("GetVideoComponents", folded=True, video=film)
    white = graph.add("GetVideoComponents", folded=True, video=moving)
    mask = graph.add("ImageToMask", folded=True, image=white, channel="red")
    latent = graph.add("LatentRepaint_Encode", image=frames, mask=mask, vae=vae)
    sampler = sampled(
        graph, shift, positive, negative, latent, steps=30, cfg=6.0, sampler_name="uni_pc", scheduler="simple"
    )
    decode = graph.add("VAEDecode", folded=True, samples=sampler, vae=vae)
    composite = graph.add("LatentRepaint_Composite", original=frames, generated=decode, mask=latent)
    joined = graph.add("CreateVideo", folded=True, images=composite, fps=frames, audio=frames)
    save = graph.add("SaveVideo", video=joined, filename_prefix="video/latent-repaint")
    graph.columns(
        [unet, clip, (vae, shift), (positive, negative), (frames, white), (film, moving)],
        [latent, sampler],
        [note, mask, decode, composite, joined, save],
        widths=(462, 430, 398),
    )


def lama(graph: Graph) -> None:
    note = graph.note(
        "Fill with LaMa first, then paint",
        ["Install **comfyui-inpaint-nodes** (Acly)", MODEL],
        SETTINGS
        + "Put **big-lama.pt** into *models/inpaint*. Two nodes are red without that pack. LaMa guesses what is "
        "behind the mask, and **Encode** (*fill* **original**) takes its guess; *denoise* 0.8 keeps a little of it.",
        164,
    )
    model, positive, negative = model_and_prompts(graph, PROMPT)
    image = graph.add("LoadImage", image=PICTURE)
    loader = graph.add("INPAINT_LoadInpaintModel", model_name="big-lama.pt")
    filled = graph.add(
        "INPAINT_InpaintWithModel", "Fill with LaMa", folded=True, inpaint_model=loader, image=image, mask=image
    )
    latent = graph.add("LatentRepaint_Encode", image=filled, mask=image, vae=model, fill="original")
    sampler = sampled(graph, model, positive, negative, latent, denoise=0.8)
    decode, composite, save = finished(graph, model, sampler, image, latent)
    graph.columns(
        [model, (positive, negative), image, filled], [latent, sampler], [note, loader, decode, composite, save]
    )


TEMPLATES = {
    "08-inpaint-model-any-sampler": inpaint_model,
    "09-flow-models-sd3-flux": flow_models,
    "10-edit-models-qwen-kontext": edit_models,
    "11-video-wan-moving-mask": video,
    "12-fill-with-lama-first": lama,
}
