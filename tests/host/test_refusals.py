"""What the samplers refuse, by the node's name and the input's, before the model is evaluated."""

import comfy.samplers
import foreign
import pytest
import torch
from sampling import METHODS, TOLERANCE, combined, kept_error, passes

from comfyui_host.tiny import ksampler, sample, sigmas, tiny_model
from latent_repaint.samplers.host import combine
from latent_repaint.samplers.methods import RePaint


def run(model, latent, mask, schedule, method="predicted"):
    """A direct call, as a detailer makes it."""
    return sample(model, combined("euler", method), schedule, {"samples": latent, "noise_mask": mask})


NAN = float("nan")


@pytest.mark.parametrize(("given", "message"), [
    ({"schedule": [1.0, 2.0, 0.0]}, "sigmas: .*never rise"),
    ({"schedule": [NAN, 0.0]}, "sigmas: .*finite"),
    ({"schedule": [2.0, -1.0]}, "sigmas: .*from 0 up"),
    ({"scale": NAN}, "latent_image: found NaN"),
    ({"share": NAN}, "noise_mask: found NaN"),
    # a schedule for Stable Diffusion, given to a flow model
    ({"schedule": [14.6, 2.0, 0.0], "prediction": "flow"}, "sigmas: found 14.6.*wanted at most 1"),
])  # fmt: skip
def test_bad_input_is_refused_before_any_evaluation(latent, mask, given, message):
    model, counted = passes(tiny_model(given.get("prediction", "eps")))
    schedule = torch.tensor(given.get("schedule", [2.0, 1.0, 0.0]))
    with pytest.raises(ValueError, match=f"node: input {message}"):
        run(model, given.get("scale", 1.0) * latent, given.get("share", 1.0) * mask, schedule)
    assert counted == []


def test_a_flows_pure_noise_may_come_twice(latent, mask):
    """A jump from pure noise to pure noise has no signal to scale."""
    samples = run(tiny_model("flow"), latent, mask, torch.tensor([1.0, 1.0, 0.6, 0.0]), "repaint_predicted").samples
    assert samples.isfinite().all() and kept_error(samples, latent, mask) <= TOLERANCE


def test_a_run_without_end_is_refused(eps_model, masked):
    sampler = combine(ksampler("euler"), RePaint(jump_length=1, jump_n_sample=100, known_noise="fresh"), "node")
    with pytest.raises(ValueError, match="wanted at most 100000"):
        sample(eps_model, sampler, torch.linspace(10, 0, 2001), masked)


@pytest.mark.parametrize("solver", ["ddpm", "res_multistep_ancestral", "dpmpp_2s_ancestral_cfg_pp"])
def test_solvers_that_leave_noise_in_a_flow_are_refused_for_it_alone(eps_model, latent, mask, solver):
    """Their noise is that of models with a = 1; without a kept part the host's own result stands."""
    flow, run = tiny_model("flow"), foreign.run
    for method in foreign.METHODS.values():
        sampler = method(ksampler(solver))
        with pytest.raises(ValueError, match=rf"LatentRepaint_\w+: input sampler: found {solver}, which leaves noise"):
            run(flow, sampler, sigmas(flow, 4), latent, mask, cfg=2.0)
        found = run(eps_model, sampler, sigmas(eps_model, 4), latent, mask, cfg=2.0)
        assert kept_error(found.samples, latent, mask) <= TOLERANCE
        plain = run(flow, ksampler(solver), sigmas(flow, 4), latent, None)
        assert torch.equal(run(flow, sampler, sigmas(flow, 4), latent, None).samples, plain.samples)


def test_what_is_no_ksampler_is_refused():
    with pytest.raises(ValueError, match="wanted a KSAMPLER"):
        combine(comfy.samplers.Sampler(), METHODS["fixed"], "node")
    with pytest.raises(ValueError, match="wanted a plain sampler"):
        combine(combined("euler", "fixed"), METHODS["fixed"], "node")
