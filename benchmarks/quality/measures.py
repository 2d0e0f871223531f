"""What can be measured without an exact answer: the seam, and what the model itself thinks of the result."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from . import HOST

LEVELS = (100, 250, 400, 550)  # time steps, out of 1000, at which details and shapes are decided


def edge_step(picture: Tensor, unknown: Tensor) -> Tensor:
    """Root mean square step across the edge of the mask, one number a picture.

    Arguments:
        picture: (B, H, W, 3).
        unknown: (B, H, W), boolean.
    """
    total = picture.new_zeros(len(picture))
    count = torch.zeros_like(total)
    for axis in (1, 2):
        step = picture.diff(dim=axis).square().mean(-1)
        crosses = unknown[:].diff(dim=axis)  # boolean difference: true where one side is known and the other not
        total += (step * crosses).sum((1, 2))
        count += crosses.sum((1, 2))
    return (total / count).sqrt()


def denoising_loss(model: Any, latent: Tensor, context: Tensor, unknown: Tensor) -> Tensor:
    r"""E ||eps(x_t) - eps||^2 over the regenerated cells, mean of LEVELS, one number a picture.

    Small where the model finds the picture probable, and smaller than that of a real picture where it is too smooth.

    Arguments:
        model: the host's MODEL.
        latent: (B, C, h, w), as the VAE made it.
        context: the prompts, (B, tokens, width).
        unknown: (B, h, w), boolean.

    Source: Ho et al., Denoising diffusion probabilistic models (2020), equation 14.
    """
    clean = model.model.process_latent_in(latent)
    HOST.comfy.model_management.load_models_gpu([model])
    device, generator = model.load_device, torch.Generator().manual_seed(0)
    total = torch.zeros(len(clean))
    for level in LEVELS:
        sigma = model.model.model_sampling.sigmas[level].cpu()
        noise = torch.randn(clean.shape, generator=generator)
        x = clean + sigma * noise
        denoised = model.model.apply_model(
            x.to(device), sigma.expand(len(x)).to(device), c_crossattn=context.to(device)
        ).cpu()
        error = ((x - denoised) / sigma - noise).square().mean(1)
        total += (error * unknown).sum((1, 2)) / unknown.sum((1, 2))
    return total / len(LEVELS)
