"""What all methods promise (design: behaviour all methods share), in the real host."""

import comfy.model_management as management
import pytest
import torch
from comfy_extras.nodes_differential_diffusion import DifferentialDiffusion
from sampling import (
    METHODS,
    ONE_OF_EACH,
    TOLERANCE,
    announced,
    cfg_guider,
    combined,
    kept_error,
    one_by_one,
    one_of_each,
    passes,
)

from comfyui_host.tiny import ksampler, sample, sigmas

SOLVERS = "euler euler_ancestral dpmpp_2m dpmpp_2m_sde uni_pc ddim heun lcm sa_solver euler_cfg_pp".split()
STOCHASTIC = ["euler_ancestral", "dpmpp_2m_sde", "dpmpp_sde", "lcm", "ddpm"]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("solver", SOLVERS)
def test_known_region_is_kept_and_evaluations_are_as_announced(any_model, latent, mask, masked, solver, method):
    """cfg 1 makes one pass of one evaluation."""
    model, counted = passes(any_model)
    sampler, schedule = combined(solver, method), sigmas(any_model, 5)
    before = [x.clone() for x in (schedule, latent, mask)]
    cfg = 3.0 if solver == "euler_cfg_pp" else 1.0  # its hook needs the unconditional pass, batched with the other
    result = sample(model, sampler, schedule, masked, cfg=cfg)
    assert all(map(torch.equal, before, (schedule, latent, mask)))  # uni_pc writes into the sigmas it is given
    assert result.samples.isfinite().all()
    assert kept_error(result.samples, latent, mask) <= TOLERANCE
    assert kept_error(result.denoised, latent, mask) <= TOLERANCE
    assert ((result.samples - latent) * mask).abs().max() > 0.1
    assert len(counted) == announced(any_model, sampler, schedule)


@one_of_each
@pytest.mark.parametrize("solver", SOLVERS)
def test_known_region_through_split_sigmas(any_model, latent, mask, masked, solver, method):
    """The first stage leaves it noised to its last sigma from the clean latent, the second gives back the clean one."""
    schedule = sigmas(any_model, 8)
    first = sample(any_model, combined(solver, method), schedule[:5], masked, seed=3, cfg=2.0)
    sampling = any_model.get_model_object("model_sampling")
    ones, zeros = torch.ones(1), torch.zeros(1)
    a, b = sampling.noise_scaling(schedule[4:5], zeros, ones), sampling.noise_scaling(schedule[4:5], ones, zeros)
    scale = any_model.model.latent_format.scale_factor
    kept = (mask == 0).expand_as(latent)
    # inverse_noise_scaling has divided by a
    noise = ((first.samples - latent) * scale)[kept] * a / b
    assert noise.std().item() == pytest.approx(1.0, abs=0.05)
    second = sample(any_model, combined(solver, method, latent), schedule[4:], first.output, seed=None, cfg=2.0)
    assert kept_error(second.samples, latent, mask) <= TOLERANCE


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("solver", ["euler", "dpmpp_2m", "ddim", *STOCHASTIC])
def test_an_image_of_a_batch_is_the_image_alone(eps_model, mask, solver, method):
    """Bit for bit, with a network that is run image by image: over a batch its sums would round differently."""
    latent = torch.randn(3, 4, 16, 16, generator=torch.Generator().manual_seed(1))
    model = one_by_one(eps_model)
    schedule, sampler = sigmas(model, 4), combined(solver, method)
    masked = {"samples": latent, "noise_mask": mask, "batch_index": [0, 1, 2]}
    together = sample(model, sampler, schedule, masked, seed=5).samples
    again = sample(model, sampler, schedule, masked, seed=5).samples
    assert torch.equal(together, again)
    third = {"samples": latent[2:], "noise_mask": mask, "batch_index": [2]}
    alone = sample(model, sampler, schedule, third, seed=5).samples
    assert torch.equal(alone, together[2:])


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("solver", ["euler", "euler_ancestral", "dpmpp_2m_sde", "uni_pc"])
def test_a_full_mask_is_the_plain_sampler_bit_for_bit(any_model, solver, method):
    latent = torch.randn(2, 4, 16, 16, generator=torch.Generator().manual_seed(1))
    schedule, full = sigmas(any_model, 4), torch.ones(1, 1, 16, 16)
    plain = sample(any_model, ksampler(solver), schedule, {"samples": latent})
    for masked in ({"samples": latent, "noise_mask": full}, {"samples": latent}):
        assert torch.equal(sample(any_model, combined(solver, method), schedule, masked).samples, plain.samples)


@pytest.mark.parametrize("method", METHODS)
def test_an_empty_mask_costs_nothing_and_changes_nothing(any_model, latent, method):
    model, counted = passes(any_model)
    nothing = {"samples": latent, "noise_mask": torch.zeros(1, 1, 16, 16)}
    result = sample(model, combined("euler", method), sigmas(any_model, 4), nothing)
    assert counted == []
    # the host's own scaling of the latent, in and out, is all that happens to it
    assert torch.equal(result.samples, any_model.model.process_latent_out(any_model.model.process_latent_in(latent)))


@pytest.mark.parametrize("solver", ["euler", "dpmpp_2m", "euler_ancestral", "dpmpp_2m_sde", "ddim", "heun"])
def test_fixed_noise_is_what_the_host_does(any_model, masked, solver):
    schedule = sigmas(any_model, 6)
    ours = sample(any_model, combined(solver, "fixed"), schedule, masked, cfg=3.0)
    theirs = sample(any_model, ksampler(solver), schedule, masked, cfg=3.0)
    assert (ours.samples - theirs.samples).abs().max() <= TOLERANCE


def test_a_soft_mask_keeps_what_is_black(any_model, latent):
    mask = torch.linspace(0, 1, 16).expand(1, 1, 16, 16).contiguous()
    schedule, masked = sigmas(any_model, 6), {"samples": latent, "noise_mask": mask}
    for method in ONE_OF_EACH:
        result = sample(any_model, combined("euler_ancestral", method), schedule, masked)
        assert result.samples.isfinite().all() and kept_error(result.samples, latent, (mask > 0).float()) <= TOLERANCE


@pytest.mark.parametrize("method", ["fixed", "repaint", "match"])
def test_differential_diffusion_decides_where_it_is_applied(eps_model, latent, method):
    mask = torch.linspace(0, 1, 16).expand(1, 1, 16, 16).contiguous()
    model = DifferentialDiffusion.execute(eps_model)[0]
    masked, schedule = {"samples": latent, "noise_mask": mask}, sigmas(eps_model, 6)
    ours, own = (sample(m, combined("euler", method), schedule, masked).samples for m in (model, eps_model))
    torch.testing.assert_close(ours, own)


@pytest.mark.parametrize("solver", ["euler", "heun", "dpmpp_sde", "uni_pc", "sa_solver", "euler_cfg_pp", "lms"])
@one_of_each
def test_progress_counts_the_steps_of_the_walk(eps_model, latent, mask, solver, method):
    """As many as Euler's, whose every step is one evaluation, however often a solver asks within one of its own."""
    seen, previews = [], []

    def callback(step, denoised, x, total):
        seen.append((step, total))
        previews.append(denoised)

    schedule, scale = sigmas(eps_model, 5), eps_model.model.latent_format.scale_factor
    with torch.inference_mode():
        cfg_guider(eps_model, cfg=2.0).sample(
            torch.randn_like(latent), latent, combined(solver, method), schedule, mask, disable_pbar=True, seed=1,
            callback=callback,
        )  # fmt: skip
    total = announced(eps_model, combined("euler", method), schedule)
    assert seen == [(k, total) for k in range(total)]
    assert all(kept_error(preview / scale, latent, mask) <= TOLERANCE for preview in previews)


@one_of_each
def test_the_progress_bar_may_cancel(eps_model, latent, mask, method):
    """The server looks whether the run was cancelled when it is told of a step; that is no error of the solver."""

    def cancel(step, denoised, x, total):
        raise management.InterruptProcessingException

    with torch.inference_mode(), pytest.raises(management.InterruptProcessingException):
        cfg_guider(eps_model).sample(
            torch.randn_like(latent), latent, combined("euler", method), sigmas(eps_model, 4), mask, callback=cancel,
            disable_pbar=True, seed=1,
        )  # fmt: skip
