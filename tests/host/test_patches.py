"""Patches of the model that skip, remember, or write into predictions: what is fed back stays the conditional one.

Some are the host's own, some written here in the style of other packs.
"""

from inspect import signature

import comfy.samplers
import pytest
import torch
from comfy_extras.nodes_apg import APG
from comfy_extras.nodes_context_windows import ContextWindowsManualNode
from comfy_extras.nodes_easycache import EasyCacheNode, LazyCacheNode
from comfy_extras.nodes_pag import PerturbedAttentionGuidance
from foreign import METHODS, every_method, run
from sampling import NEGATIVE, POSITIVE, TOLERANCE, Watched, kept_error

from benchmarks.painted import closed_form
from comfyui_host.tiny import ksampler, sigmas
from latent_repaint.samplers.host import combine


@every_method
@pytest.mark.parametrize("cfg", [1.0, 5.0])
def test_easycache_skips_and_changes_little(eps_model, latent, mask, cfg, method):
    schedule = sigmas(eps_model, 12)
    model = EasyCacheNode.execute(eps_model, 1.0, 0.1, 0.95, False)[0]
    whole, found = (run(m, method(ksampler("euler")), schedule, latent, mask, cfg) for m in (eps_model, model))
    assert len(found.passes) < len(whole.passes) and len(found.reported) == len(whole.reported)
    assert found.samples.isfinite().all() and kept_error(found.samples, latent, mask) <= TOLERANCE
    painted = mask.expand_as(latent) > 0
    assert (found.samples - whole.samples)[painted].std() < 0.2 * whole.samples[painted].std()


@every_method
@pytest.mark.parametrize("prediction", ["eps", "flow"])
def test_what_is_painted_under_a_cache_that_skips_whole_answers(prediction, method):
    """On a model known in closed form: it makes the host's own inpainting lose most of its variance, and ours may
    not drift off by feedback from stale answers."""
    model, given = closed_form.model(prediction), closed_form.pictures(400)
    model.model.latent_format.latent_channels = given.shape[1]
    cached = LazyCacheNode.execute(model, 0.3, 0.1, 0.95, False)[0]
    moments = []
    for network in (model, cached):
        found = run(network, method(ksampler("euler")), sigmas(model, 20), given, closed_form.mask())
        moments.append((closed_form.conditional_moments(found.samples, given), len(found.passes)))
    (whole, passes), (skipped_some, fewer) = moments
    # the noise of RePaint changes more than the cache lets pass
    assert fewer < passes or method is METHODS["repaint"]
    assert abs(skipped_some.pull - 1) < abs(whole.pull - 1) + 0.25 and 0.4 < skipped_some.variance < 1.4


@every_method
def test_context_windows(eps_model, latent, mask, method):
    """The host's own: several passes over parts of the batch make one prediction, also of an extra evaluation."""
    batch = torch.cat([latent, latent.flip(-1), latent.flip(-2), -latent, latent.roll(3, -1), latent.roll(5, -2)])
    in_0_33 = "freenoise" in signature(ContextWindowsManualNode.execute).parameters
    newer = {"freenoise": False} if in_0_33 else {}
    model = ContextWindowsManualNode.execute(eps_model, 4, 2, "standard_static", 1, False, "pyramid", 0, **newer)[0]
    schedule = sigmas(model, 5)
    found = run(model, method(ksampler("euler")), schedule, batch, mask)
    whole = run(eps_model, method(ksampler("euler")), schedule, batch, mask)
    assert kept_error(found.samples, batch, mask) <= TOLERANCE
    # 4 of the batch at a time; ComfyUI 0.33 shows a window the picture before it as well
    assert max(found.passes) in (4, 5) and max(whole.passes) == 6
    # windows over a network that looks at each picture alone change nothing
    torch.testing.assert_close(found.samples, whole.samples, rtol=1e-3, atol=1e-3)


def mean_subtracted(args):
    cond = args["conds_out"][0]
    cond -= cond.mean(dim=(2, 3), keepdim=True)
    return args["conds_out"]


def sharpened(args):
    cond = args["conds_out"][0]
    cond += 2 * (cond - torch.nn.functional.avg_pool2d(cond, 3, 1, 1))
    return args["conds_out"]


@pytest.mark.parametrize("hook", [mean_subtracted, sharpened, None], ids=["mean", "sharpened", "APG"])
@pytest.mark.parametrize("cfg", [1.0, 4.0])
def test_guidance_does_not_reach_what_is_fed_back(eps_model, latent, mask, hook, cfg):
    """Hooks write into the prediction in place, as the host invites them to, and APG hands on one that already holds
    the guidance; the noise follows the untouched one."""

    def first_noise(model):
        noises = []
        sampler = combine(ksampler("euler"), Watched(look=noises.append), "node")
        run(model, sampler, sigmas(model, 6)[:2], latent, mask, cfg)
        return noises[-1].noise

    model = eps_model.clone() if hook else APG.execute(eps_model, 1.0, 5.0, 0.0)[0]
    if hook:
        model.set_model_sampler_pre_cfg_function(hook)
    assert torch.equal(first_noise(model), first_noise(eps_model))


@every_method
def test_a_pack_that_replaces_the_hosts_sampling_function(eps_model, latent, mask, method, monkeypatch):
    """AnimateDiff-Evolved puts its own there, which leaves behind what its passes then need."""
    original, calc = comfy.samplers.sampling_function, comfy.samplers.calc_cond_batch
    entered = []

    def evolved(model, x, timestep, uncond, cond, cond_scale, model_options=None, seed=None):
        entered.append(1)
        options = {**model_options, "ad_params": {"frames": len(x)}}
        return original(model, x, timestep, uncond, cond, cond_scale, model_options=options, seed=seed)

    def needing(model, conds, x_in, timestep, model_options):
        assert model_options["ad_params"]["frames"] == len(x_in)
        return calc(model, conds, x_in, timestep, model_options)

    schedule = sigmas(eps_model, 5)
    plain = run(eps_model, method(ksampler("euler")), schedule, latent, mask, 4.0)
    monkeypatch.setattr(comfy.samplers, "sampling_function", evolved)
    monkeypatch.setattr(comfy.samplers, "calc_cond_batch", needing)
    found = run(eps_model, method(ksampler("euler")), schedule, latent, mask, 4.0)
    assert torch.equal(found.samples, plain.samples)
    assert len(entered) == len(found.reported) and found.passes == plain.passes


@every_method
@pytest.mark.parametrize("cfg", [1.0, 4.0])
def test_a_guider_without_positive(eps_model, latent, mask, cfg, method):
    """Packs name their prompts as they like. The first that is asked for stands for the prompt."""

    class Named(comfy.samplers.CFGGuider):
        def predict_noise(self, x, timestep, model_options=None, seed=None):
            return comfy.samplers.sampling_function(
                self.inner_model, x, timestep, self.conds["unwanted"], self.conds["wanted"], self.cfg,
                model_options=model_options or {}, seed=seed,
            )  # fmt: skip

    guider = Named(eps_model)
    guider.inner_set_conds({"unwanted": NEGATIVE, "wanted": POSITIVE})
    guider.set_cfg(cfg)
    schedule = sigmas(eps_model, 6)
    found = run(eps_model, method(ksampler("euler")), schedule, latent, mask, guider=guider)
    whole = run(eps_model, method(ksampler("euler")), schedule, latent, mask, cfg)
    torch.testing.assert_close(found.samples, whole.samples, rtol=1e-4, atol=1e-4)


@every_method
def test_a_guider_that_asks_the_network_itself(eps_model, latent, mask, method):
    """There is no conditional prediction to be had: nothing is fed back, and the kept part is kept."""

    class Direct(comfy.samplers.CFGGuider):
        def predict_noise(self, x, timestep, model_options=None, seed=None):
            tokens = POSITIVE[0][0].to(x)
            return self.inner_model.apply_model(x, timestep, c_crossattn=tokens, transformer_options={})

    guider = Direct(eps_model)
    guider.inner_set_conds({})
    schedule = sigmas(eps_model, 6)
    found = run(eps_model, method(ksampler("euler")), schedule, latent, mask, guider=guider)
    assert found.samples.isfinite().all() and kept_error(found.samples, latent, mask) <= TOLERANCE
    assert len(found.passes) == len(found.reported)


def test_an_extra_evaluation_without_a_patch_is_one_pass_alone(eps_model, latent, mask):
    found = run(eps_model, METHODS["match"](ksampler("euler")), sigmas(eps_model, 6), latent, mask, 3.0)
    assert sorted(found.passes) == [1] * 6 + [2] * 6


def test_perturbed_attention_is_asked_once_a_step(eps_model, latent, mask):
    """Its hook asks for a pass of its own after cfg: none of it in an extra evaluation."""
    model = PerturbedAttentionGuidance.execute(eps_model, 3.0)[0]
    found = run(model, METHODS["match"](ksampler("euler")), sigmas(model, 6), latent, mask, 3.0)
    assert len(found.passes) == 6 + 6 + 6
