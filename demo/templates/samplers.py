"""Samplers put together by hand, and what they do before they do it: the last templates of the list, and Flux 2."""

from __future__ import annotations

from .everyday import (
    FIRST,
    PROMPT,
    SECOND,
    THIRD,
    UNWANTED,
    checkpoint,
    cropped,
    picture,
    prompts,
    stitched,
)
from .further import loaders
from .layout import CORNER, Graph, Node, Source, Step, pairs

BYPASSED = 4


def custom_sampler(
    graph: Graph, texts: tuple[Node, Node], model: Source, latent: Source, sampler: Source, sigmas: Source, cfg: float
) -> tuple[Node, Node, Node]:
    """Noise, guider, and SamplerCustomAdvanced, which they lead to."""
    noise = graph.add("RandomNoise", "Noise", folded=True, noise_seed=1)
    guider = graph.add("CFGGuider", model=model, positive=texts[0], negative=texts[1], cfg=cfg)
    sampled = graph.add(
        "SamplerCustomAdvanced",
        folded=True,
        noise=noise,
        guider=guider,
        sampler=sampler,
        sigmas=sigmas,
        latent_image=latent,
    )
    return noise, guider, sampled


def klein(graph: Graph) -> None:
    unet, clip, vae = loaders(
        graph,
        "flux-2-klein-base-4b-fp8.safetensors",
        "qwen_3_4b.safetensors",
        "flux2",
        "flux2-vae.safetensors",
    )
    image, masks = picture(graph)
    cut, latent = cropped(graph, unet, vae, image, masks[-1])
    texts = prompts(graph, clip, PROMPT, "")
    solver = graph.add("KSamplerSelect", sampler_name="euler")
    sigmas = graph.add("Flux2Scheduler", steps=20, width=1024, height=1024)
    ours = graph.add("LatentRepaint_MatchSampler", "Match Sampler", sampler=solver)
    noise, guider, sampled = custom_sampler(graph, texts, unet, latent, ours, sigmas, 5.0)
    graph.columns(
        [Step("1 - Load Flux 2 Klein (ComfyUI of 2026)", [unet, (clip, vae)]), Step(SECOND, [image])],
        [*pairs(*masks, cut, latent, noise), Step(THIRD, [texts, (solver, sigmas), (ours, guider)])],
        [sampled, *stitched(graph, vae, sampled, cut, latent)],
        stretch=[image, texts[0]],
    )


def all_samplers(graph: Graph) -> None:
    note = graph.note(
        "RePaint, Match and Blend Sampler",
        "Each makes an inpainting sampler of any SAMPLER, for *SamplerCustom* and *SamplerCustomAdvanced*. **Match** "
        "is on, *RePaint* and *Blend* are bypassed: Ctrl+B switches. RePaint is the paper's way, "
        "Blend takes no extra time.",
    )
    model = checkpoint(graph)
    image, masks = picture(graph)
    cut, latent = cropped(graph, model, model, image, masks[-1])
    defaults = graph.defaults("LatentRepaint_KSampler")
    texts = prompts(graph, model, PROMPT, UNWANTED)
    solver = graph.add("KSamplerSelect", sampler_name=defaults["sampler_name"])
    sigmas = graph.add("BasicScheduler", model=model, scheduler=defaults["scheduler"], steps=defaults["steps"])
    blend = graph.add("LatentRepaint_BlendSampler", "Blend Sampler", folded=True, sampler=solver)
    repaint = graph.add("LatentRepaint_RePaintSampler", "RePaint Sampler", folded=True, sampler=blend)
    for bypassed in (blend, repaint):
        bypassed.data["mode"] = BYPASSED
    ours = graph.add("LatentRepaint_MatchSampler", "Match Sampler", sampler=repaint)
    noise, guider, sampled = custom_sampler(graph, texts, model, latent, ours, sigmas, defaults["cfg"])
    graph.columns(
        [note, Step(FIRST, [model]), Step(SECOND, [image, masks[:2]])],
        [
            *pairs(masks[2], cut, latent, noise),
            Step(THIRD, [texts, (solver, sigmas), (blend, repaint), (ours, guider)]),
        ],
        [sampled, *stitched(graph, model, sampled, cut, latent)],
        stretch=[image, texts[0]],
    )


def mask_and_cost(graph: Graph) -> None:
    note = graph.note(
        "See the mask and the cost before you paint",
        "Nothing is painted here. **Mask to Latent** shows the mask as the model will see it: red is painted. "
        "**Schedule** draws the run: a dot is one model evaluation.",
    )
    model = checkpoint(graph)
    image, masks = picture(graph)
    encoded = graph.add("VAEEncode", folded=True, pixels=image, vae=model)
    latent = graph.add("LatentRepaint_MaskToLatent", mask=masks[-1], samples=encoded, vae=model, image=image)
    defaults = graph.defaults("LatentRepaint_KSampler")
    solver = graph.add("KSamplerSelect", sampler_name=defaults["sampler_name"])
    sigmas = graph.add("BasicScheduler", model=model, scheduler=defaults["scheduler"], steps=defaults["steps"])
    ours = graph.add("LatentRepaint_RePaintSampler", "RePaint Sampler", sampler=solver)
    plot = graph.add("LatentRepaint_Schedule", model=model, sampler=ours, sigmas=sigmas)
    save = graph.add("SaveImage", folded=True, images=latent, filename_prefix="latent-repaint")
    graph.columns(
        [note, Step(FIRST, [model]), Step(SECOND, [image, masks[:2]])],
        [(masks[2], encoded), latent, (solver, sigmas)],
        [plot, save, (ours, CORNER)],
        stretch=[image, plot, latent],
    )


TEMPLATES = {
    "08-inpaint-flux2-klein": klein,
    "12-repaint-match-blend-samplers": all_samplers,
    "13-see-mask-and-cost": mask_and_cost,
}
