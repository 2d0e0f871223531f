"""The matrix of everything the samplers promise to work with: family x method x solver x scheduler.

    for cell in cells():
        found = run(cell)           # found.wrong is "" where every promise holds

The fast part of it is `test_families.py`; the whole is `python benchmarks matrix`.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import comfy.sample
import comfy.samplers
import torch
from torch import Tensor

from comfyui_host.families import FAMILIES, Family
from comfyui_host.passes import counted
from comfyui_host.tiny import ksampler
from latent_repaint.samplers.host import combine
from latent_repaint.samplers.mathematics.noise_level import noise_levels
from latent_repaint.samplers.methods import Blend, Match, RePaint

METHODS = {
    "Blend": Blend(),
    "RePaint": RePaint(jump_length=1, jump_n_sample=2),
    "Match": Match(inner_steps=1.0),
}
SOLVERS = comfy.samplers.SAMPLER_NAMES
SCHEDULERS = ("karras", "normal", "sgm_uniform", "beta")
STEPS = 4
TOLERANCE = 1e-5  # of a kept latent, in float32: the host scales it on its way in and out


class Cell(NamedTuple):
    """One place of the matrix, by the names that its parts have above and in the host."""

    family: str
    method: str
    solver: str
    scheduler: str


@dataclass(frozen=True)
class Found:
    """What a cell came to.

    Attributes:
        evaluations: passes through the network.
        refused: the reason given, or "".
        wrong: which promise was broken and how, or "".
    """

    evaluations: int = 0
    refused: str = ""
    wrong: str = ""


def cells() -> Iterator[Cell]:
    """The whole matrix; a family's cells come together."""
    return itertools.starmap(Cell, itertools.product(FAMILIES, METHODS, SOLVERS, SCHEDULERS))


@functools.cache
def family(name: str) -> Family:
    return FAMILIES[name]()


@torch.inference_mode()
def run(cell: Cell) -> Found:
    """Samples once; a refusal must come before the first pass."""
    tiny = family(cell.family)
    model, reports = tiny.model, list[tuple[int, int]]()
    latent, mask, (positive, negative) = tiny.latent(), tiny.mask(), tiny.prompts()
    schedule = comfy.samplers.KSampler(model, STEPS, "cpu", cell.solver, cell.scheduler).sigmas
    noise = comfy.sample.prepare_noise(latent, 3)
    cfg = 3.0 if "cfg_pp" in cell.solver else 1.0  # these need the unconditional prediction, batched with the other
    try:
        with counted(model) as passes:
            sampler = combine(ksampler(cell.solver), METHODS[cell.method], "matrix")
            samples = comfy.sample.sample_custom(
                model, noise, cfg, sampler, schedule, positive, negative, latent, noise_mask=mask, seed=3,
                disable_pbar=True, callback=lambda done, denoised, x, total: reports.append((done, total)),
            )  # fmt: skip
    except ValueError as refusal:
        late = f"refused after {len(passes)} passes" if passes else ""
        return Found(refused=str(refusal), wrong=late)
    return Found(evaluations=len(passes), wrong=broken_promise(samples, latent, mask, len(passes), reports))


def broken_promise(samples: Tensor, latent: Tensor, mask: Tensor, passes: int, reports: list[tuple[int, int]]) -> str:
    """The first promise that a result does not keep, or "".

    Arguments:
        reports: of the progress bar, steps before this one and in all. It passes over the extra evaluations that
            Match leaves out of a model that looks distilled, as untrained networks sometimes do.
    """
    change = (samples - latent).abs()
    if not samples.isfinite().all():
        return "not finite"
    if (kept := (change * (1 - mask)).max().item()) > TOLERANCE:
        return f"kept part off by {kept:.1e}"
    if (change * mask).max() < 0.01:
        return "nothing was painted"
    places, totals = zip(*reports, strict=True)
    whole = set(totals) == {places[-1] + 1} and all(a < b for a, b in pairwise(places))
    return "" if whole and passes >= len(places) else f"{passes} evaluations, {totals[0]} steps, {places} reported"


def jump_error(model_sampling: Any, start: float, stop: float, count: int, seed: int = 0) -> float:
    """How far the jump of x_s, drawn by the host's own noising, is from the host's noising at the level jumped to.

    Returns:
        The largest deviation of mean, variance, and covariance with x_0, in standard errors of `count` draws, x_0 ~
        N(1.5, 1). Two exact samples of one law give about 1, and 5 not once in a million.
    """
    generator = torch.Generator().manual_seed(seed)

    def unit() -> Tensor:
        return torch.randn(count, 1, 1, 1, generator=generator, dtype=torch.float64)

    def noised(sigma: float, x_0: Tensor) -> Tensor:
        return model_sampling.noise_scaling(torch.tensor([sigma], dtype=torch.float64), unit(), x_0)

    low, high = noise_levels(model_sampling, torch.tensor([start, stop]))
    x_0 = unit() + 1.5
    jumped = low.diffuse(noised(start, x_0), high, unit())
    direct = noised(stop, x_0)
    # paired by x_0, so that the differences have no variance of its own
    signal, centred = x_0 - x_0.mean(), (jumped - jumped.mean(), direct - direct.mean())
    differences = (jumped - direct, centred[0] ** 2 - centred[1] ** 2, signal * (centred[0] - centred[1]))
    return max(abs(d.mean().item()) / max(d.std().item(), 1e-9) * math.sqrt(count) for d in differences)
