"""How far pictures are from the exact posterior."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from .stationary import FieldPosterior


class Distance(NamedTuple):
    """Of some pictures to the exact posterior.

    Attributes:
        energy, error: energy distance, and its standard error.
        mean: squared error of the mean, over the posterior's variance.
        gap: in log-density, below 0 where the pictures are too smooth.
        used: model evaluations.
    """

    energy: float
    error: float
    mean: float
    gap: float
    used: int = 0

    def __str__(self) -> str:
        return f"{self.energy:.2f} ± {self.error:.2f} / {self.mean:.3f} / {self.gap:.0f}"


class Judge:
    """The exact posterior of one known part, and samples of it that are drawn once."""

    def __init__(self, posterior: FieldPosterior) -> None:
        self.mean = posterior.weights.float() @ posterior.means.float()
        self.posterior, self.reference = posterior, posterior.sample(1024, torch.Generator().manual_seed(7))
        self.reference_self, _ = self_distances(self.reference)
        self.density = posterior.log_density(self.reference).mean().item()

    def distance(self, x: Tensor) -> Distance:
        r"""Of pictures x, (n, unknown cells). The energy distance 2 E|X - Y| - E|X - X'| - E|Y - Y'| is without bias.

        Source: Szekely and Rizzo, Energy statistics (2013), equation 2.2; the U-statistic of section 5.
        """
        own, each = self_distances(x)
        nearness = 2 * torch.cdist(x, self.reference).mean(1) - 2 * each
        off = (x.mean(0) - self.mean).square() - x.var(0) / len(x)
        return Distance(
            energy=float(nearness.mean() + own) - float(self.reference_self),
            error=float(nearness.std()) / len(x) ** 0.5,
            mean=float(off.sum() / self.reference.var(0).sum()),
            gap=self.density - self.posterior.log_density(x).mean().item(),
        )


def self_distances(x: Tensor) -> tuple[Tensor, Tensor]:
    """The mean of |x_i - x_j| over the pairs i != j, and for each i that over j."""
    each = torch.cdist(x, x).sum(1) / (len(x) - 1)
    return each.mean(), each
