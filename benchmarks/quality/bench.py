"""The embedded model, its scenes, and every method spending the same number of passes."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from demo_model.measure import held_out
from latent_repaint.samplers.blend import Blend
from latent_repaint.samplers.host import combine
from latent_repaint.samplers.match import Match
from latent_repaint.samplers.repaint import RePaintBudget

from . import HOST
from .masks import MASKS
from .measures import denoising_loss, edge_step

SOLVER, SCHEDULER = "euler_ancestral", "karras"
METHODS = ("host", "blend", "repaint", "match")


def sampler_and_steps(method: str, passes: int, cfg: float) -> tuple[Any, int]:
    """The method's SAMPLER and the number of steps that spend the passes: a guided evaluation takes two of them."""
    solver = HOST.custom_sampler.KSamplerSelect.execute(SOLVER)[0]
    guided = 1 if cfg == 1 else 2
    evaluations = passes // guided
    if method == "host":
        return solver, evaluations
    if method == "blend":
        return combine(solver, Blend(), "benchmark"), evaluations
    steps = max(5, min(20, evaluations // 2))
    if method == "repaint":
        return combine(solver, RePaintBudget(evaluations_per_step=evaluations / steps), "benchmark"), steps
    inner = passes - guided * steps  # match's extra evaluations take one pass at any cfg
    return combine(solver, Match(inner_steps=inner / steps), "benchmark"), steps


class Bench:
    """The scenes, their latents, masks and prompts."""

    def __init__(self, count: int) -> None:
        core = HOST.nodes
        self.model, self.clip, self.vae = core.CheckpointLoaderSimple().load_checkpoint(HOST.demo_checkpoint)
        self.images, captions = held_out(count)
        self.latent = self.vae.encode(self.images)
        self.untouched = self.vae.decode(self.latent)
        unknown = [MASKS[name]() for name in MASKS]
        self.unknown = torch.stack([unknown[i % len(unknown)] for i in range(count)])
        self.pixels = self.unknown.repeat_interleave(8, 1).repeat_interleave(8, 2)
        encode = core.CLIPTextEncode().encode
        self.context = torch.cat([encode(self.clip, caption)[0][0][0] for caption in captions])
        self.positive = [[self.context, {}]]
        self.negative = encode(self.clip, "")[0]
        self.step = edge_step(self.untouched, self.pixels)
        self.loss = denoising_loss(self.model, self.latent, self.context, self.unknown)

    def inpaint(self, method: str, passes: int, cfg: float, seed: int = 0) -> tuple[Tensor, int]:
        """The latents of all scenes, and the passes of the model that they took."""
        sampler, steps = sampler_and_steps(method, passes, cfg)
        used = 0

        def count(apply_model: Any, args: dict[str, Any]) -> Tensor:
            nonlocal used
            used += len(args["cond_or_uncond"])
            return apply_model(args["input"], args["timestep"], **args["c"])

        model = self.model.clone()
        model.set_model_unet_function_wrapper(count)
        advanced = HOST.custom_sampler
        sigmas = advanced.BasicScheduler.execute(model, SCHEDULER, steps, 1.0)[0]
        guider = advanced.CFGGuider.execute(model, self.positive, self.negative, cfg)[0]
        noise = advanced.RandomNoise.execute(seed)[0]
        latent = {"samples": self.latent, "noise_mask": self.unknown[:, None].float()}
        return advanced.SamplerCustomAdvanced.execute(noise, guider, sampler, sigmas, latent)[0]["samples"], used

    def measure(self, latent: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Decoded pictures, and for each its seam and its loss against those of the untouched picture."""
        picture = self.vae.decode(latent)
        seam = edge_step(picture, self.pixels) / self.step
        return picture, seam, denoising_loss(self.model, latent, self.context, self.unknown) / self.loss
