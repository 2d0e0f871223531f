"""Langevin dynamics at every noise level, as LanPaint's paper states it: the strongest peer, for comparison only."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from ..host import HOST


class LangevinModel:
    r"""A denoiser that first runs n Langevin steps at the level at which it is called, then answers.

    In the state x = x_0 + sigma * eps, with D = E[x_0 | x] and time in units of the noise variance, the paper's
    bidirectionally guided score gives the drifts

        unknown:  D_u - x_u
        known:    (1 + lambda) y - lambda D_k - x_k  =  (1 + lambda) (y - x_k) + lambda (x_k - D_k)

    with temperature sigma^2. Each step solves dx = (C - A x) dt + sigma sqrt(2) dW exactly for frozen D, with A = 1 on
    the unknown and A = 1 + lambda on the known part, so that it is stable for any step length. The number of steps
    falls with the noise, round(n (1 - abar)), abar = 1 / (1 + sigma^2), and the known part starts each level from
    the initial noise. x is moved in place, so that the outer solver goes on from where the dynamics left it.
    The paper's friction is high, so the overdamped limit is taken.

    Arguments:
        model: the host's KSamplerX0Inpaint.
        n: steps at full noise.
        guidance: lambda, 5 in the paper.
        step: step length, 0.2 in the paper.

    Source: Zheng, Lan, Wang, LanPaint (2025), arXiv:2502.03491, sections 4.1 to 4.3.
    """

    def __init__(self, model: Any, n: float, guidance: float, step: float) -> None:
        self.model, self.n, self.guidance, self.step = model, n, guidance, step
        self.inner_model = model.inner_model

    def __call__(self, x: Tensor, sigma: Tensor, denoise_mask: Tensor, **kwargs: Any) -> Tensor:
        s, y, unknown = sigma[0], self.model.latent_image, denoise_mask > 0.5
        x.copy_(torch.where(unknown, x, y + s * self.model.noise))
        rate = torch.where(unknown, 1.0, 1.0 + self.guidance)
        decay = torch.exp(-rate * self.step)
        spread = s * torch.sqrt((1 - decay**2) / rate)
        for _ in range(round(self.n * float(s**2 / (1 + s**2)))):
            denoised = self.inner_model(x, sigma, **kwargs)
            centre = torch.where(unknown, denoised, y + self.guidance * (x - denoised) / (1 + self.guidance))
            x.copy_(centre + (x - centre) * decay + spread * torch.randn_like(x))
        return torch.where(unknown, self.inner_model(x, sigma, **kwargs), y)


def langevin(inner: Any, n: float, guidance: float = 5.0, step: float = 0.2) -> Any:
    """A KSAMPLER that runs Langevin steps before each evaluation of another one; see LangevinModel."""

    def sample(model: Any, x: Tensor, sigmas: Tensor, extra_args: dict[str, Any], **kwargs: Any) -> Tensor:
        torch.manual_seed(extra_args["seed"] + 1)
        wrapped = LangevinModel(model, n, guidance, step)
        return inner.sampler_function(wrapped, x, sigmas, extra_args=extra_args, **kwargs, **inner.extra_options)

    return HOST.comfy.samplers.KSAMPLER(sample)


def inner_steps_within(budget: int, schedule: Tensor) -> float | None:
    """The largest n whose run over `schedule` (EPS sigmas) takes at most `budget` evaluations; None if none fits."""
    noise = (schedule[:-1] ** 2 / (1 + schedule[:-1] ** 2)).tolist()
    if len(noise) >= budget:
        return None
    candidates = (k / 4 for k in range(4 * math.ceil(2 * budget / len(noise)) + 8))
    return max(n for n in candidates if sum(1 + round(n * share) for share in noise) <= budget)
