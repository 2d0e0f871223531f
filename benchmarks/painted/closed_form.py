r"""A model whose every answer is known in closed form, and what the painted part of its pictures must be like.

Pictures are drawn from a Gaussian :math:`N(0, K)` in which neighbours are alike, so that the kept part says much about
the painted one. Then

.. math:: E[x_0 | x] = K (K + \sigma^2)^{-1} x, \qquad
          x_u | y \sim N(K_{uk} K_{kk}^{-1} y,\; K_{uu} - K_{uk} K_{kk}^{-1} K_{ku})

This posterior is the same whatever old content lies below the mask, as long as it is drawn from the same Gaussian: with
`denoise` below 1, and under a soft mask, an exact method hands on pictures of that Gaussian.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..denoiser_model import patcher
from ..masks import half

HEIGHT, WIDTH, LENGTH = 4, 4, 3.0  # cells, and how far they are alike


def model(prediction: str) -> Any:
    """The MODEL, "eps" or "flow"; a latent of C channels holds C pictures that know nothing of each other."""
    values, vectors = torch.linalg.eigh(covariance())

    def denoise(x: Tensor, sigma: Tensor) -> Tensor:
        shrink = values / (values + sigma.double()[:, None] ** 2)
        return (((x.double() @ vectors) * shrink) @ vectors.T).to(x.dtype)

    return patcher(denoise, flow=prediction == "flow")


def covariance() -> Tensor:
    """K, (cells, cells), float64."""
    rows, columns = torch.meshgrid(torch.arange(HEIGHT), torch.arange(WIDTH), indexing="ij")
    places = torch.stack([rows.flatten(), columns.flatten()], 1).double()
    return (-torch.cdist(places, places) / LENGTH).exp()


def painted() -> Tensor:
    """Which cells are painted, (HEIGHT, WIDTH), boolean."""
    return half(HEIGHT, WIDTH)


def mask() -> Tensor:
    """The same as a noise_mask, (1, 1, HEIGHT, WIDTH)."""
    return painted().float()[None, None].clone()


def pictures(count: int, seed: int = 0) -> Tensor:
    """Drawn from the Gaussian, as channels of one latent, (1, count, HEIGHT, WIDTH)."""
    noise = torch.randn(count, HEIGHT * WIDTH, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return (noise @ torch.linalg.cholesky(covariance()).T).float().view(1, count, HEIGHT, WIDTH)


class Moments(NamedTuple):
    """What pictures were found to be like.

    Attributes:
        pull: the painted part's regression on its posterior mean; 1 is right, 0 where the kept part is ignored.
        variance: of the painted part about that, over the posterior's.
        likeness: the correlation of neighbours in the painted part, less the posterior's.
    """

    pull: float
    variance: float
    likeness: float


def conditional_moments(samples: Tensor, given: Tensor) -> Moments:
    """Of the painted part, given the kept one; both (1, count, HEIGHT, WIDTH)."""
    k, u = (~painted()).flatten(), painted().flatten()
    K = covariance()
    gain = K[u][:, k] @ torch.linalg.inv(K[k][:, k])
    found, mean = samples[0].flatten(1).double()[:, u], given[0].flatten(1).double()[:, k] @ gain.T
    pull = ((found * mean).sum() / mean.square().sum()).item()
    return spread(found - pull * mean, K[u][:, u] - gain @ K[k][:, u], pull)


def unconditional_moments(samples: Tensor) -> Moments:
    """Of whole pictures, which nothing pulls."""
    return spread(samples[0].flatten(1).double(), covariance(), 1.0)


def spread(residual: Tensor, wanted: Tensor, pull: float) -> Moments:
    found = residual.T @ residual / len(residual)
    scaled, exact = correlation(found), correlation(wanted)
    others = ~torch.eye(len(exact), dtype=torch.bool)
    near = (exact > 0.5 * exact[others].max()) & others
    return Moments(pull, (found.trace() / wanted.trace()).item(), (scaled - exact)[near].mean().item())


def correlation(matrix: Tensor) -> Tensor:
    scale = matrix.diagonal().clamp(min=1e-12).rsqrt()
    return scale[:, None] * matrix * scale
