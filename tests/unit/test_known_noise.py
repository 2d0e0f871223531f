"""The noise that the model predicts in the known part, on a denoiser whose every cell is a mode of its own."""

import torch

from latent_repaint.samplers.known_region import AtLevel, KnownRegion
from latent_repaint.samplers.noise_level import NoiseLevel

VARIANCES = torch.tensor([1.0, 0.1, 0.01, 0.001]).view(1, 4, 1, 1)
ALWAYS = torch.tensor(True)


def denoise(x, sigma):
    """E[x_0 | x] of cells of these variances: the smaller one is, the less the prediction follows what it is shown."""
    return VARIANCES / (VARIANCES + sigma**2) * x


class Guided:
    """A guider that makes no difference between the guided and the conditional prediction."""

    def predict(self, x, sigma, model_options, seed, placed):
        return denoise(x, sigma), denoise(x, sigma)

    def predict_conditional(self, x, sigma, model_options, seed):
        return denoise(x, sigma), denoise(x, sigma)

    def report(self, denoised, x):
        pass


def region(in_window=ALWAYS):
    shape = (1, 4, 1, 1)
    at = AtLevel(
        level=lambda sigma: NoiseLevel(torch.ones(()), sigma[0]),
        free=lambda sigma: torch.zeros(shape, dtype=torch.bool),
        noised=lambda x, sigma, noise: VARIANCES.sqrt() + sigma * noise,
        in_window=lambda sigma: in_window,
        full_noise=None,
    )
    return KnownRegion(Guided(), at, VARIANCES.sqrt(), torch.zeros(shape), lambda: torch.zeros(shape), "predicted")


def residual(known, sigma):
    """How far the prediction is from y, in deviations of each mode."""
    return ((known.y - denoise(known.y + sigma * known.noise, sigma)) / VARIANCES.sqrt()).flatten().abs()


def test_twenty_steps_bring_a_slow_mode_to_agreement():
    known = region()
    for sigma in torch.logspace(1, -0.5, 20):
        known(torch.zeros(1, 4, 1, 1), sigma.view(1))
    left = residual(known, 10**-0.5)
    assert left[0] < 0.02
    assert left[2] < 0.15  # 0.3 without momentum


def test_a_level_asked_twice_gets_no_momentum():
    known, sigma = region(), torch.tensor([2.0])
    known(torch.zeros(1, 4, 1, 1), sigma)
    first, before = known.noise, residual(known, 2.0)
    known(torch.zeros(1, 4, 1, 1), sigma)
    gain = 2 / 2.0  # gamma = min(2, 1 + sigma^2)
    torch.testing.assert_close(known.noise - first, gain * (before.view(1, 4, 1, 1) * VARIANCES.sqrt()))


def test_a_jump_to_a_noisier_level_ends_it():
    known = region()
    for sigma in (4.0, 2.0, 3.0):
        before, offset = known.noise, known.y - denoise(known.y + sigma * known.noise, sigma)
        known(torch.zeros(1, 4, 1, 1), torch.tensor([sigma]))
    torch.testing.assert_close(known.noise - before, 2 / 3.0 * offset)


def test_outside_of_the_window_nothing_gathers():
    known = region(in_window=torch.tensor(False))
    for sigma in (4.0, 2.0):
        known(torch.zeros(1, 4, 1, 1), torch.tensor([sigma]))
    assert not known.noise.any() and not known.velocity.any()
