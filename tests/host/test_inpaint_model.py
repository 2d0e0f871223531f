"""Inpaint Model: the host's own sampling nodes, and what other packs call, inpaint by our method."""

import logging

import comfy.sample
import comfy.samplers
import pytest
import torch
from comfy.patcher_extension import WrappersMP
from sampling import NEGATIVE, POSITIVE, TOLERANCE, combined, drop_in, kept_error, passes

from comfyui_host.tiny import host, ksampler, sample, sigmas, tiny_model
from latent_repaint.nodes.inpaint_model import InpaintModel

METHODS = ("match", "repaint", "blend")
every_method = pytest.mark.parametrize("method", METHODS)


def inpaint(model, method="match", evaluations=2.0, kept=None):
    return InpaintModel.execute(model, method, evaluations, kept).result[0]


@torch.inference_mode()
def hosts_ksampler(model, latent, solver="euler", steps=5, denoise=1.0):
    return host.nodes.KSampler().sample(
        model, 3, steps, 2.0, solver, "normal", POSITIVE, NEGATIVE, latent, denoise=denoise
    )[0]["samples"]


@torch.inference_mode()
def advanced(model, latent, add_noise, start, end, leftover):
    return host.nodes.KSamplerAdvanced().sample(
        model, add_noise, 3, 6, 2.0, "euler", "normal", POSITIVE, NEGATIVE, latent, start, end, leftover
    )[0]


@every_method
@pytest.mark.parametrize("solver", ["euler", "dpmpp_2m_sde", "uni_pc", "ddim"])
@pytest.mark.parametrize("denoise", [1.0, 0.6])
def test_the_hosts_ksampler_is_our_drop_in_bit_for_bit(any_model, masked, method, solver, denoise):
    ours = drop_in(any_model, masked, method=method, sampler_name=solver, denoise=denoise)["samples"]
    assert torch.equal(hosts_ksampler(inpaint(any_model, method), masked, solver, denoise=denoise), ours)


@every_method
def test_advanced_in_two_stages_keeps_the_clean_latent(any_model, latent, mask, masked, method):
    model = inpaint(any_model, method, kept=masked)
    first = advanced(model, masked, "enable", 0, 3, "enable")
    second = advanced(model, first, "disable", 3, 6, "disable")["samples"]
    assert kept_error(second, latent, mask) <= TOLERANCE
    assert ((second - latent) * mask).abs().max() > 0.1


@every_method
def test_without_a_mask_nothing_changes(any_model, latent, method):
    plain = hosts_ksampler(any_model, {"samples": latent})
    assert torch.equal(hosts_ksampler(inpaint(any_model, method), {"samples": latent}), plain)


@pytest.mark.parametrize(("prediction", "solver"), [("eps", "dpm_fast"), ("eps", "dpm_adaptive"), ("flow", "ddpm")])
def test_a_solver_that_is_refused_runs_as_ever_and_the_log_says_so(masked, prediction, solver, caplog):
    """It chooses its own steps, or leaves noise in a flow."""
    model = tiny_model(prediction)
    with caplog.at_level(logging.WARNING):
        samples = hosts_ksampler(inpaint(model), masked, solver)
    assert torch.equal(samples, hosts_ksampler(model, masked, solver))
    assert f"found {solver}" in caplog.text


def test_around_a_sampler_of_ours_it_does_nothing(eps_model, masked):
    schedule = sigmas(eps_model, 5)
    plain = sample(eps_model, combined("euler", "match"), schedule, masked).samples
    assert torch.equal(
        sample(inpaint(eps_model, "repaint"), combined("euler", "match"), schedule, masked).samples, plain
    )


def test_of_two_the_last_one_counts_and_only_once(eps_model, masked):
    model, counted = passes(eps_model)
    twice = inpaint(inpaint(model, "repaint", 4.0), "match", 2.0)
    samples = hosts_ksampler(twice, masked)
    assert len(counted) == 10
    assert torch.equal(samples, hosts_ksampler(inpaint(model, "match", 2.0), masked))
    assert not model.wrappers.get(WrappersMP.SAMPLER_SAMPLE)  # the given model is left alone


def test_other_wrappers_go_around_it_whether_they_come_before_or_after(eps_model, masked):
    seen = []

    def wrapper(name):
        def around(executor, *args, **kwargs):
            seen.append(name)
            return executor(*args, **kwargs)

        return around

    before = eps_model.clone()
    before.add_wrapper_with_key(WrappersMP.SAMPLER_SAMPLE, "before", wrapper("before"))
    model = inpaint(before)
    model.add_wrapper_with_key(WrappersMP.SAMPLER_SAMPLE, "after", wrapper("after"))
    assert torch.equal(hosts_ksampler(model, masked), drop_in(eps_model, masked)["samples"])
    assert seen == ["before", "after"]


@every_method
def test_detailers_direct_calls_inpaint(eps_model, latent, mask, masked, method):
    """Impact's detailers build a guider and call its `sample`; their mask has the latent's size."""
    schedule = sigmas(eps_model, 5)
    noise = comfy.sample.prepare_noise(latent, 3)
    guider = comfy.samplers.CFGGuider(inpaint(eps_model, method))
    guider.set_conds(POSITIVE, NEGATIVE)
    guider.set_cfg(2.0)
    with torch.inference_mode():
        direct = guider.sample(noise, latent, ksampler("euler"), schedule, denoise_mask=mask, seed=3)
    assert torch.equal(direct, drop_in(eps_model, masked, method=method)["samples"])
