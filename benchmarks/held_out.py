"""Scenes that the demo model never saw, and the host's nodes to inpaint them with."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from comfyui_host import in_process
from demo_model.measure import held_out, prompts
from latent_repaint.samplers.host import combine


class HeldOut:
    """The first `count` held-out scenes.

    Attributes:
        latent, picture: as the VAE makes them, and decoded again.
        positive, negative: conditioning; each scene has its own caption.
    """

    def __init__(self, count: int) -> None:
        host = in_process.start()
        self.nodes, core = host.custom_sampler, host.nodes
        self.model, clip, self.vae = core.CheckpointLoaderSimple().load_checkpoint(host.demo_checkpoint)
        images, captions = held_out(count)
        self.latent = self.vae.encode(images)
        self.picture = self.vae.decode(self.latent)
        self.positive, self.negative = prompts(clip, captions)

    def inpaint(
        self,
        model: Any,
        method: Any,
        solver: str,
        *,
        cfg: float,
        steps: int,
        denoise: float,
        mask: Tensor,
        seed: int,
        positive: list | None = None,
    ) -> Tensor:
        """The latents, on the schedule `normal`; without a method, by the host's own way of inpainting."""
        sampler = self.nodes.KSamplerSelect.execute(solver)[0]
        if method is not None:
            sampler = combine(sampler, method, "benchmark")
        guider = self.nodes.CFGGuider.execute(model, positive or self.positive, self.negative, cfg)[0]
        sigmas = self.nodes.BasicScheduler.execute(model, "normal", steps, denoise)[0]
        noise = self.nodes.RandomNoise.execute(seed)[0]
        latent = {"samples": self.latent, "noise_mask": mask}
        return self.nodes.SamplerCustomAdvanced.execute(noise, guider, sampler, sigmas, latent)[0]["samples"]
