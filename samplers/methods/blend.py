"""Blend: keep the known part of a latent at the noise level of the rest."""

from collections.abc import Sequence
from dataclasses import dataclass

from ..known_region import Method
from ..moves import Descend, Move
from ..noise_level import NoiseLevel


@dataclass(frozen=True, kw_only=True)
class Blend(Method):
    """One walk down the schedule."""

    known_noise: str = "predicted"

    def moves(self, levels: Sequence[NoiseLevel], window: range, cells: int) -> list[Move]:
        return [Descend(0, len(levels) - 1)]
