"""Mixtures of periodic stationary fields: as exact as the small problems, at the size of real latents.

On a torus the covariance of a stationary field is diagonal in the Fourier basis, so that a picture of n cells is
denoised in n log n. Its precision is known there too, and a posterior needs only the unknown cells' block of it.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


class StationaryMixture:
    r"""x_0 ~ sum_j w_j N(m_j, C_j) with C_j circulant in both axes, of spectrum l_j = FFT(c_j), c_j the correlation.

        D(x, sigma) = sum_j r_j(x) (m_j + F^-1 (l_j / (l_j + sigma^2)) F (x - m_j)),

    r_j(x) the probability of component j given x, from log N(x; m_j, C_j + sigma^2 I) mode by mode.

    Arguments:
        weights: w, shape (J,), positive, sum 1.
        brightness: m, one number a component, shape (J,).
        correlations: c, covariance of the first cell with all others, shape (J, h, w), w even.

    Raises:
        ValueError: if one of the correlations is none: its spectrum is not positive.
    """

    def __init__(self, weights: Tensor, brightness: Tensor, correlations: Tensor) -> None:
        self.weights, self.brightness, self.correlations = weights.double(), brightness.double(), correlations.double()
        self.shape = tuple(correlations.shape[1:])
        self.cells = self.shape[0] * self.shape[1]
        self.spectra = torch.fft.fft2(self.correlations).real
        if not bool((self.spectra > 0).all()):
            raise ValueError("found a correlation whose spectrum is not positive")
        half = self.shape[1] // 2 + 1  # of a real picture's spectrum one half says all; its inner columns count twice
        self._spectra = self.spectra[:, :, :half].float()
        self._counts = torch.full((half,), 2.0)
        self._counts[[0, -1]] = 1.0
        self._factors: tuple[Tensor, Tensor] | None = None

    def standardised(self) -> StationaryMixture:
        """The same moved and scaled to mean 0 and standard deviation 1."""
        mean = self.weights @ self.brightness
        variance = self.weights @ (self.correlations[:, 0, 0] + (self.brightness - mean) ** 2)
        return StationaryMixture(self.weights, (self.brightness - mean) / variance.sqrt(), self.correlations / variance)

    def denoise(self, x: Tensor, sigma: Tensor | float) -> Tensor:
        """E[x_0 | x_0 + sigma * eps = x]; x has shape (B, h*w), sigma is one number or one per row, all equal."""
        noise = torch.as_tensor(sigma, dtype=torch.float32).reshape(-1)[0] ** 2
        spectrum = torch.fft.rfft2(x.float().view(-1, *self.shape))
        brightness, kept = self.brightness.float(), self._spectra / (self._spectra + noise)
        r = (self._log_likelihoods(spectrum, noise) + self.weights.log().float()).softmax(1)
        out = spectrum * torch.einsum("bj,jvu->bvu", r, kept)
        out[:, 0, 0] += self.cells * (r @ (brightness * (1 - kept[:, 0, 0])))
        return torch.fft.irfft2(out, s=self.shape).flatten(1)

    def _log_likelihoods(self, spectrum: Tensor, noise: Tensor) -> Tensor:
        """log N(x; m_j, C_j + noise * I) but for a constant, (B, J), from the half spectrum of x."""
        power, variance = spectrum.abs().square() / self.cells, self._spectra + noise
        power[:, 0, 0] = 0.0  # the mean's: each component has its own there
        offset = spectrum[:, :1, 0].real / self.cells - self.brightness.float()
        squares = power.flatten(1) @ (self._counts / variance).flatten(1).T
        squares += self.cells * offset.square() / variance[:, 0, 0]
        return -0.5 * (squares + (variance.log() * self._counts).sum((1, 2)))

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """n independent draws, shape (n, h*w)."""
        j = torch.multinomial(self.weights, n, replacement=True, generator=generator)
        noise = torch.randn(n, *self.shape, generator=generator, dtype=torch.float64)
        x = torch.fft.ifft2(torch.fft.fft2(noise) * self.spectra[j].sqrt()).real
        return (x + self.brightness[j, None, None]).flatten(1).float()

    def condition(self, known: Tensor, y: Tensor) -> FieldPosterior:
        """p(x_u | x_k = y): known is a boolean index of shape (h*w,), y has shape (known.sum(),).

        With P = C^-1, the posterior's precision is P_uu and its mean m - P_uu^-1 P_uk (y - m). log p(y) is
        log N(x; m, C) at x_u = that mean, less half of log det P_uu.
        """
        factors = self._cholesky_factors(known)
        means, logs = [], []
        for j, factor in enumerate(factors):
            x = torch.zeros(self.cells, dtype=torch.float64)
            x[known] = y.double() - self.brightness[j]
            x[~known] = -torch.cholesky_solve(self._precision(j, x)[~known][:, None], factor)[:, 0]
            log_determinant = self.spectra[j].log().sum() + 2 * factor.diagonal().log().sum()
            logs.append(self.weights[j].log() - 0.5 * (x @ self._precision(j, x) + log_determinant))
            means.append(x[~known] + self.brightness[j])
        return FieldPosterior(torch.stack(logs).softmax(0), torch.stack(means), factors)

    def _precision(self, j: int, x: Tensor) -> Tensor:
        """C_j^-1 x, both of shape (h*w,)."""
        return torch.fft.ifft2(torch.fft.fft2(x.view(self.shape)) / self.spectra[j]).real.flatten()

    def _cholesky_factors(self, known: Tensor) -> Tensor:
        """L with L L^T = P_uu, one a component, (J, u, u); computed once for one known part."""
        if self._factors is None or not torch.equal(self._factors[0], known):
            (h, w), unknown = self.shape, (~known).nonzero()[:, 0]
            row, column = unknown // w, unknown % w
            rows, columns = (row[:, None] - row) % h, (column[:, None] - column) % w
            kernels = torch.fft.ifft2(1 / self.spectra).real
            self._factors = known, torch.stack([torch.linalg.cholesky(kernel[rows, columns]) for kernel in kernels])
        return self._factors[1]


class FieldPosterior:
    """sum_j w_j N(mu_j, (L_j L_j^T)^-1): what `Judge` asks of a posterior.

    Arguments:
        weights: w, shape (J,).
        means: mu, shape (J, d).
        factors: L, lower triangular, shape (J, d, d).
    """

    def __init__(self, weights: Tensor, means: Tensor, factors: Tensor) -> None:
        self.weights, self.means, self.factors = weights, means, factors

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """n independent draws, shape (n, d)."""
        j = torch.multinomial(self.weights, n, replacement=True, generator=generator)
        noise = torch.randn(n, self.means.shape[1], generator=generator, dtype=torch.float64)
        x = torch.empty_like(noise)
        for k in j.unique():
            x[j == k] = self.means[k] + torch.linalg.solve_triangular(self.factors[k].T, noise[j == k].T, upper=True).T
        return x.float()

    def log_density(self, x: Tensor) -> Tensor:
        """log p(x), shape (B,)."""
        rows = [
            w.log() - 0.5 * ((x.double() - mean) @ factor).square().sum(1) + factor.diagonal().log().sum()
            for w, mean, factor in zip(self.weights.clamp(min=1e-300), self.means, self.factors, strict=True)
        ]
        return torch.stack(rows, 1).logsumexp(1) - 0.5 * self.means.shape[1] * math.log(2 * math.pi)
