"""How far a set of samples is from the exact posterior."""

from __future__ import annotations

import torch
from torch import Tensor

from ..seam import seam_energy
from .problems import GaussianMixture, Problem


def _mean_distance(x: Tensor, y: Tensor, chunk: int = 1024) -> float:
    """Mean of |x_i - y_j| over all pairs, by chunks, so that memory stays small."""
    return sum(torch.cdist(part, y).double().sum().item() for part in x.split(chunk)) / (len(x) * len(y))


def self_distance(x: Tensor) -> float:
    """Mean of |x_i - x_j| over the pairs i != j."""
    return _mean_distance(x, x) * len(x) / (len(x) - 1)


def energy_distance(x: Tensor, reference: Tensor, reference_self: float | None = None) -> float:
    r"""2 E|X - Y| - E|X - X'| - E|Y - Y'|, without bias: 0 on average when both have the same law.

    Arguments:
        x: samples, shape (n, d).
        reference: exact samples, shape (m, d).
        reference_self: `self_distance(reference)` where it is already known.

    Source: Szekely and Rizzo, Energy statistics (2013), equation 2.2; the U-statistic of section 5.
    """
    own = self_distance(reference) if reference_self is None else reference_self
    return 2 * _mean_distance(x, reference) - self_distance(x) - own


def sliced_wasserstein(x: Tensor, reference: Tensor, directions: int = 128) -> float:
    """Mean over random directions of the 1-Wasserstein distance between the projections.

    Source: Bonneel et al., Sliced and Radon Wasserstein barycenters (2015), section 3.
    """
    axes = torch.randn(x.shape[1], directions, generator=torch.Generator().manual_seed(0))
    axes = axes / axes.norm(dim=0)
    levels = (torch.arange(512) + 0.5) / 512  # both sets at the same quantiles, whatever their sizes
    gap = (x @ axes).quantile(levels, dim=0) - (reference @ axes).quantile(levels, dim=0)
    return gap.abs().mean().item()


def mode_total_variation(x: Tensor, posterior: GaussianMixture) -> float:
    """Half the sum of |share of the samples in mode j - exact weight of mode j|: 0 (right) to 1 (wholly wrong)."""
    share = torch.bincount(posterior.component(x), minlength=len(posterior.weights)) / len(x)
    return 0.5 * (share - posterior.weights).abs().sum().item()


def seam(x: Tensor, reference: Tensor, y: Tensor, problem: Problem) -> float:
    """The pack's `seam_energy`, over exact samples: above 1 a visible seam, below 1 smeared."""

    def pictures(unknown_part: Tensor) -> Tensor:
        picture = torch.empty(len(unknown_part), problem.known.numel())
        picture[:, problem.known], picture[:, ~problem.known] = y, unknown_part
        return picture.view(-1, 1, *problem.shape)

    weight = problem.unknown.float()[None, None]
    return seam_energy(pictures(x), pictures(reference), weight) * len(reference) / len(x)


class Judge:
    """All measures of samples against the exact posterior of one y; the reference is drawn once."""

    def __init__(self, problem: Problem, y: Tensor, size: int = 4096, seed: int = 7) -> None:
        self.problem, self.y, self.posterior = problem, y, problem.posterior(y)
        self.reference = self.posterior.sample(size, torch.Generator().manual_seed(seed))
        self.reference_self = self_distance(self.reference)
        self.reference_density = self.posterior.log_density(self.reference).mean().item()

    def gap(self, x: Tensor) -> float:
        """E_exact[log p] - E_samples[log p] in nats: negative means over-smoothed, positive means off the data."""
        return self.reference_density - self.posterior.log_density(x).mean().item()

    def measure(self, x: Tensor) -> dict[str, float]:
        measures = {
            "energy": energy_distance(x, self.reference, self.reference_self),
            "sliced": sliced_wasserstein(x, self.reference),
            "modes": mode_total_variation(x, self.posterior),
            "gap": self.gap(x),
        }
        if self.problem.is_picture:
            measures["seam"] = seam(x, self.reference, self.y, self.problem)
        return measures
