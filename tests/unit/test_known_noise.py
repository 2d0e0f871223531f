"""The noise that the model predicts in the known part, on a denoiser whose every cell is a mode of its own."""

import pytest
import torch

from latent_repaint.samplers.known_region import AtLevel, Conditional, KnownRegion
from latent_repaint.samplers.kriging import plausible
from latent_repaint.samplers.noise_level import NoiseLevel

VARIANCES = torch.tensor([1.0, 0.1, 0.01, 0.001]).view(1, 4, 1, 1)
ALWAYS = torch.tensor(True)


def denoise(x, sigma, guidance=1.0):
    """E[x_0 | x] of cells of these variances: the smaller one is, the less the prediction follows what it is shown.

    With guidance it follows that much more.
    """
    return guidance * VARIANCES / (VARIANCES + sigma**2) * x


class Guided:
    """A guider that makes no difference between the guided and the conditional prediction."""

    def __init__(self, guidance=1.0, asked=None):
        self.guidance, self.asked = guidance, asked

    def predict(self, x, sigma, model_options, seed, placed):
        denoised = denoise(x, sigma, self.guidance)
        return denoised, Conditional(denoised, self.asked)

    def report(self, denoised, x):
        pass


def region(in_window=ALWAYS, cells=1, **guided):
    shape = (1, 4, 1, cells)
    at = AtLevel(
        level=lambda sigma: NoiseLevel(torch.ones(()), sigma[0]),
        free=lambda sigma: torch.zeros(shape, dtype=torch.bool),
        noised=lambda x, sigma, noise: VARIANCES.sqrt().expand(shape) + sigma * noise,
        in_window=lambda sigma: in_window,
        full_noise=None,
    )
    y, none = VARIANCES.sqrt().expand(shape), torch.zeros(shape)
    return KnownRegion(Guided(**guided), at, y, none, lambda: none, "predicted")


def residual(known, sigma):
    """How far the prediction is from y, in deviations of each mode."""
    return ((known.y - denoise(known.y + sigma * known.noise, sigma)) / VARIANCES.sqrt()).flatten().abs()


def test_twenty_steps_bring_what_is_seen_to_agreement():
    known = region()
    for sigma in torch.logspace(1, -0.5, 20):
        known(torch.zeros(1, 4, 1, 1), sigma.view(1))
    left = residual(known, 10**-0.5)
    assert left[0] < 0.02
    assert left[1] < 0.2


@pytest.mark.parametrize("guidance", [1.0, 3.5, 8.0])
def test_no_model_can_make_a_mode_much_louder_than_noise(guidance):
    """J is up to 8 here: without a bound, each of twenty evaluations at one level would multiply the noise by 7."""
    known = region(guidance=guidance, cells=1000)
    for _ in range(20):
        known(torch.zeros_like(known.y), torch.tensor([0.5]))
    modes = torch.fft.rfftn(known.noise, dim=(2, 3)).abs() / 1000**0.5
    assert modes.max() <= 1.1


def test_where_no_prompt_covers_a_cell_nothing_is_learnt():
    asked = torch.tensor([True, False, True, False]).view(1, 4, 1, 1)
    known = region(asked=asked)
    known(torch.zeros(1, 4, 1, 1), torch.tensor([2.0]))
    assert known.noise[asked].all() and not known.noise[~asked].any()


def test_outside_of_the_window_nothing_gathers():
    known = region(in_window=torch.tensor(False))
    for sigma in (4.0, 2.0):
        known(torch.zeros(1, 4, 1, 1), torch.tensor([sigma]))
    assert not known.noise.any()


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
