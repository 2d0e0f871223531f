"""Inpainting problems whose exact posterior is known: fields of 12x12 to 64x64 cells, and mixtures of fields drawn
from a seed, of all kinds, sizes and shapes, that nobody can tune to. All have mean 0 and standard deviation 1."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from ..masks import box, half
from .stationary import FieldPosterior, StationaryMixture

MIXTURES = 12  # of a seed


@dataclass(frozen=True)
class Problem:
    """A prior over pictures of shape (h, w) and a mask of the same shape, True where the picture is unknown."""

    name: str
    prior: StationaryMixture
    unknown: Tensor

    @cached_property
    def known(self) -> Tensor:
        """The known cells as an index of the flattened picture, shape (h*w,)."""
        return ~self.unknown.flatten()

    def given(self, n: int) -> Tensor:
        """The known parts of n pictures drawn from the prior, always the same ones; shape (n, known cells)."""
        return self.prior.sample(n, torch.Generator().manual_seed(20220109))[:, self.known]

    def posterior(self, y: Tensor) -> FieldPosterior:
        return self.prior.condition(self.known, y)


def frequencies(height: int, width: int) -> tuple[Tensor, Tensor]:
    """Cycles a cell of every mode, down (height, 1) and across (1, width)."""
    down, across = (torch.fft.fftfreq(side, dtype=torch.float64) for side in (height, width))
    return down[:, None], across[None, :]


def correlation(spectrum: Tensor, grain: float) -> Tensor:
    """The correlation that belongs to a spectrum, of variance 1, of which the share `grain` is white."""
    field = torch.fft.ifft2(spectrum).real
    field = (1 - grain) * field / field[0, 0]
    field[0, 0] += grain
    return field


def smooth(size: int, largest: float) -> Tensor:
    """A field whose spectrum falls with the cube of the frequency, up to shapes of `largest` cells."""
    down, across = frequencies(size, size)
    return correlation((down**2 + across**2 + largest**-2) ** -1.5, grain=0.01)


def texture(size: int, angle: float, period: float) -> Tensor:
    """Waves of one direction and period, whose phases hold over a tenth of the picture."""
    down, across = frequencies(size, size)
    v, u = math.sin(angle) / period, math.cos(angle) / period
    reach = 2 * math.pi * size / 10
    waves = [torch.exp(-((down - s * v) ** 2 + (across - s * u) ** 2) * reach**2 / 2) for s in (1, -1)]
    return correlation(waves[0] + waves[1] + 1e-9, grain=0.03)


def small_field() -> Problem:
    """36 unknown cells, of a Matern field of smoothness 3/2 and a range of 3 cells; the posterior is kriging."""
    down, across = (2 * math.pi * axis for axis in frequencies(12, 12))
    field = correlation((3 + (3 * down) ** 2 + (3 * across) ** 2) ** -2.5, grain=0.0)
    return Problem("field, 12x12", StationaryMixture(torch.ones(1), torch.zeros(1), field[None]), box(12, 12))


def clouds(size: int, largest: float, unknown: Tensor) -> Problem:
    """One Gaussian field; what is large in it was decided at much noise."""
    prior = StationaryMixture(torch.ones(1), torch.zeros(1), smooth(size, largest)[None])
    return Problem(f"clouds of {largest:g} cells, {size}x{size}", prior, unknown)


def four_kinds(size: int, unknown: Tensor) -> Problem:
    """Four textures over clouds, each of its own brightness."""
    periods = (6.0, 10.0, 8.0, 14.0)
    textures = torch.stack([texture(size, j * math.pi / 4, period) for j, period in enumerate(periods)])
    brightness = torch.tensor([-0.75, 0.45, -0.15, 0.45])
    prior = StationaryMixture(torch.full((4,), 0.25), brightness, 0.5 * textures + 0.3 * smooth(size, size / 3))
    return Problem(f"four kinds, {size}x{size}", prior.standardised(), unknown)


FIELDS: dict[str, Callable[[], Problem]] = {
    "field": small_field,
    "clouds 64": lambda: clouds(64, 64, half(64, 64)),
    "small clouds 64": lambda: clouds(64, 16, box(64, 64)),
    "kinds 32": lambda: four_kinds(32, half(32, 32)),
}


class Draws:
    """Numbers of one problem, drawn one after the other."""

    def __init__(self, seed: int, number: int) -> None:
        self.generator = torch.Generator().manual_seed(MIXTURES * seed + number)

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
    draws = Draws(seed, number)
    kinds, shape = draws.whole(2, 6), (8 * draws.whole(4, 8), 8 * draws.whole(4, 8))
    gaps = torch.tensor([draws.uniform(0.2, 1.2) for _ in range(kinds)])
    weights = torch.tensor([draws.uniform(0.5, 1.5) for _ in range(kinds)])
    fields = torch.stack([draws.uniform(0.6, 1.0) ** 2 * matern(draws, shape) for _ in range(kinds)])
    prior = StationaryMixture(weights / weights.sum(), gaps.cumsum(0), fields).standardised()
    name, unknown = drawn_mask(draws, shape)
    return Problem(f"{number}: {kinds} kinds, {shape[0]}x{shape[1]}, {name}", prior, unknown)


def matern(draws: Draws, shape: tuple[int, int]) -> Tensor:
    """A Matern field's correlation, of smoothness .5 to 2 and 4 to 30 cells; every other one is longer one way."""
    smoothness, along = draws.uniform(0.5, 2.0), draws.log_uniform(4, 30)
    across = draws.log_uniform(4, 30) if draws.whole(0, 1) else along
    angle = draws.uniform(0, math.pi)
    down, right = (2 * math.pi * axis for axis in frequencies(*shape))
    u, v = down * math.cos(angle) + right * math.sin(angle), right * math.cos(angle) - down * math.sin(angle)
    return correlation((2 * smoothness + (along * u) ** 2 + (across * v) ** 2) ** (-smoothness - 1), grain=0.01)


def drawn_mask(draws: Draws, shape: tuple[int, int]) -> tuple[str, Tensor]:
    """What is kept, in a word, and where the picture is unknown."""
    kind, known = draws.whole(0, 3), torch.zeros(shape, dtype=torch.bool)
    if kind == 0:
        (known if draws.whole(0, 1) else known.T)[: min(shape) // 2] = True
        return "half", known if draws.whole(0, 1) else ~known
    if kind == 1:
        rim = round(min(shape) * draws.uniform(1 / 8, 1 / 4))
        known[:] = True
        known[rim:-rim, rim:-rim] = False
        return "ring", ~known
    if kind == 2:
        height, width = (round(side * draws.uniform(1 / 4, 3 / 8)) for side in shape)
        for rows in (slice(0, height), slice(-height, None)):
            known[rows, :width] = known[rows, -width:] = True
        return "corners", ~known
    side = draws.whole(1, 4)
    share = draws.uniform(0.2, 0.5)
    coarse = torch.rand(shape[0] // side + 1, shape[1] // side + 1, generator=draws.generator) < share
    return "scattered", ~coarse.repeat_interleave(side, 0).repeat_interleave(side, 1)[: shape[0], : shape[1]]
