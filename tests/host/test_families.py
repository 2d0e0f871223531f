"""Every model family with every method, solver and scheduler: is each promise kept? Every 53rd cell."""

import dataclasses
import functools
import itertools
import math
from itertools import pairwise

import comfy.sample
import comfy.samplers
import pytest
import torch
from sampling import TOLERANCE

from benchmarks.painted.judge import METHODS, SCHEDULERS, SOLVERS
from comfyui_host.families import FAMILIES
from comfyui_host.passes import counted
from comfyui_host.tiny import ksampler, sigmas
from latent_repaint.samplers.host import combine
from latent_repaint.samplers.mathematics.noise_level import noise_levels
from latent_repaint.samplers.solvers import CHOOSES_ITS_STEPS, NOT_FOR_FLOW

STRIDE = 53  # a prime that divides no side of the matrix, so that every name comes up again and again
FEW = list(itertools.product(FAMILIES, METHODS, SOLVERS, SCHEDULERS))[::STRIDE]


@functools.cache
def family(name):
    return FAMILIES[name]()


def test_the_few_cells_meet_every_family_with_every_method_and_name_every_solver_and_scheduler():
    assert {cell[:2] for cell in FEW} == set(itertools.product(FAMILIES, METHODS))
    assert {cell[2] for cell in FEW} == set(SOLVERS)
    assert {cell[3] for cell in FEW} == set(SCHEDULERS)


@pytest.mark.parametrize(("name", "method", "solver", "scheduler"), FEW)
@torch.inference_mode()
def test_every_promise_is_kept_or_the_solver_is_refused_before_the_first_pass(name, method, solver, scheduler):
    tiny, reports = family(name), []
    model, latent, mask, (positive, negative) = tiny.model, tiny.latent(), tiny.mask(), tiny.prompts()
    is_flow = noise_levels(model.get_model_object("model_sampling"), torch.tensor([0.5]))[0].a < 1
    refused = solver in CHOOSES_ITS_STEPS or (is_flow and f"sample_{solver}" in NOT_FOR_FLOW)
    schedule = comfy.samplers.KSampler(model, 4, "cpu", solver, scheduler).sigmas
    cfg = 3.0 if "cfg_pp" in solver else 1.0  # these need the unconditional prediction, batched with the other

    def sample():
        return comfy.sample.sample_custom(
            model, comfy.sample.prepare_noise(latent, 3), cfg, combine(ksampler(solver), METHODS[method], "node"),
            schedule, positive, negative, latent, noise_mask=mask, seed=3, disable_pbar=True,
            callback=lambda done, denoised, x, total: reports.append((done, total)),
        )  # fmt: skip

    with counted(model) as passes:
        if refused:
            with pytest.raises(ValueError, match=f"found {solver}"):
                sample()
            assert not passes
            return
        samples = sample()
    assert samples.isfinite().all()
    change = (samples - latent).abs()
    assert (change * (1 - mask)).max() <= TOLERANCE
    assert (change * mask).max() > 0.01
    # every step once, in order, up to the last; extra evaluations that Match leaves out are passed over
    places, totals = zip(*reports, strict=True)
    assert set(totals) == {places[-1] + 1} and all(a < b for a, b in pairwise(places))
    assert len(passes) >= len(places)


def jump_error(model_sampling, start, stop, count=200_000, seed=0):
    """How far the jump of x_s, drawn by the host's own noising, is from the host's noising at the level jumped to.

    Returns the largest deviation of mean, variance, and covariance with x_0, in standard errors of `count` draws,
    x_0 ~ N(1.5, 1). Two exact samples of one law give about 1, and 5 not once in a million.
    """
    generator = torch.Generator().manual_seed(seed)

    def unit():
        return torch.randn(count, 1, 1, 1, generator=generator, dtype=torch.float64)

    def noised(sigma, x_0):
        return model_sampling.noise_scaling(torch.tensor([sigma], dtype=torch.float64), unit(), x_0)

    low, high = noise_levels(model_sampling, torch.tensor([start, stop]))
    x_0 = unit() + 1.5
    jumped = low.diffuse(noised(start, x_0), high, unit())
    direct = noised(stop, x_0)
    # paired by x_0, so that the differences have no variance of its own
    signal, centred = x_0 - x_0.mean(), (jumped - jumped.mean(), direct - direct.mean())
    differences = (jumped - direct, centred[0] ** 2 - centred[1] ** 2, signal * (centred[0] - centred[1]))
    return max(abs(d.mean().item()) / max(d.std().item(), 1e-9) * math.sqrt(count) for d in differences)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_jump_has_the_law_of_the_hosts_own_noising(name):
    model = family(name).model
    sampling, schedule = model.get_model_object("model_sampling"), sigmas(model, 6).tolist()
    assert jump_error(sampling, schedule[4], schedule[1]) < 5
    assert jump_error(sampling, schedule[2], schedule[0], seed=1) < 5


def test_a_wrong_jump_is_noticed():
    """Three per cent too much noise is."""

    @dataclasses.dataclass
    class Louder:
        sampling: object

        def noise_scaling(self, sigma, noise, latent_image, max_denoise=False):
            exact = self.sampling.noise_scaling(sigma, noise, latent_image)
            told = noise.ndim == 1  # asked for its coefficients
            return exact if told else exact + 0.03 * sigma * noise

    model = family("eps").model
    schedule = sigmas(model, 6).tolist()
    assert jump_error(Louder(model.get_model_object("model_sampling")), schedule[4], schedule[1]) > 5
