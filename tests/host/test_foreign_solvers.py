"""Solvers and wrappers as other packs write them (`foreign.py`), under every method."""

import comfy.samplers
import pytest
import torch
from foreign import (
    LOOKS,
    METHODS,
    detailed,
    euler,
    euler_that,
    every_method,
    of_another_size,
    of_two_steps,
    own_noise,
    passed_on,
    run,
    seeded,
)
from sampling import TOLERANCE, kept_error, wrapped

from comfyui_host.passes import counted
from comfyui_host.tiny import ksampler, sigmas


@every_method
@pytest.mark.parametrize("look", LOOKS)
def test_a_solver_may_look_behind_the_denoiser(eps_model, latent, mask, look, method):
    """It gets what the host would give it: the result is Euler's."""
    schedule = sigmas(eps_model, 5)
    found = run(eps_model, method(euler_that(LOOKS[look], look)), schedule, latent, mask, cfg=2.0)
    plain = run(eps_model, method(ksampler("euler")), schedule, latent, mask, cfg=2.0)
    torch.testing.assert_close(found.samples, plain.samples)
    assert kept_error(found.samples, latent, mask) <= TOLERANCE
    assert found.reported == plain.reported == list(range(found.announced)) and len(found.passes) == found.announced


@every_method
def test_a_solver_that_reports_nothing_shows_no_step_of_its_own(eps_model, latent, mask, method):
    found = run(eps_model, method(seeded([])), sigmas(eps_model, 4), latent, mask)
    assert len(found.reported) == (4 if method is METHODS["match"] else 0)  # extra evaluations are ours to report


@every_method
def test_a_solvers_own_noise_is_its_own(eps_model, latent, mask, method):
    """Other packs let their users choose the kind of noise. The seed moves on from piece to piece."""
    drawn: list = []
    schedule = sigmas(eps_model, 4)
    ours = run(eps_model, method(own_noise(drawn)), schedule, latent, mask)
    assert drawn.count((1, 4, 16, 16)) >= 3
    assert kept_error(ours.samples, latent, mask) <= TOLERANCE
    full = torch.ones_like(mask)
    plain = run(eps_model, own_noise([]), schedule, latent, None)
    assert torch.equal(run(eps_model, method(own_noise([])), schedule, latent, full).samples, plain.samples)


@every_method
@pytest.mark.parametrize("options", [{}, {"noise_seed": 7}], ids=str)
def test_a_solver_that_begins_its_noise_anew_does_not_repeat_it(eps_model, latent, mask, options, method):
    """RES4LYF seeds each call from the global generator or an option; in pieces it would draw one noise for all."""
    schedule, drawn = sigmas(eps_model, 6), []
    found = run(eps_model, method(seeded(drawn, **options)), schedule, latent, mask)
    assert len(drawn) == len(found.passes) - len(found.reported)  # an extra evaluation draws nothing
    assert len({noise[0, 0, 0, 0].item() for noise in drawn}) == len(drawn)
    again: list = []
    assert torch.equal(run(eps_model, method(seeded(again, **options)), schedule, latent, mask).samples,
                       found.samples)  # fmt: skip


def test_a_solver_of_two_steps_works_whole_and_says_so_in_pieces(eps_model, latent, mask):
    schedule = sigmas(eps_model, 5)
    found = run(eps_model, METHODS["blend"](of_two_steps()), schedule, latent, mask)
    assert kept_error(found.samples, latent, mask) <= TOLERANCE
    with pytest.raises(ValueError, match=r"LatentRepaint_MatchSampler: .*_momentumized.*ZeroDivisionError.*Blend"):
        run(eps_model, METHODS["match"](of_two_steps()), schedule, latent, mask)


@every_method
def test_a_solver_that_asks_about_another_size_is_refused_where_it_asks(eps_model, latent, mask, method):
    refused = pytest.raises(ValueError, match=r"LatentRepaint_\w+: .*sample_smea.*8 x 8.*16 x 16")
    with counted(eps_model) as passes, refused:
        run(eps_model, method(of_another_size()), sigmas(eps_model, 4), latent, mask)
    assert passes == []  # its first question


@every_method
def test_a_solver_that_asks_without_end_is_refused(eps_model, latent, mask, method, monkeypatch):
    monkeypatch.setattr("latent_repaint.samplers.run.MAX_EVALUATIONS", 7)

    def on_and_on(model, x, sigmas, extra_args):
        while True:
            model(x, sigmas[0] * x.new_ones(len(x)), **extra_args)

    with counted(eps_model) as passes, pytest.raises(ValueError, match="LatentRepaint_.*sample_endless.*more than 7"):
        run(eps_model, method(euler_that(on_and_on, "endless")), sigmas(eps_model, 4), latent, mask)
    assert len(passes) == 7


@every_method
def test_a_wrapper_that_fails_is_named(eps_model, latent, mask, method):
    def sample_lying(model, x, sigmas, *, inside, **rest):
        raise KeyError("dishonesty")

    sampler = method(comfy.samplers.KSAMPLER(sample_lying, extra_options={"inside": euler()}))
    with pytest.raises(ValueError, match=r"LatentRepaint_\w+: .*sample_lying.*KeyError.*take euler"):
        run(eps_model, sampler, sigmas(eps_model, 4), latent, mask)


def test_an_error_of_the_model_stays_what_it_is(eps_model, latent, mask):
    """The host frees memory on its own OutOfMemoryError, and must still see it."""

    def exhausted(apply_model, arguments):
        raise torch.OutOfMemoryError("no memory")

    model = wrapped(eps_model, exhausted)
    for method in METHODS.values():
        with pytest.raises(torch.OutOfMemoryError, match="no memory"):
            run(model, method(ksampler("euler")), sigmas(model, 4), latent, mask)


@every_method
def test_a_wrapper_sees_the_whole_schedule(eps_model, latent, mask, method):
    """Whatever the walk: at each level the model is told what the wrapper tells it in the host."""
    schedule, theirs, ours = sigmas(eps_model, 8), [], []
    run(eps_model, detailed(euler(), theirs), schedule, latent, None)
    found = run(eps_model, method(detailed(euler(), ours)), schedule, latent, mask)
    assert kept_error(found.samples, latent, mask) <= TOLERANCE
    assert dict(ours) == dict(theirs) and len(set(ours)) == len(schedule) - 1
    assert found.reported == list(range(found.announced)) and len(found.passes) == found.announced


@every_method
def test_a_wrapper_that_does_nothing_changes_nothing(eps_model, latent, mask, method):
    schedule = sigmas(eps_model, 6)
    plain = run(eps_model, method(ksampler("euler_ancestral")), schedule, latent, mask)

    def transparent(model, x, sigmas, *, inside, **rest):
        return inside.sampler_function(model, x, sigmas, **rest, **inside.extra_options)

    for sampler in (
        passed_on(ksampler("euler_ancestral")),
        comfy.samplers.KSAMPLER(transparent, extra_options={"inside": ksampler("euler_ancestral")}),
    ):
        found = run(eps_model, method(sampler), schedule, latent, mask)
        assert kept_error(found.samples, latent, mask) <= TOLERANCE and found.announced == plain.announced
    assert torch.equal(found.samples, plain.samples)


@every_method
def test_a_wrapper_around_ours_is_refused_with_the_way_round(eps_model, latent, mask, method):
    for wrapper in (passed_on, lambda sampler: detailed(sampler, [])):
        with pytest.raises(ValueError, match=r"LatentRepaint_\w+: .*the other way round"):
            run(eps_model, wrapper(method(euler())), sigmas(eps_model, 4), latent, mask)
