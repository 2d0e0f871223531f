"""The noise that the model predicts in the known part, on a denoiser whose every cell is a mode of its own."""

import pytest
import torch
from model_sampling import Sampling

from latent_repaint.samplers.mathematics.known_noise import LEAK, Conditional, Here, MatchedNoise, PredictedNoise
from latent_repaint.samplers.mathematics.kriging import plausible

VARIANCES = torch.tensor([1.0, 0.1, 0.01, 0.001]).view(1, 4, 1, 1)
EVERYWHERE = torch.tensor(True)


def denoise(x, sigma, guidance=1.0):
    """E[x_0 | x] of cells of these variances: the smaller one is, the less the prediction follows what it is shown.

    With guidance it follows that much more.
    """
    return guidance * VARIANCES / (VARIANCES + sigma**2) * x


class Known:
    """A predicted noise, and a model that is shown the known part alone."""

    def __init__(self, guidance=1.0, covered=EVERYWHERE, window=(0.0, 99.0), cells=1):
        self.y = VARIANCES.sqrt().expand(1, 4, 1, cells)
        self.guidance, self.covered, self.window = guidance, covered, window
        self.predicted = PredictedNoise(self.y, torch.zeros_like(self.y), lambda: torch.zeros_like(self.y))

    @property
    def noise(self):
        return self.predicted.noise

    def evaluate(self, sigma):
        nowhere = torch.zeros(self.y.shape, dtype=torch.bool)
        here = Here(Sampling(), torch.tensor([float(sigma)]), nowhere, self.window)
        shown = self.y + sigma * self.predicted.show(here)
        self.predicted.learn(here, Conditional(denoise(shown, sigma, self.guidance), self.covered))


def residual(known, sigma):
    """How far the prediction is from y, in deviations of each mode."""
    return ((known.y - denoise(known.y + sigma * known.noise, sigma)) / VARIANCES.sqrt()).flatten().abs()


def test_twenty_steps_bring_what_is_seen_to_agreement():
    known = Known()
    for sigma in torch.logspace(1, -0.5, 20):
        known.evaluate(sigma)
    left = residual(known, 10**-0.5)
    assert left[0] < 0.02
    assert left[1] < 0.2


@pytest.mark.parametrize("guidance", [1.0, 3.5, 8.0])
def test_no_model_can_make_a_mode_much_louder_than_noise(guidance):
    """J is up to 8 here: without a bound, each of twenty evaluations at one level would multiply the noise by 7."""
    known = Known(guidance=guidance, cells=1000)
    for _ in range(20):
        known.evaluate(0.5)
    modes = torch.fft.rfftn(known.noise, dim=(2, 3)).abs() / 1000**0.5
    assert modes.max() <= 1.1


def test_where_no_prompt_covers_a_cell_nothing_is_learnt():
    covered = torch.tensor([True, False, True, False]).view(1, 4, 1, 1)
    known = Known(covered=covered)
    known.evaluate(2.0)
    assert known.noise[covered].all() and not known.noise[~covered].any()


def test_noise_gathers_in_the_window_alone():
    known = Known(window=(0.0, 1.0))
    for sigma in (4.0, 2.0):
        known.evaluate(sigma)
    assert not known.noise.any()
    for sigma in (2.0, 4.0):  # its ends belong to it
        known = Known(window=(2.0, 4.0))
        known.evaluate(sigma)
        assert known.noise.any()


def test_quiet_noise_is_left_alone_and_a_loud_mode_is_turned_down():
    known = torch.ones(2, 1, 16, 16, dtype=torch.bool)
    known[..., 8:] = False
    wave = torch.cos(torch.arange(16) * torch.pi / 4).view(1, 1, 16, 1) * known  # two modes, of 64 in all
    quiet, loud = 0.05 * wave, 3.0 * wave
    torch.testing.assert_close(plausible(quiet, known, 1.0) * known, quiet)
    kept = plausible(loud, known, 1.0) * known
    assert kept.square().sum() < 0.05 * loud.square().sum()
    assert plausible(torch.randn(2, 1, 16, 16), known, 100.0).isfinite().all()
    assert not plausible(loud, torch.zeros_like(known), 1.0).any()  # nothing is known


def test_where_nothing_is_to_be_learnt_the_leak_keeps_what_it_does_not_replace():
    """e <- sqrt(1 - r^2) e + r xi: from silence its variance is 1 - (1 - r^2)^n after n evaluations."""
    y, seeded = torch.zeros(1, 4, 128, 128), torch.Generator().manual_seed(1)
    matched = MatchedNoise(y, y.clone(), lambda: torch.randn(y.shape, generator=seeded))
    here = Here(Sampling(), torch.tensor([1.0]), torch.zeros(y.shape, dtype=torch.bool), (0.0, 99.0))
    for n in (1, 2):
        matched.learn(here, Conditional(y, EVERYWHERE))
        assert matched.noise.var().item() == pytest.approx(1 - (1 - LEAK**2) ** n, rel=0.03)
