"""Mixtures of Gaussian fields drawn from a seed, of all kinds, sizes and shapes: problems that nobody can tune to."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from .problems import GaussianMixture, Problem
from .stationary import FieldPosterior, StationaryMixture

PROBLEMS = 12  # of a seed
GRAIN = 0.01  # of a field's variance, white: no spectrum is 0


class Drawn:
    """Numbers of one problem, drawn one after the other."""

    def __init__(self, seed: int, number: int) -> None:
        self.generator = torch.Generator().manual_seed(PROBLEMS * seed + number)

    def uniform(self, low: float, high: float) -> float:
        return low + (high - low) * float(torch.rand((), generator=self.generator))

    def log_uniform(self, low: float, high: float) -> float:
        return math.exp(self.uniform(math.log(low), math.log(high)))

    def whole(self, low: int, high: int) -> int:
        """low to high, both included."""
        return int(torch.randint(low, high + 1, (), generator=self.generator))


def draw(seed: int, number: int) -> Problem:
    """Problem `number` of a seed: 2 to 6 kinds, means .2 to 1.2 of a field's deviation from one to the next, 32x32 to
    64x64 cells."""
    drawn = Drawn(seed, number)
    kinds, shape = drawn.whole(2, 6), (8 * drawn.whole(4, 8), 8 * drawn.whole(4, 8))
    gaps = torch.tensor([drawn.uniform(0.2, 1.2) for _ in range(kinds)])
    weights = torch.tensor([drawn.uniform(0.5, 1.5) for _ in range(kinds)])
    fields = torch.stack([drawn.uniform(0.6, 1.0) ** 2 * correlation(drawn, shape) for _ in range(kinds)])
    prior = StationaryMixture(weights / weights.sum(), gaps.cumsum(0), fields).standardised()
    name, unknown = mask(drawn, shape)
    return Problem(f"{number}: {kinds} kinds, {shape[0]}x{shape[1]}, {name}", prior, unknown, is_picture=True)


def correlation(drawn: Drawn, shape: tuple[int, int]) -> Tensor:
    """A Matern field's, of smoothness .5 to 2 and 4 to 30 cells; every other one is longer in one direction."""
    smoothness, along = drawn.uniform(0.5, 2.0), drawn.log_uniform(4, 30)
    across = drawn.log_uniform(4, 30) if drawn.whole(0, 1) else along
    angle = drawn.uniform(0, math.pi)
    down, right = (torch.fft.fftfreq(side, dtype=torch.float64) * 2 * math.pi for side in shape)
    down, right = down[:, None], right[None, :]
    u, v = down * math.cos(angle) + right * math.sin(angle), right * math.cos(angle) - down * math.sin(angle)
    spectrum = (2 * smoothness + (along * u) ** 2 + (across * v) ** 2) ** (-smoothness - 1)
    field = torch.fft.ifft2(spectrum).real
    field = (1 - GRAIN) * field / field[0, 0]
    field[0, 0] += GRAIN
    return field


def mask(drawn: Drawn, shape: tuple[int, int]) -> tuple[str, Tensor]:
    """What is kept, in a word, and where the picture is unknown."""
    kind, known = drawn.whole(0, 3), torch.zeros(shape, dtype=torch.bool)
    if kind == 0:
        (known if drawn.whole(0, 1) else known.T)[: min(shape) // 2] = True
        return "half", known if drawn.whole(0, 1) else ~known
    if kind == 1:
        rim = round(min(shape) * drawn.uniform(1 / 8, 1 / 4))
        known[:] = True
        known[rim:-rim, rim:-rim] = False
        return "ring", ~known
    if kind == 2:
        height, width = (round(side * drawn.uniform(1 / 4, 3 / 8)) for side in shape)
        for rows in (slice(0, height), slice(-height, None)):
            known[rows, :width] = known[rows, -width:] = True
        return "corners", ~known
    side = drawn.whole(1, 4)
    share = drawn.uniform(0.2, 0.5)
    coarse = torch.rand(shape[0] // side + 1, shape[1] // side + 1, generator=drawn.generator) < share
    return "scattered", ~coarse.repeat_interleave(side, 0).repeat_interleave(side, 1)[: shape[0], : shape[1]]


def dense(posteriors: Sequence[FieldPosterior]) -> list[GaussianMixture]:
    """Posteriors of one problem with their covariances, which they share, written out: so they denoise."""
    covariances = torch.stack([torch.cholesky_inverse(factor) for factor in posteriors[0].factors])
    weights = [posterior.weights.clamp(min=1e-30) for posterior in posteriors]
    first = GaussianMixture(weights[0], posteriors[0].means, covariances)
    return [first.moved(w, posterior.means) for w, posterior in zip(weights, posteriors, strict=True)]
