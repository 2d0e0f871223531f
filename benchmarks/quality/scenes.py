"""Pictures to paint in, and what is measured of them when they are painted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from ..host import HOST
from ..masks import MASKS
from ..seam import seam_energy
from .measures import denoising_loss


@dataclass(frozen=True)
class Scenes:
    """Some pictures of one size with all that their runs share, made when it is asked for.

    Arguments:
        model, vae: MODEL and VAE, which judge what was painted.
        pictures: (B, H, W, 3).
        conditioning: makes the positive and the negative one.
        first: the number of the first picture; the masks come in turn.
    """

    model: Any
    vae: Any
    pictures: Tensor
    conditioning: Callable[[], tuple[list, list]]
    first: int = 0

    @property
    def mask(self) -> str:
        """Of the first picture."""
        return tuple(MASKS)[self.first % len(MASKS)]

    @cached_property
    def prompts(self) -> tuple[list, list]:
        return self.conditioning()

    @cached_property
    def latent(self) -> Tensor:
        return HOST.nodes.VAEEncode().encode(self.vae, self.pictures)[0]["samples"]

    @cached_property
    def untouched(self) -> Tensor:
        """What the VAE makes of the pictures: 1 in every ratio."""
        return decoded(self.vae, self.latent)

    @cached_property
    def unknown(self) -> Tensor:
        """The masks on the latent, (B, h, w), boolean."""
        masks = [mask(*self.latent.shape[-2:]) for mask in MASKS.values()]
        return torch.stack([masks[(self.first + k) % len(masks)] for k in range(len(self.pictures))])

    @cached_property
    def pixels(self) -> Tensor:
        """The masks on the pictures, (B, H, W), boolean."""
        cell = pixels_of_a_cell(self.vae)
        return self.unknown.repeat_interleave(cell, 1).repeat_interleave(cell, 2)

    @cached_property
    def given(self) -> dict[str, Tensor]:
        """The LATENT to paint in."""
        mask = self.unknown[:, None].float()
        return {"samples": self.latent, "noise_mask": mask if self.latent.ndim == 4 else mask[:, :, None]}

    @cached_property
    def real_losses(self) -> Tensor:
        """Of the untouched pictures."""
        return self.losses(self.latent)

    def losses(self, samples: Tensor) -> Tensor:
        """Of the painted cells and of the kept ones, (2, B, levels)."""
        return denoising_loss(self.model, samples, self.prompts[0], torch.stack([self.unknown, ~self.unknown]))

    def masked(self) -> Tensor:
        return torch.where(self.pixels[..., None], 0.5, self.pictures)

    def measured(self, samples: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """The pictures that the samples are, and for each a number by name, (B,)."""
        pictures = decoded(self.vae, samples)
        images = [images.movedim(-1, 1).split(1) for images in (pictures, self.untouched)]
        edges = zip(*images, self.pixels[:, None].float().split(1), strict=True)
        loss, kept = (self.losses(samples) / self.real_losses).mean(2)
        return pictures, {
            "seam": torch.tensor([seam_energy(*edge) for edge in edges]),
            "loss": loss,
            "kept": kept,
        }


def decoded(vae: Any, latent: Tensor) -> Tensor:
    """(B, H, W, 3)."""
    return HOST.nodes.VAEDecode().decode(vae, {"samples": latent})[0][..., :3].cpu().float()


def pixels_of_a_cell(vae: Any) -> int:
    """A side of it."""
    return int(vae.spacial_compression_decode())
