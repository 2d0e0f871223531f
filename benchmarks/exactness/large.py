"""Problems of the size of real latents, in closed form: 64x64 and 128x128 cells."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from .problems import Problem
from .stationary import StationaryMixture


def _frequencies(size: int) -> tuple[Tensor, Tensor]:
    """Cycles a cell of every mode, down and across, each (size, size)."""
    frequency = torch.fft.fftfreq(size, dtype=torch.float64)
    row, column = torch.meshgrid(frequency, frequency, indexing="ij")
    return row, column


def _correlation(spectrum: Tensor, grain: float) -> Tensor:
    """The correlation that belongs to a spectrum, of variance 1, of which the share `grain` is white."""
    correlation = torch.fft.ifft2(spectrum).real
    correlation = (1 - grain) * correlation / correlation[0, 0]
    correlation[0, 0] += grain
    return correlation


def _clouds(size: int, largest: float) -> Tensor:
    """A field whose spectrum falls with the cube of the frequency, up to shapes of `largest` cells."""
    row, column = _frequencies(size)
    return _correlation((row**2 + column**2 + largest**-2) ** -1.5, grain=0.01)


def _texture(size: int, angle: float, period: float) -> Tensor:
    """Waves of one direction and period, whose phases hold over a tenth of the picture."""
    row, column = _frequencies(size)
    down, across = math.sin(angle) / period, math.cos(angle) / period
    reach = 2 * math.pi * size / 10
    waves = [torch.exp(-((row - s * down) ** 2 + (column - s * across) ** 2) * reach**2 / 2) for s in (1, -1)]
    return _correlation(waves[0] + waves[1] + 1e-9, grain=0.03)


def right_half(size: int) -> Tensor:
    unknown = torch.zeros(size, size, dtype=torch.bool)
    unknown[:, size // 2 :] = True
    return unknown


def middle(size: int) -> Tensor:
    """A square of a quarter of the area."""
    unknown = torch.zeros(size, size, dtype=torch.bool)
    unknown[size // 4 : -size // 4, size // 4 : -size // 4] = True
    return unknown


def clouds(size: int, largest: float, unknown: Tensor) -> Problem:
    """One Gaussian field; what is large in it was decided at much noise."""
    prior = StationaryMixture(torch.ones(1), torch.zeros(1), _clouds(size, largest)[None])
    return Problem(f"clouds of {largest:g} cells, {size}x{size}", prior, unknown, is_picture=True)


def four_kinds(size: int, unknown: Tensor) -> Problem:
    """Four textures over clouds, each of its own brightness."""
    periods = (6.0, 10.0, 8.0, 14.0)
    textures = torch.stack([_texture(size, j * math.pi / 4, period) for j, period in enumerate(periods)])
    brightness = torch.tensor([-0.75, 0.45, -0.15, 0.45])
    prior = StationaryMixture(torch.full((4,), 0.25), brightness, 0.5 * textures + 0.3 * _clouds(size, size / 3))
    return Problem(f"four kinds, {size}x{size}", prior.standardised(), unknown, is_picture=True)


LARGE: dict[str, Callable[[], Problem]] = {
    "clouds 64": lambda: clouds(64, 64, right_half(64)),
    "small clouds 64": lambda: clouds(64, 16, middle(64)),
    "kinds 64": lambda: four_kinds(64, right_half(64)),
    "kinds 128": lambda: four_kinds(128, middle(128)),
}
