"""Parts of a schedule: two stages, a start below pure noise, a start without noise."""

import torch
from sampling import NEGATIVE, POSITIVE, TOLERANCE, announced, cfg_guider, combined, guided, kept_error
from test_with_others import NODES, every_method

from comfyui_host.tiny import ksampler, sample, sigmas
from latent_repaint.samplers.blend import Blend
from latent_repaint.samplers.host import combine
from latent_repaint.samplers.noise_level import noise_level


def test_two_stages_are_the_one_run_that_was_split(any_model, latent, mask):
    """SplitSigmasDenoise, then a second sampler without noise; Euler and the given noise have nothing to forget."""
    sampler = combine(ksampler("euler"), Blend(known_noise="fixed"), "node")
    schedule, masked = sigmas(any_model, 8), {"samples": latent, "noise_mask": mask}
    high, low = NODES.SplitSigmasDenoise.execute(schedule, 0.5).args
    assert len(high) == len(low) == 5
    whole = sample(any_model, sampler, schedule, masked, seed=3, cfg=2.0).samples
    first = sample(any_model, sampler, high, masked, seed=3, cfg=2.0)
    second = sample(any_model, sampler, low, first.output, seed=None, cfg=2.0).samples
    assert kept_error(second, latent, mask) <= TOLERANCE
    torch.testing.assert_close(second, whole, rtol=1e-3, atol=1e-3)


@every_method
def test_denoise_below_one_lets_the_old_content_show_through(any_model, latent, mask, method):
    """Under the exact denoiser of unit Gaussian latents; the tiny model knows nothing of any content."""
    scale, painted = any_model.model.latent_format.scale_factor, mask.expand_as(latent) > 0
    masked, sampler, likeness = {"samples": latent / scale, "noise_mask": mask}, combined("euler_ancestral", method), {}
    model, passes = any_model.clone(), []

    def exact(apply_model, arguments):
        passes.append(arguments["timestep"])
        level = noise_level(model.get_model_object("model_sampling"), arguments["timestep"][0])
        return level.a * arguments["input"] / (level.a**2 + level.b**2)

    model.set_model_unet_function_wrapper(exact)
    for denoise in (0.1, 1.0):
        schedule = sigmas(model, 4, denoise=denoise)
        passes.clear()
        samples = sample(model, sampler, schedule, masked, seed=3).samples
        assert len(passes) == announced(model, sampler, schedule)
        assert kept_error(samples, latent / scale, mask) <= TOLERANCE
        likeness[denoise] = torch.stack([samples[painted], latent[painted]]).corrcoef()[0, 1]
    assert likeness[1.0] < 0.5 < 0.8 < likeness[0.1]


def test_without_noise_fixed_noise_is_what_the_host_does(any_model, latent, mask):
    """SamplerCustom with add_noise off, on a clean latent."""
    schedule, masked = sigmas(any_model, 5), {"samples": latent, "noise_mask": mask}

    def custom(sampler):
        custom = NODES.SamplerCustom.execute(any_model, False, 3, 2.0, POSITIVE, NEGATIVE, sampler, schedule, masked)
        return custom[0]["samples"]

    ours = custom(combine(ksampler("euler"), Blend(known_noise="fixed"), "node"))
    torch.testing.assert_close(ours, custom(ksampler("euler")), rtol=1e-4, atol=1e-5)


@every_method
def test_without_noise_the_given_latent_is_what_is_kept(any_model, latent, mask, method):
    """Noised by AddNoise beforehand: the sampler cannot know a cleaner one (docs/limits.md)."""
    schedule = sigmas(any_model, 5)[2:]
    noisy = NODES.AddNoise.execute(any_model, NODES.RandomNoise.execute(4)[0], schedule, {"samples": latent})[0]
    guider, sampler = cfg_guider(any_model), combined("euler_ancestral", method)
    samples = guided(guider, sampler, schedule, noisy["samples"], mask, NODES.DisableNoise.execute()[0])
    scale = noisy["samples"].abs().max()
    assert samples.isfinite().all() and kept_error(samples, noisy["samples"], mask) <= TOLERANCE * scale
