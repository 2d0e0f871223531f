"""The samplers one by one, and what they do before they do it: the last templates of the list."""

from __future__ import annotations

from .everyday import EDITOR, MODEL, PAINT, SETTINGS, finished, model_and_prompts, saved
from .further import PICTURE, PROMPT
from .layout import Graph, Node


def custom_sampler(graph: Graph, note: Node, kind: str, folded: bool = False) -> None:
    """SamplerCustomAdvanced, with one of our samplers in place of the plain one."""
    model, positive, negative = model_and_prompts(graph, PROMPT)
    image = graph.add("LoadImage", image=PICTURE)
    latent = graph.add("LatentRepaint_Encode", "Encode", folded=folded, image=image, mask=image, vae=model)
    solver = graph.add("KSamplerSelect", sampler_name="euler_ancestral")
    ours = graph.add(kind, kind.removeprefix("LatentRepaint_").replace("Sampler", " Sampler"), sampler=solver)
    sigmas = graph.add("BasicScheduler", model=model, scheduler="karras", steps=20)
    noise = graph.add("RandomNoise", noise_seed=1)
    guider = graph.add("CFGGuider", model=model, positive=positive, negative=negative, cfg=4.0)
    sampler = graph.add(
        "SamplerCustomAdvanced", noise=noise, guider=guider, sampler=ours, sigmas=sigmas, latent_image=latent
    )
    decode, composite, save = finished(graph, model, sampler, image, latent)
    graph.columns(
        [model, (positive, negative), image, (solver, noise)],
        [latent, (ours, sigmas), sampler],
        [note, guider, decode, composite, save],
        widths=(462, 462, 366),
    )


def match(graph: Graph) -> None:
    note = graph.note(
        "Match Sampler: the noise that fits",
        [MODEL, PAINT],
        SETTINGS + "**Match Sampler** finds the noise under which the model itself would have painted the kept part. "
        "*inner_steps*: extra model evaluations in each step. 1 doubles the time, 0 costs nothing.",
        164,
    )
    custom_sampler(graph, note, "LatentRepaint_MatchSampler")


def repaint(graph: Graph) -> None:
    note = graph.note(
        "RePaint Sampler: time travel",
        [MODEL, PAINT],
        SETTINGS + "**RePaint Sampler** adds noise again and repeats steps, so that the new part fits the kept part. "
        "*jump_n_sample* 3 takes about three times as long as 1.",
        164,
    )
    custom_sampler(graph, note, "LatentRepaint_RePaintSampler", folded=True)


def blend(graph: Graph) -> None:
    note = graph.note(
        "Blend Sampler: at no extra cost",
        [MODEL, PAINT],
        SETTINGS
        + "**Blend Sampler** shows the model the kept part at the noise of each step. It takes no longer than plain "
        "sampling. *known_noise* **predicted** is the best, *fixed* is what ComfyUI does.",
        164,
    )
    custom_sampler(graph, note, "LatentRepaint_BlendSampler")


def mask_and_schedule(graph: Graph) -> None:
    note = graph.note(
        "See the mask and the cost before you paint",
        [MODEL, PAINT],
        EDITOR
        + "**Mask to Latent** shows the mask as the model will see it: red is painted. **Schedule** draws the run: a "
        "dot is one model evaluation. Nothing is painted here.",
        120,
    )
    model = graph.add("CheckpointLoaderSimple", ckpt_name="latent-repaint-demo.safetensors")
    image = graph.add("LoadImage", image=PICTURE)
    encoded = graph.add("VAEEncode", folded=True, pixels=image, vae=model)
    latent = graph.add("LatentRepaint_MaskToLatent", mask=image, samples=encoded, vae=model, image=image)
    save = saved(graph, latent)
    solver = graph.add("KSamplerSelect", sampler_name="euler_ancestral")
    ours = graph.add("LatentRepaint_RePaintSampler", sampler=solver)
    sigmas = graph.add("BasicScheduler", model=model, scheduler="karras", steps=20)
    plot = graph.add("LatentRepaint_Schedule", model=model, sampler=ours, sigmas=sigmas)
    graph.columns(
        [note, model, image, encoded],
        [latent, save],
        [(solver, sigmas), ours, plot],
        stretch=[note],
        widths=(418, 410, 462),
    )


TEMPLATES = {
    "13-match-sampler": match,
    "14-repaint-sampler": repaint,
    "15-blend-sampler": blend,
    "16-mask-and-schedule": mask_and_schedule,
}
