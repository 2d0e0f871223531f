"""What is painted, cell by cell: method x solver x scheduler x prediction x kind of run, on a model in closed form.

    for cell in cells():
        found = judge(cell)         # found.wrong is "" where the painted part is what it should be

A cell is right if what was painted has the moments of the exact posterior within the limits of its method, which are
published with the results. Beyond those of variance and likeness it may be where the solver alone on whole pictures is,
too; its pull is never worse than that of the host's own way of inpainting.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator
from math import log
from typing import Any, NamedTuple

import torch
from torch import Tensor

from latent_repaint.samplers.host import combine
from latent_repaint.samplers.methods import Blend, Match, RePaint

from ..host import HOST
from .closed_form import Moments, conditional_moments, mask, model, pictures, unconditional_moments

METHODS = {
    "Blend": Blend(),
    "RePaint": RePaint(jump_length=1, jump_n_sample=2),
    "Match": Match(inner_steps=1.0),
}
COMPARED = {**METHODS, "host": Blend(known_noise="fixed"), "plain": None}  # and what they are compared with
SOLVERS = HOST.comfy.samplers.SAMPLER_NAMES
SCHEDULERS = ("karras", "normal", "sgm_uniform", "beta")
PREDICTIONS = ("eps", "flow")
KINDS = ("whole", "two stages", "denoise .6", "soft mask")
OLD_CONTENT = KINDS[2:]  # begin with some, drawn from the Gaussian: much of the pull is there already
STEPS, COUNT = 20, 400
CONDITIONING = [[torch.zeros(1, 1, 1), {}]]


class Limits(NamedTuple):
    """How far the painted part may be from the exact posterior, whose pull is 1, variance 1 and likeness 0.

    Attributes:
        pull: the least, by prediction, where a run begins at full noise; `OLD_PULL` where it does not.
        most: the most pull.
        variance: the largest factor, either way.
        likeness: the largest difference, either way.
    """

    pull: dict[str, float]
    most: float
    variance: float
    likeness: float


OLD_PULL = 0.85
LIMITS = {
    "Blend": Limits({"eps": 0.75, "flow": 0.55}, 1.2, 1.45, 0.13),
    "RePaint": Limits({"eps": 0.45, "flow": 0.38}, 1.15, 1.3, 0.17),
    "Match": Limits({"eps": 0.85, "flow": 0.8}, 1.15, 1.4, 0.13),
}


class Cell(NamedTuple):
    """One place of the matrix, by the names above and in the host."""

    method: str
    solver: str
    scheduler: str
    prediction: str
    kind: str


class Found(NamedTuple):
    """What a cell came to.

    Attributes:
        moments: of the painted part.
        refused: the reason given, or "".
        wrong: which measure is off, or "".
        host: whether the solver alone misses the variance of whole pictures by more than half, in the host.
    """

    moments: Moments | None = None
    refused: str = ""
    wrong: str = ""
    host: bool = False


def cells() -> Iterator[Cell]:
    for prediction, kind, *names in itertools.product(PREDICTIONS, KINDS, METHODS, SOLVERS, SCHEDULERS):
        yield Cell(*names, prediction, kind)


def judge(cell: Cell) -> Found:
    """Samples, and compares with what the parts of the cell do alone."""
    try:
        moments = moments_of(cell)
    except ValueError as refusal:
        return Found(refused=str(refusal))
    plain, host = (moments_of(cell._replace(method=name)) for name in ("plain", "host"))
    if not 0.5 < plain.variance < 2:
        return Found(moments, host=True)
    return Found(moments, wrong=off(moments, cell, plain, host))


def off(moments: Moments, cell: Cell, plain: Moments, host: Moments) -> str:
    """The first measure that is off, or ""; `plain` and `host` are those of the solver alone and of the host's way."""
    limits = LIMITS[cell.method]
    least = OLD_PULL if cell.kind in OLD_CONTENT else limits.pull[cell.prediction]
    if not least <= moments.pull <= limits.most:
        return f"pull {moments.pull:.2f}, wanted {least:g} to {limits.most:g}"
    if abs(moments.pull - 1) > abs(host.pull - 1) + 0.1:
        return f"pull {moments.pull:.2f}; in the host {host.pull:.2f}"
    if abs(log(moments.variance)) > max(log(limits.variance), 1.35 * abs(log(plain.variance)) + log(1.3)):
        return f"variance {moments.variance:.2f}; solver alone {plain.variance:.2f}"
    if abs(moments.likeness) > max(limits.likeness, abs(plain.likeness) + 0.08):
        return f"likeness off by {moments.likeness:.2f}; solver alone {plain.likeness:.2f}"
    return ""


network = functools.cache(model)


@functools.cache
def given() -> Tensor:
    return pictures(COUNT)


@functools.lru_cache(maxsize=4096)
@torch.inference_mode()
def moments_of(cell: Cell) -> Moments:
    """Of the painted part; of whole pictures where the solver runs alone.

    Raises:
        ValueError: if the pack refuses.
    """
    samples = sampled(cell)
    if not samples.isfinite().all():
        return Moments(0.0, float("inf"), 1.0)
    return unconditional_moments(samples) if cell.method == "plain" else conditional_moments(samples, given())


def sampled(cell: Cell) -> Tensor:
    """By the host's own schedule and guider; two stages as SplitSigmas makes them, the second with the clean latent."""
    latent, method = given(), COMPARED[cell.method]
    denoise = 0.6 if cell.kind == "denoise .6" else 1.0
    sampling = HOST.comfy.samplers.KSampler(
        network(cell.prediction), STEPS, "cpu", cell.solver, cell.scheduler, denoise
    )
    noise_mask = None if method is None else mask()
    if noise_mask is not None and cell.kind == "soft mask":
        noise_mask[..., ::2, :] *= 0.5  # every second row of painted cells joins half-way

    def stage(sigmas: Tensor, latent: Tensor, noise: Tensor, kept: Tensor | None = None) -> Tensor:
        sampler: Any = HOST.custom_sampler.KSamplerSelect.execute(cell.solver)[0]
        if method is not None:
            sampler = combine(sampler, method, "painted", kept=kept)
        return HOST.comfy.sample.sample_custom(
            network(cell.prediction), noise, 1.0, sampler, sigmas, CONDITIONING, CONDITIONING, latent,
            noise_mask=noise_mask, disable_pbar=True, seed=3,
        )  # fmt: skip

    sigmas, noise = sampling.sigmas, HOST.comfy.sample.prepare_noise(latent, 3)
    if cell.kind != "two stages":
        return stage(sigmas, latent, noise)
    middle = len(sigmas) // 2
    return stage(sigmas[middle:], stage(sigmas[: middle + 1], latent, noise), torch.zeros_like(noise), latent)
