"""Every model family with every method, solver and scheduler: is each promise kept? Every 53rd cell."""

import functools
import itertools
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


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize(("start", "stop"), [(4, 1), (2, 0)])
def test_a_jump_has_the_law_of_the_hosts_own_noising(name, start, stop):
    """Of x_0 ~ N(1.5, 1): mean, variance, and covariance with x_0, each to five standard errors."""
    model, generator = family(name).model, torch.Generator().manual_seed(start)
    sampling, schedule = model.get_model_object("model_sampling"), sigmas(model, 6).double()
    low, high = noise_levels(sampling, schedule[[start, stop]])

    def unit():
        return torch.randn(200_000, 1, 1, 1, generator=generator, dtype=torch.float64)

    x_0 = unit() + 1.5
    before, direct = (sampling.noise_scaling(schedule[at, None], unit(), x_0) for at in (start, stop))
    jumped = low.diffuse(before, high, unit())
    scale = direct.std()
    assert (jumped.mean() - direct.mean()).abs() < 0.015 * scale
    assert (jumped.var() / direct.var() - 1).abs() < 0.015
    assert (((x_0 - x_0.mean()) * (jumped - direct)).mean()).abs() < 0.015 * scale
