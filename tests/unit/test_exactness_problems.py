"""The problems of the exactness benchmark are what they claim to be, and its measures read 0 where they should."""

import pytest
import torch

from benchmarks.exactness import metrics
from benchmarks.exactness.problems import PROBLEMS


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(5)


@pytest.fixture(params=PROBLEMS, scope="module")
def problem(request):
    return PROBLEMS[request.param]()


@pytest.mark.parametrize("sigma", [0.03, 0.3, 2.0, 14.6])
def test_denoiser_is_tweedies(problem, sigma):
    """D = x + sigma^2 grad log p_sigma(x)."""
    x = problem.prior.sample(16, generator())
    x = (x + sigma * torch.randn(x.shape, generator=generator())).requires_grad_()
    (score,) = torch.autograd.grad(problem.prior.log_density(x, sigma).sum(), x)
    denoised = problem.prior.denoise(x, torch.full((16,), sigma))
    torch.testing.assert_close(denoised, x + sigma**2 * score, atol=1e-4 * max(1.0, sigma), rtol=1e-4)


def test_density_without_noise_is_the_mixtures(problem):
    prior = problem.prior
    x = prior.sample(8, generator()).double()
    components = torch.distributions.MultivariateNormal(prior.means, prior.covariances)
    mixture = torch.distributions.MixtureSameFamily(torch.distributions.Categorical(prior.weights), components)
    torch.testing.assert_close(prior.log_density(x.float()).double(), mixture.log_prob(x), atol=1e-2, rtol=1e-3)


def test_data_have_mean_0_and_deviation_1(problem):
    prior = problem.prior
    mean = prior.weights @ prior.means
    variance = prior.weights @ (prior.covariances.diagonal(dim1=1, dim2=2) + prior.means**2)
    torch.testing.assert_close(mean, torch.zeros_like(mean), atol=1e-6, rtol=0)
    torch.testing.assert_close(variance, torch.ones_like(variance), atol=1e-6, rtol=0)


def test_posterior_samples_have_its_moments(problem):
    for y in problem.given(2):
        posterior = problem.posterior(y)
        x = posterior.sample(20000, generator()).double()
        mean = posterior.weights @ posterior.means
        centred = posterior.means - mean
        covariance = torch.einsum("j,jab->ab", posterior.weights, posterior.covariances)
        covariance += torch.einsum("j,ja,jb->ab", posterior.weights, centred, centred)
        torch.testing.assert_close(x.mean(0), mean, atol=0.03, rtol=0)
        torch.testing.assert_close(torch.atleast_2d(x.T.cov()), covariance, atol=0.06, rtol=0)


def test_posterior_density_is_joint_over_marginal(problem):
    """log p(u | y) - log p(u, y) is the same number for every u."""
    y = problem.given(1)[0]
    unknown = problem.posterior(y).sample(16, generator())
    picture = torch.empty(16, problem.known.numel())
    picture[:, problem.known], picture[:, ~problem.known] = y, unknown
    ratio = problem.posterior(y).log_density(unknown) - problem.prior.log_density(picture)
    torch.testing.assert_close(ratio, ratio[:1].expand(16), atol=2e-2, rtol=1e-3)


def test_measures_of_exact_samples(problem):
    judge = metrics.Judge(problem, problem.given(1)[0], size=2000)
    measures = judge.measure(judge.posterior.sample(2000, generator()))
    assert abs(measures["energy"]) < 0.01
    assert measures["modes"] < 0.05
    assert measures["sliced"] < 0.1
    assert measures.get("seam", 1.0) == pytest.approx(1.0, abs=0.03)


def test_energy_distance_of_shifted_gaussians():
    """In one dimension it is 2 E|Z_m| - 2 E|Z_0|, Z_m ~ N(m, 2); without bias even for few samples."""
    shift = torch.tensor(1.0, dtype=torch.float64)
    normal = torch.distributions.Normal(0.0, 1.0)
    spread = 2.0**0.5
    folded = spread * (2 / torch.pi) ** 0.5 * torch.exp(-(shift**2) / 4) + shift * (1 - 2 * normal.cdf(-shift / spread))
    expected = (2 * folded - 4 / torch.pi**0.5).item()
    draw = generator()
    few = [
        metrics.energy_distance(torch.randn(20, 1, generator=draw) + 1, torch.randn(20, 1, generator=draw))
        for _ in range(2000)
    ]
    assert sum(few) / len(few) == pytest.approx(expected, abs=0.02)


def test_over_smoothed_samples_have_a_negative_gap(problem):
    judge = metrics.Judge(problem, problem.given(1)[0], size=500)
    posterior = judge.posterior
    j = torch.multinomial(posterior.weights, 500, replacement=True, generator=generator())
    assert judge.measure(posterior.means[j].float())["gap"] < 0
