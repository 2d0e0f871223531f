"""Inpainting problems whose right answer is known: p(unknown | known) in closed form.

Every problem is a mixture of Gaussians, because a mixture stays a mixture under all that inpainting needs: adding
noise, denoising, and conditioning on a known part. All data have mean 0 and standard deviation 1 in every cell.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor


class GaussianMixture:
    r"""x_0 ~ sum_j w_j N(mu_j, S_j), and everything that follows from it when x = x_0 + sigma * eps.

    With S_j = Q_j diag(l_j) Q_j^T the noisy density is log p_sigma(x) = log sum_j w_j N(x; mu_j, S_j + sigma^2 I), and

        D(x, sigma) = E[x_0 | x] = sum_j r_j(x) (mu_j + Q_j diag(l_j / (l_j + sigma^2)) Q_j^T (x - mu_j)),

    r_j(x) being the probability of component j given x. Factorised once in float64, evaluated in float32.

    Arguments:
        weights: w, shape (J,), positive, sum 1.
        means: mu, shape (J, d).
        covariances: S, shape (J, d, d), positive definite.

    Source: Bishop, Pattern Recognition and Machine Learning (2006), equations 2.94-2.98 and 2.113-2.117.
    """

    def __init__(self, weights: Tensor, means: Tensor, covariances: Tensor) -> None:
        self.covariances = covariances.double()
        eigenvalues, axes = torch.linalg.eigh(self.covariances)
        self._roots = axes * eigenvalues.clamp_min(0).sqrt()[:, None, :]  # S_j = R_j R_j^T, for sampling
        self._eigenvalues = eigenvalues.clamp_min(1e-8).float()  # (J, d)
        self._axes = axes.permute(1, 0, 2).flatten(1).float()  # (d, J*d): one product projects on all components
        self.weights, self.means = weights.double(), means.double()
        self._means, self._log_weights = self.means.float(), self.weights.log().float()
        self._centres = torch.einsum("jd,jde->je", self._means, axes.float())  # (J, d): Q_j^T mu_j
        self.dimension = means.shape[1]

    def _components(self, x: Tensor, sigma: Tensor | float) -> tuple[Tensor, Tensor, Tensor]:
        """Projections Q_j^T (x - mu_j), variances, both (B, J, d), and log w_j N(x; mu_j, S_j + sigma^2), (B, J)."""
        noise = torch.as_tensor(sigma, dtype=torch.float32).reshape(-1, 1, 1) ** 2
        z = (x @ self._axes).unflatten(1, self._eigenvalues.shape) - self._centres
        variance = self._eigenvalues + noise
        log_joint = self._log_weights - 0.5 * (
            (z * z / variance).sum(-1) + variance.log().sum(-1) + self.dimension * math.log(2 * math.pi)
        )
        return z, variance, log_joint

    def denoise(self, x: Tensor, sigma: Tensor | float) -> Tensor:
        """E[x_0 | x_0 + sigma * eps = x]; x has shape (B, d), sigma is one number or one per row."""
        z, variance, log_joint = self._components(x, sigma)
        r = log_joint.softmax(1)
        return r @ self._means + (z * (r[..., None] * (self._eigenvalues / variance))).flatten(1) @ self._axes.T

    def log_density(self, x: Tensor, sigma: Tensor | float = 0.0) -> Tensor:
        """log p_sigma(x), shape (B,)."""
        return self._components(x, sigma)[2].logsumexp(1)

    def component(self, x: Tensor) -> Tensor:
        """The most probable component of each row, shape (B,)."""
        return self._components(x, 0.0)[2].argmax(1)

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """n independent draws, shape (n, d)."""
        j = torch.multinomial(self.weights, n, replacement=True, generator=generator)
        noise = torch.randn(n, self.dimension, generator=generator, dtype=torch.float64)
        x = torch.empty_like(noise)
        for k in j.unique():  # one product a component instead of gathering a (n, d, d) tensor
            x[j == k] = self.means[k] + noise[j == k] @ self._roots[k].T
        return x.float()

    def condition(self, known: Tensor, y: Tensor) -> GaussianMixture:
        """p(x_u | x_k = y): known is a boolean index of shape (d,), y has shape (known.sum(),)."""
        y, weights, means, covariances = y.double(), [], [], []
        for w, mu, s in zip(self.weights, self.means, self.covariances, strict=True):
            s_kk, s_uk, s_uu = s[known][:, known], s[~known][:, known], s[~known][:, ~known]
            gain = torch.linalg.solve(s_kk, s_uk, left=False)
            means.append(mu[~known] + gain @ (y - mu[known]))
            covariances.append(s_uu - gain @ s_uk.T)
            weights.append(w.log() + torch.distributions.MultivariateNormal(mu[known], s_kk).log_prob(y))
        return GaussianMixture(torch.stack(weights).softmax(0), torch.stack(means), torch.stack(covariances))

    def standardised(self) -> GaussianMixture:
        """The same mixture moved and scaled cell by cell to mean 0 and standard deviation 1."""
        mean = self.weights @ self.means
        variance = self.covariances.diagonal(dim1=1, dim2=2) + (self.means - mean) ** 2
        scale = (self.weights @ variance).rsqrt()
        return GaussianMixture(
            self.weights, (self.means - mean) * scale, self.covariances * scale[:, None] * scale[None, :]
        )


@dataclass(frozen=True)
class Problem:
    """A prior over pictures of shape (h, w) and a mask of the same shape, True where the picture is unknown."""

    name: str
    prior: GaussianMixture
    unknown: Tensor
    is_picture: bool  # whether neighbouring cells are neighbours, so that a seam means something

    @property
    def shape(self) -> tuple[int, int]:
        return self.unknown.shape[0], self.unknown.shape[1]

    @cached_property
    def known(self) -> Tensor:
        """The known cells as an index of the flattened picture, shape (h*w,)."""
        return ~self.unknown.flatten()

    def given(self, n: int) -> Tensor:
        """The known parts of n pictures drawn from the prior, always the same ones; shape (n, known cells)."""
        return self.prior.sample(n, torch.Generator().manual_seed(20220109))[:, self.known]

    def posterior(self, y: Tensor) -> GaussianMixture:
        return self.prior.condition(self.known, y)


def plane_mixture() -> Problem:
    """Six tilted modes at random places of the plane; the first coordinate is known."""
    generator = torch.Generator().manual_seed(2)
    factors = torch.randn(6, 2, 2, generator=generator) * 0.25
    covariances = factors @ factors.mT + 0.1**2 * torch.eye(2)
    means, weights = torch.randn(6, 2, generator=generator), torch.tensor([0.25, 0.10, 0.20, 0.15, 0.20, 0.10])
    mixture = GaussianMixture(weights, means, covariances).standardised()
    return Problem("2-D mixture", mixture, torch.tensor([[False, True]]), is_picture=False)


def ring_mixture() -> Problem:
    """Six narrow modes on a ring, the first coordinate known: the hard case, kept because it shows a limit.

    The modes that y rules out are so near to it that no prediction of the mean tells them from those it allows.
    """
    angle = torch.arange(6) * (math.pi / 3) + 0.2
    means = 1.4 * torch.stack([angle.cos(), angle.sin()], 1)
    weights = torch.tensor([0.25, 0.10, 0.20, 0.15, 0.20, 0.10])
    mixture = GaussianMixture(weights, means, 0.2**2 * torch.eye(2).expand(6, 2, 2)).standardised()
    return Problem("2-D ring (hard)", mixture, torch.tensor([[False, True]]), is_picture=False)


def weak_mixture() -> Problem:
    """Six correlated components in 16 dimensions, far apart in the 12 unknown ones and overlapping in the 4 known."""
    generator = torch.Generator().manual_seed(16)
    separation = torch.tensor([0.5] * 4 + [1.2] * 12)
    means = torch.randn(6, 16, generator=generator) * separation
    factors = torch.randn(6, 16, 4, generator=generator) * 0.45  # four shared causes tie known and unknown together
    covariances = factors @ factors.mT + 0.05 * torch.eye(16)
    weights = torch.tensor([0.25, 0.20, 0.15, 0.15, 0.15, 0.10])
    unknown = torch.ones(4, 4, dtype=torch.bool)
    unknown[0] = False
    return Problem("16-D mixture", GaussianMixture(weights, means, covariances).standardised(), unknown, False)


def _stationary(correlation: Callable[[Tensor, Tensor], Tensor], size: int = 12) -> Tensor:
    """Covariance (size^2, size^2) of a stationary field whose correlation at the offset (dy, dx) is given."""
    row, column = torch.meshgrid(*[torch.arange(size, dtype=torch.float64)] * 2, indexing="ij")
    row, column = row.flatten(), column.flatten()
    return correlation(row[:, None] - row[None, :], column[:, None] - column[None, :])


def _centre_hole(size: int = 12, hole: int = 6) -> Tensor:
    unknown = torch.zeros(size, size, dtype=torch.bool)
    edge = (size - hole) // 2
    unknown[edge : edge + hole, edge : edge + hole] = True
    return unknown


def random_field() -> Problem:
    """A Matern field of smoothness 3/2 and range 3 cells, 12x12 with a 6x6 hole; the posterior is kriging."""

    def matern(dy: Tensor, dx: Tensor) -> Tensor:
        r = math.sqrt(3.0) * torch.hypot(dy, dx) / 3.0
        return (1 + r) * torch.exp(-r)

    mixture = GaussianMixture(torch.ones(1), torch.zeros(1, 144), _stationary(matern)[None])
    return Problem("random field", mixture, _centre_hole(), is_picture=True)


def textured_fields() -> Problem:
    """Six textures, each a band-limited field of its own orientation, period and brightness; 12x12 with a 6x6 hole."""

    def texture(angle: float, period: float) -> Tensor:
        def correlation(dy: Tensor, dx: Tensor) -> Tensor:
            along = dx * math.cos(angle) + dy * math.sin(angle)
            return torch.exp(-(dx**2 + dy**2) / (2 * 4.0**2)) * torch.cos(2 * math.pi * along / period)

        return 0.8 * _stationary(correlation) + 0.02 * torch.eye(144)

    covariances = torch.stack([texture(j * math.pi / 6, 5.0 if j % 2 else 9.0) for j in range(6)])
    brightness = torch.tensor([-0.75, 0.45, -0.15, 0.75, -0.45, 0.15])
    mixture = GaussianMixture(torch.full((6,), 1 / 6), brightness[:, None].expand(6, 144), covariances)
    return Problem("textured fields", mixture.standardised(), _centre_hole(), is_picture=True)


PROBLEMS: dict[str, Callable[[], Problem]] = {
    "plane": plane_mixture,
    "weak": weak_mixture,
    "field": random_field,
    "textures": textured_fields,
    "ring": ring_mixture,
}
