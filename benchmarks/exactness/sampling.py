"""A problem's pictures, inpainted by the host's own nodes: RandomNoise, BasicGuider, SamplerCustomAdvanced."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ..denoiser_model import patcher
from ..host import HOST
from .problems import Problem

nodes = HOST.custom_sampler


def model_of(problem: Problem, flow: bool = False) -> Any:
    """The host's MODEL that predicts E[x_0 | x] of the problem's pictures."""
    return patcher(problem.prior.denoise, flow)


def sigmas(model: Any, scheduler: str, steps: int) -> Tensor:
    """Over the whole schedule; shape (steps + 1,)."""
    return nodes.BasicScheduler.execute(model, scheduler, steps, 1.0)[0]


def solver(name: str) -> Any:
    return nodes.KSamplerSelect.execute(name)[0]


def inpaint(
    model: Any, sampler: Any, schedule: Tensor, problem: Problem, y: Tensor, seed: int, stacked: int = 1
) -> tuple[Tensor, int]:
    """Inpaint n pictures.

    Arguments:
        model: from `model_of`.
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
