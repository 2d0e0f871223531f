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


@pytest.mark.parametrize("sigma", [0.03, 2.0])
def test_denoiser_is_tweedies(problem, sigma):
    """D = x + sigma^2 grad log p_sigma(x)."""
    x = problem.prior.sample(16, generator())
    x = (x + sigma * torch.randn(x.shape, generator=generator())).requires_grad_()
    (score,) = torch.autograd.grad(problem.prior.log_density(x, sigma).sum(), x)
    denoised = problem.prior.denoise(x, torch.full((16,), sigma))
    torch.testing.assert_close(denoised, x + sigma**2 * score, atol=1e-4 * max(1.0, sigma), rtol=1e-4)


def test_posterior_density_is_joint_over_marginal(problem):
    """log p(u | y) - log p(u, y) is the same number for every u."""
    y = problem.given(1)[0]
    unknown = problem.posterior(y).sample(16, generator())
    picture = torch.empty(16, problem.known.numel())
    picture[:, problem.known], picture[:, ~problem.known] = y, unknown
    ratio = problem.posterior(y).log_density(unknown) - problem.prior.log_density(picture)
    torch.testing.assert_close(ratio, ratio[:1].expand(16), atol=2e-2, rtol=1e-3)


def test_exact_samples_are_near_and_the_means_of_the_modes_are_too_smooth(problem):
    judge = metrics.Judge(problem, problem.given(1)[0], size=2000)
    posterior = judge.posterior
    measures = judge.measure(posterior.sample(2000, generator()))
    assert abs(measures["energy"]) < 0.01 and measures["modes"] < 0.05 and measures["sliced"] < 0.1
    assert measures.get("seam", 1.0) == pytest.approx(1.0, abs=0.03)
    modes = torch.multinomial(posterior.weights, 500, replacement=True, generator=generator())
    assert judge.gap(posterior.means[modes].float()) < 0


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
