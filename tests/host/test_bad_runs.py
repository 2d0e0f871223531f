"""Runs that go wrong, or nearly: not a number, half precision, no step to walk, the wrong object over a link."""

import comfy.model_management as management
import comfy.samplers
import pytest
import torch
from comfy.k_diffusion import sampling as k_diffusion
from foreign import METHODS, every_method, run
from sampling import kept_error, wrapped

from comfyui_host.tiny import ksampler, sample, sigmas
from latent_repaint.nodes.schedule import Schedule


def broken(model, at: int, value: float = float("nan")):
    """The model, whose network goes wrong from the `at`-th pass on."""
    passes = []

    def wrapper(apply_model, arguments):
        passes.append(1)
        denoised = apply_model(arguments["input"], arguments["timestep"], **arguments["c"])
        return denoised * value if len(passes) > at else denoised

    return wrapped(model, wrapper)


@every_method
@pytest.mark.parametrize("at", [0, 3])
def test_not_a_number_out_of_the_model_is_an_error(eps_model, latent, mask, at, method):
    """The host hands it on, and the picture is black; with a kept part around it that would hardly be seen."""
    with pytest.raises(ValueError, match=r"LatentRepaint_\w+: .*NaN.*model.*precision"):
        run(broken(eps_model, at), method(ksampler("euler")), sigmas(eps_model, 5), latent, mask)


@every_method
@pytest.mark.parametrize("half", [torch.float16, torch.bfloat16])
def test_half_precision_sigmas(any_model, latent, mask, half, method):
    schedule = sigmas(any_model, 12).to(half)
    found = run(any_model, method(ksampler("euler_ancestral")), schedule, latent, mask)
    whole = run(any_model, method(ksampler("euler_ancestral")), schedule.float(), latent, mask)
    assert found.samples.isfinite().all() and kept_error(found.samples, latent, mask) <= 1e-3
    error = (found.samples - whole.samples).norm() / whole.samples.norm()
    assert error < 0.05


@every_method
@pytest.mark.parametrize("sigma", [0.0, 2.5])
def test_a_single_sigma_is_no_step_as_in_the_host(any_model, latent, masked, sigma, method):
    """SplitSigmas at an end: the latent as it comes in, with as much noise as the host adds."""
    if any_model.get_model_object("model_sampling").sigma_max <= 1:
        sigma /= 5
    schedule = torch.tensor([sigma])
    plain = sample(any_model, ksampler("euler"), schedule, masked, seed=4)
    found = sample(any_model, method(ksampler("euler")), schedule, masked, seed=4)
    assert found.evaluations == 0
    torch.testing.assert_close(found.samples, plain.samples, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("solver", "method", "steps"), [
    ("lms", "blend", 100_000), ("lms", "match", 5_000), ("deis", "repaint", 10_000), ("heun", "match", 400),
])  # fmt: skip
def test_schedule_walks_a_solver_only_so_far(eps_model, monkeypatch, solver, method, steps):
    """Of a long run it says the steps, so that no schedule can hold the machine."""
    monkeypatch.setattr("latent_repaint.nodes.schedule.ui.PreviewImage", lambda *args, **kwargs: None)
    asked = 0
    coefficient = k_diffusion.linear_multistep_coeff

    def counted(*args):
        nonlocal asked
        asked += 1
        return coefficient(*args)

    monkeypatch.setattr(k_diffusion, "linear_multistep_coeff", counted)
    found = Schedule.execute(eps_model, METHODS[method](ksampler(solver)), sigmas(eps_model, steps)).args[1]
    walked = {"blend": steps, "match": 2 * steps, "repaint": 2 * steps - 1}[method]
    assert found == (walked + steps - 1 if solver == "heun" else walked)
    assert asked <= 4_000


def test_a_run_is_cancelled_where_a_solver_asks_next(eps_model, latent, mask):
    steps = []

    def slow(model, x, sigmas, extra_args=None, callback=None, disable=None):
        for i in range(len(sigmas) - 1):
            steps.append(i)
            if len(steps) == 3:
                management.interrupt_current_processing()
            x = x + 0 * model(x, sigmas[i] * x.new_ones(len(x)), **extra_args)
        return x

    for method in METHODS.values():
        steps.clear()
        with pytest.raises(management.InterruptProcessingException):
            run(eps_model, method(comfy.samplers.KSAMPLER(slow)), sigmas(eps_model, 50), latent, mask)
        assert len(steps) == 3 and not management.processing_interrupted()
