"""Fields on a torus by Fourier against the same mixture with its covariances written out, and the measures on them."""

import pytest
import torch
from torch.distributions import Categorical, MixtureSameFamily, MultivariateNormal

from benchmarks.exactness.distance import Judge
from benchmarks.exactness.fields import four_kinds
from benchmarks.masks import box, half


def seeded(seed):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(params=[half, box], ids=["half", "box"])
def problem(request):
    return four_kinds(12, request.param(12, 12))


def dense(prior, sigma=0.0):
    """The density of a picture of 12x12 cells plus noise."""
    row, column = torch.arange(144) // 12, torch.arange(144) % 12
    covariances = prior.correlations[:, (row[:, None] - row) % 12, (column[:, None] - column) % 12]
    means = prior.brightness[:, None].expand(-1, 144)
    return MixtureSameFamily(
        Categorical(prior.weights), MultivariateNormal(means, covariances + sigma**2 * torch.eye(144))
    )


@pytest.mark.parametrize("sigma", [0.03, 1.0, 14.6])
def test_the_denoiser_is_tweedies(problem, sigma):
    """D = x + sigma^2 grad log p_sigma(x)."""
    x = problem.prior.sample(8, seeded(1)) + sigma * torch.randn(8, 144, generator=seeded(2))
    exact = x.double().requires_grad_()
    (score,) = torch.autograd.grad(dense(problem.prior, sigma).log_prob(exact).sum(), exact)
    denoised = problem.prior.denoise(x, sigma)
    torch.testing.assert_close(denoised.double(), x + sigma**2 * score, atol=2e-3, rtol=1e-3)


def test_the_posteriors_density_is_that_of_the_whole_picture_over_the_marginal(problem):
    """log p(u | y) - log p(u, y) is the same number for every u, and p(u | y) is that of its own draws."""
    for y in problem.given(2):
        posterior = problem.posterior(y)
        unknown = posterior.sample(4000, seeded(3))
        picture = torch.empty(16, 144, dtype=torch.float64)
        picture[:, problem.known], picture[:, ~problem.known] = y.double(), unknown[:16].double()
        ratio = posterior.log_density(unknown[:16]) - dense(problem.prior).log_prob(picture)
        torch.testing.assert_close(ratio, ratio[:1].expand(16), atol=1e-3, rtol=1e-4)
        mean = posterior.weights @ posterior.means
        torch.testing.assert_close(unknown.double().mean(0), mean, atol=0.06, rtol=0)


def test_exact_samples_are_near_the_means_of_the_modes_too_smooth_and_the_prior_far(problem):
    posterior = problem.posterior(problem.given(1)[0])
    judge = Judge(posterior)
    exact = judge.distance(posterior.sample(1000, seeded(4)))
    assert abs(exact.energy) < 3 * exact.error + 0.02 and abs(exact.mean) < 0.02 and abs(exact.gap) < 1
    smooth = posterior.means[torch.multinomial(posterior.weights, 100, replacement=True, generator=seeded(5))]
    assert judge.distance(smooth.float()).gap < -10
    far = judge.distance(problem.prior.sample(100, seeded(6))[:, ~problem.known])
    assert far.energy > 5 * far.error and far.mean > 0.1 and far.gap > 10
