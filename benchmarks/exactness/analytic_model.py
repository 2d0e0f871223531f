"""Denoisers of our own inside a real host model, sampled by the host's real SamplerCustomAdvanced."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from comfyui_host import in_process

from .problems import Problem

HOST = in_process.start()
comfy, nodes = HOST.comfy, HOST.custom_sampler


class DenoiserModel(comfy.model_base.BaseModel):
    r"""A host model whose prediction is denoise(x / a, b / a), whatever its noise levels a, b are.

    EPS has Stable Diffusion 1.x' schedule (a = 1, b = sigma from 0.029 to 14.6), FLOW the rectified one
    (a = 1 - s, b = s). The sigma is passed as it is, not rounded to one of 1000 time steps as a real UNet's would be,
    so that the prediction is exact.

    A latent of C channels carries C independent pictures of one channel.

    Arguments:
        denoise: (x of shape (n, 1, h, w), sigma of shape (n,)) -> E[x_0 | x_0 + sigma * eps = x], the shape of x.
        flow: rectified flow instead of EPS.
    """

    def __init__(self, denoise: Callable[[Tensor, Tensor], Tensor], flow: bool = False) -> None:
        config = comfy.supported_models_base.BASE({"disable_unet_model_creation": True})
        config.latent_format = comfy.latent_formats.LatentFormat()  # scale 1: latents are what the denoiser sees
        super().__init__(config, comfy.model_base.ModelType.FLOW if flow else comfy.model_base.ModelType.EPS)
        self.diffusion_model = torch.nn.Identity()
        self.diffusion_model.dtype = torch.float32
        self.denoise, self.flow, self.evaluations = denoise, flow, 0

    def _apply_model(self, x: Tensor, t: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        self.evaluations += 1
        a = (1 - t).clamp_min(1e-4) if self.flow else torch.ones_like(t)  # no signal is left at s = 1
        pictures = (x / a.view(-1, 1, 1, 1)).flatten(0, 1)[:, None]
        return self.denoise(pictures, (t / a).repeat_interleave(x.shape[1])).view_as(x)


def patcher(denoise: Callable[[Tensor, Tensor], Tensor], flow: bool = False) -> Any:
    """The host's MODEL around a denoiser; see DenoiserModel."""
    device = comfy.model_management.get_torch_device()
    model = DenoiserModel(denoise, flow).to(device)
    return comfy.model_patcher.ModelPatcher(model, load_device=device, offload_device=torch.device("cpu"))


def exact_denoiser(problem: Problem) -> Callable[[Tensor, Tensor], Tensor]:
    """The problem's own E[x_0 | x] for each picture, shape (B, 1, h, w)."""
    return lambda x, sigma: problem.prior.denoise(x.flatten(1), sigma).view_as(x)


def sigmas(model: Any, scheduler: str, steps: int) -> Tensor:
    """The host's BasicScheduler, over the whole schedule; shape (steps + 1,)."""
    return nodes.BasicScheduler.execute(model, scheduler, steps, 1.0)[0]


def solver(name: str) -> Any:
    """The host's KSamplerSelect."""
    return nodes.KSamplerSelect.execute(name)[0]


def inpaint(
    model: Any, sampler: Any, schedule: Tensor, problem: Problem, y: Tensor, seed: int, stacked: int = 1
) -> tuple[Tensor, int]:
    """Inpaint n pictures through RandomNoise, BasicGuider and SamplerCustomAdvanced.

    Arguments:
        model: from `patcher`.
        sampler: a SAMPLER.
        schedule: sigmas, shape (steps + 1,).
        y: the known part of each picture, shape (n, known cells).
        seed: of the initial noise, and of all that follows from it.
        stacked: pictures in one latent, as its channels; divides n. The pack has a noise generator for each latent of
            a batch, so that many pictures in few latents run faster; where a method judges each latent it must be 1.

    Returns:
        The unknown part of each picture, shape (n, unknown cells), and the number of model evaluations.
    """
    picture = torch.zeros(len(y), problem.known.numel())
    picture[:, problem.known] = y
    latent = {"samples": picture.view(-1, stacked, *problem.shape), "noise_mask": problem.unknown.float()[None, None]}
    noise = nodes.RandomNoise.execute(seed)[0]
    guider = nodes.BasicGuider.execute(model, [[torch.zeros(1, 1, 1), {}]])[0]
    model.model.evaluations = 0
    with torch.inference_mode():
        out = nodes.SamplerCustomAdvanced.execute(noise, guider, sampler, schedule, latent)[0]["samples"]
    return out.view(len(y), -1)[:, ~problem.known].clone(), model.model.evaluations
