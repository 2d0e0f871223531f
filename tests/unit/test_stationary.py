"""Fields on a torus by Fourier against the same mixture with its covariances written out."""

import pytest
import torch

from benchmarks.exactness.fields import draw, four_kinds, middle, right_half
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


def test_draws_of_the_posterior_have_its_variance(both):
    problem, dense = both
    y = problem.given(1)[0]
    x = problem.posterior(y).sample(4000, torch.Generator().manual_seed(3)).double()
    theirs = dense.condition(problem.known, y)
    mean = theirs.weights @ theirs.means
    variance = theirs.weights @ (theirs.covariances.diagonal(dim1=1, dim2=2) + (theirs.means - mean) ** 2)
    torch.testing.assert_close(x.mean(0), mean, atol=0.06, rtol=0)
    torch.testing.assert_close(x.var(0), variance, atol=0.06, rtol=0.1)


@pytest.mark.parametrize("number", range(0, 12, 3))
def test_mixtures_drawn_at_random(number):
    problem = draw(5, number)
    (height, width), kept, kinds = problem.shape, problem.known.float().mean(), len(problem.prior.weights)
    assert 32 <= height <= 64 and 32 <= width <= 64 and 2 <= kinds <= 6 and 0.15 < kept < 0.85
    x = problem.prior.sample(500, torch.Generator().manual_seed(0))
    assert abs(x.mean()) < 0.15 and abs(x.std() - 1) < 0.15
    again, other = draw(5, number), draw(6, number)
    assert torch.equal(again.unknown, problem.unknown) and torch.equal(again.prior.spectra, problem.prior.spectra)
    assert other.prior.spectra.shape != again.prior.spectra.shape or not other.prior.spectra.equal(again.prior.spectra)
