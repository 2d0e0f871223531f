"""Fields on a torus by Fourier against the same mixture with its covariances written out."""

import pytest
import torch

from benchmarks.exactness.fields import four_kinds, middle, right_half
from benchmarks.exactness.problems import GaussianMixture


@pytest.fixture(params=[right_half, middle], ids=["half", "middle"])
def both(request):
    problem = four_kinds(12, request.param(12))
    prior, cells = problem.prior, torch.arange(144)
    row, column = cells // 12, cells % 12
    rows, columns = (row[:, None] - row) % 12, (column[:, None] - column) % 12
    covariances = prior.correlations[:, rows, columns]
    return problem, GaussianMixture(prior.weights, prior.brightness[:, None].expand(-1, 144), covariances)


@pytest.mark.parametrize("sigma", [0.03, 1.0, 14.6])
def test_the_denoiser(both, sigma):
    problem, dense = both
    x = problem.prior.sample(8, torch.Generator().manual_seed(1)) + sigma * torch.randn(8, 144)
    torch.testing.assert_close(problem.prior.denoise(x, sigma), dense.denoise(x, sigma), atol=2e-3, rtol=1e-3)


def test_the_posterior(both):
    problem, dense = both
    for y in problem.given(3):
        ours, theirs = problem.posterior(y), dense.condition(problem.known, y)
        torch.testing.assert_close(ours.weights, theirs.weights, atol=1e-6, rtol=1e-4)
        torch.testing.assert_close(ours.means, theirs.means, atol=1e-5, rtol=1e-4)
        x = theirs.sample(16, torch.Generator().manual_seed(2))
        torch.testing.assert_close(ours.log_density(x).float(), theirs.log_density(x), atol=0.1, rtol=1e-3)
