"""Denoisers of our own inside a real host model, so that the host's and the pack's own samplers run on them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from .host import HOST

comfy = HOST.comfy


class DenoiserModel(comfy.model_base.BaseModel):
    r"""A host model whose prediction is denoise(x / a, b / a), whatever its noise levels a, b are.

    EPS has Stable Diffusion 1.x' schedule (a = 1, b = sigma from 0.029 to 14.6), FLOW the rectified one
    (a = 1 - s, b = s). The sigma is passed as it is, not rounded to one of 1000 time steps as a real UNet's would be,
    so that the prediction is exact.

    A latent of C channels carries C independent pictures of one channel.

    Arguments:
        denoise: (x of shape (n, h*w), sigma of shape (n,)) -> E[x_0 | x_0 + sigma * eps = x], the shape of x.
        flow: rectified flow instead of EPS.
    """

    def __init__(self, denoise: Callable[[Tensor, Tensor], Tensor], flow: bool = False) -> None:
        config = comfy.supported_models_base.BASE({"disable_unet_model_creation": True})
        config.latent_format = comfy.latent_formats.LatentFormat()  # scale 1: latents are what the denoiser sees
        super().__init__(config, comfy.model_base.ModelType.FLOW if flow else comfy.model_base.ModelType.EPS)
        self.diffusion_model = torch.nn.Identity()  # what counts the passes of a network listens here
        self.diffusion_model.dtype = torch.float32
        self.denoise, self.flow, self.evaluations = denoise, flow, 0

    def _apply_model(self, x: Tensor, t: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        self.evaluations += 1
        a = (1 - t).clamp_min(1e-4) if self.flow else torch.ones_like(t)  # no signal is left at s = 1
        pictures = (x / a.view(-1, 1, 1, 1)).flatten(0, 1).flatten(1)
        return self.diffusion_model(self.denoise(pictures, (t / a).repeat_interleave(x.shape[1])).view_as(x))


def patcher(denoise: Callable[[Tensor, Tensor], Tensor], flow: bool = False) -> Any:
    """The host's MODEL around a denoiser; see DenoiserModel."""
    device = comfy.model_management.get_torch_device()
    model = DenoiserModel(denoise, flow).to(device)
    return comfy.model_patcher.ModelPatcher(model, load_device=device, offload_device=torch.device("cpu"))
