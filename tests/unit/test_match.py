"""Match: where its extra evaluations go, and how much variance is left to the solver's step."""

import pytest
import torch
from model_sampling import Sampling

from latent_repaint.samplers.mathematics.known_noise import Conditional, Here
from latent_repaint.samplers.mathematics.moves import Refine
from latent_repaint.samplers.mathematics.noise_level import NoiseLevel
from latent_repaint.samplers.methods import Match


def descending(steps, top=14.6, bottom=0.03):
    """Levels whose b/a fall by the same factor from step to step, and no noise at the end."""
    sigmas = [top * (bottom / top) ** (i / max(steps - 1, 1)) for i in range(steps)]
    return [NoiseLevel(1.0, sigma) for sigma in [*sigmas, 0.0]]


def extra(levels, inner_steps, cells):
    """How many extra evaluations each level gets."""
    moves = Match(inner_steps=inner_steps).moves(levels, range(len(levels) - 1), cells)
    return {move.level: move.evaluations for move in moves if isinstance(move, Refine)}


@pytest.mark.parametrize("cells", [2, 144, 64 * 64, 10**7])
def test_the_total_is_what_was_announced(cells):
    for steps in (1, 2, 3, 4, 7, 10, 30):
        for inner in (0.1, 0.5, 1.0, 3.7):
            assert sum(extra(descending(steps), inner, cells).values()) == round(inner * steps)


def test_a_large_picture_is_decided_at_more_noise():
    levels = descending(10)

    def noisiest(cells):
        return min(extra(levels, 1.0, cells))

    assert levels[noisiest(64 * 64)].b > 8 > 4.9 > levels[noisiest(144)].b
    assert extra(levels, 1.0, 36) == extra(levels, 1.0, 144)


def test_a_long_step_has_more_than_a_short_one():
    levels = [NoiseLevel(1.0, sigma) for sigma in (2.0, 1.0, 0.9, 0.5, 0.0)]
    assert extra(levels, 2.5, 144) == {0: 5, 1: 1, 2: 4}


def test_a_flow_whose_first_level_has_no_signal():
    levels = [NoiseLevel(1 - s, s) for s in (1.0, 0.75, 0.5, 0.25, 0.0)]
    assert sum(extra(levels, 1.0, 64 * 64).values()) == 4


def gaussian(x, sigma, variance):
    """What is predicted of cells that know nothing of each other, all of one variance: D = J x."""
    return Conditional(variance / (variance + sigma**2) * x, torch.tensor(True))


def matched(known, y, sigma):
    """Match's noise in a picture, its level, and its draws of noise; `known` is a mask, or says it of all."""
    generator = torch.Generator().manual_seed(0)

    def draw():
        return torch.randn(y.shape, generator=generator)

    here = Here(Sampling(), torch.tensor([sigma]), ~torch.as_tensor(known).expand(y.shape), (0.0, 99.0))
    return Match(inner_steps=1.0).noise(y, draw(), draw, has_old_content=False), here, draw


def test_the_step_of_a_solver_keeps_more_of_its_variance():
    sigma, fall = 2.0, 0.5
    noise, here, draw = matched(known=False, y=torch.zeros(1, 1, 1000, 1000), sigma=sigma)
    x = 104**0.5 * draw()
    for _ in range(4):
        noise.show_extra(here, NoiseLevel(1.0, sigma))
        prediction = gaussian(x, sigma, 100.0)
        x = noise.refine(x, here, NoiseLevel(1.0, sigma), NoiseLevel(1.0, sigma * fall), prediction)
    prediction = gaussian(x, sigma, 100.0)
    plain, given = prediction.denoised, noise.correct(prediction.denoised, prediction)

    def missing(denoised):
        """Of what the step should leave, after one of Euler to sigma' = sigma / 2, were x.var() 100 + sigma^2."""
        after = denoised + fall * (x - denoised)
        return 100 + (sigma * fall) ** 2 - after.var() * 104 / x.var()

    torch.testing.assert_close(missing(plain).item(), 0.5**2 * 4 * 100 / 104, atol=0.05, rtol=0)
    assert 0 < missing(given) < 0.5 * missing(plain)
    assert noise.correct(plain, prediction) is plain  # once: the next evaluation is left alone


def test_the_solver_goes_on_from_what_is_known():
    """A model that predicts nothing: beside the edge, the solver is given what a smooth picture has there."""
    known = torch.zeros(1, 1, 32, 32, dtype=torch.bool)
    known[..., :16] = True
    y = torch.cos(torch.arange(32) * torch.pi / 16).expand(1, 1, 32, 32)
    noise, here, draw = matched(known, y, sigma=10.0)
    prediction = gaussian(draw(), 10.0, 1e-6)
    denoised = prediction.denoised + noise.extension(here, prediction)
    assert (denoised - y)[..., [16, 31]].abs().max() < 0.5 * y[..., [16, 31]].abs().min()


@pytest.mark.parametrize(
    ("sigma", "sampled", "distilled"),
    [(0.9, True, False), (1.1, True, True), (6.9, True, True), (7.1, True, False), (2.0, False, False)],
)
def test_a_model_that_answers_with_samples_is_told_from_1_to_7_times_as_much_noise_as_signal(sigma, sampled, distilled):
    """Of the power of y, and correlated with it by .6. A mean has less power than y."""
    y = torch.randn(1, 1, 64, 64, generator=torch.Generator().manual_seed(1))
    noise, here, draw = matched(True, y, sigma)
    level = NoiseLevel(1.0, sigma)
    for _ in range(2):
        noise.show_extra(here, level)
        denoised = 0.6 * y + 0.8 * draw() if sampled else 0.9 * y
        noise.refine(y, here, level, level, Conditional(denoised, torch.tensor(True)))
    assert noise.spares_extra == distilled
