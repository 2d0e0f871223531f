"""Parts of a schedule: two stages, a start below pure noise."""

import itertools

import pytest
import torch
from comfy_extras.nodes_differential_diffusion import DifferentialDiffusion
from sampling import TOLERANCE, combined, kept_error, one_by_one, one_of_each, passes, wrapped

from comfyui_host.tiny import ksampler, sample, sigmas
from latent_repaint.samplers.mathematics.noise_level import noise_level


def exact(model):
    """A clone of the model that is the exact denoiser of unit Gaussian latents: the tiny network knows no content."""

    def denoise(apply_model, arguments):
        level = noise_level(model.get_model_object("model_sampling"), arguments["timestep"][0])
        return level.a * arguments["input"] / (level.a**2 + level.b**2)

    return wrapped(model, denoise)


@pytest.fixture(scope="module")
def old():
    """A latent of many cells, and how alike to it the masked half of another one is."""
    latent = torch.randn(4, 4, 16, 16, generator=torch.Generator().manual_seed(3))
    mask = torch.zeros(1, 1, 16, 16)
    mask[..., 8:] = 1.0

    def likeness(samples):
        where = mask.expand_as(latent) > 0
        return float(torch.stack([samples[where], latent[where]]).corrcoef()[0, 1])

    return latent, mask, likeness


@pytest.mark.parametrize("solver", ["euler", "euler_ancestral"])
@pytest.mark.parametrize("method", ["repaint", "match"])
@pytest.mark.parametrize("denoise", [0.1, 0.3, 0.5, 0.8])
def test_denoise_below_one_leaves_of_the_old_content_what_blend_leaves(any_model, old, solver, method, denoise):
    latent, mask, likeness = old
    model, scale = exact(any_model), any_model.model.latent_format.scale_factor
    masked, schedule = {"samples": latent / scale, "noise_mask": mask}, sigmas(any_model, 8, denoise=denoise)
    blend, ours = (
        sample(model, combined(solver, name), schedule, masked, seed=3).samples for name in ("fixed", method)
    )
    assert kept_error(ours, latent / scale, mask) <= TOLERANCE
    # blend's ancestral noise begins with the run's initial noise once more, as the host's does: a little more is left
    assert likeness(ours) == pytest.approx(likeness(blend), abs=0.05 if solver == "euler" else 0.08)
    change = [float((samples * scale - latent)[..., 8:].abs().mean()) for samples in (ours, blend)]
    assert change[0] == pytest.approx(change[1], rel=0.15)


@one_of_each
@pytest.mark.parametrize("value", [0.1, 0.3, 0.6, 0.9])
def test_a_soft_mask_leaves_of_the_old_content_what_differential_diffusion_leaves(any_model, old, method, value):
    latent, mask, likeness = old
    model, scale = exact(any_model), any_model.model.latent_format.scale_factor
    masked, schedule = {"samples": latent / scale, "noise_mask": value * mask}, sigmas(any_model, 10)
    theirs = sample(DifferentialDiffusion.execute(model)[0], ksampler("euler"), schedule, masked, seed=3).samples
    ours = sample(model, combined("euler", method), schedule, masked, seed=3).samples
    assert likeness(ours) == pytest.approx(likeness(theirs), abs=0.05)


@one_of_each
def test_at_full_denoise_nothing_of_the_old_content_is_left(any_model, old, method):
    latent, mask, likeness = old
    masked, schedule = {"samples": latent, "noise_mask": mask}, sigmas(any_model, 8)
    assert abs(likeness(sample(exact(any_model), combined("euler_ancestral", method), schedule, masked).samples)) < 0.1


@one_of_each
def test_a_stage_without_noise_or_a_clean_latent_says_what_to_connect(eps_model, masked, method):
    schedule = sigmas(eps_model, 6)
    model, counted = passes(eps_model)
    first = sample(model, combined("euler", method), schedule[:4], masked, seed=3)
    counted.clear()
    with pytest.raises(ValueError, match="node: input kept: found nothing.*first stage"):
        sample(model, combined("euler", method), schedule[3:], first.output, seed=None)
    assert not counted


@pytest.mark.parametrize("soft", [False, True], ids=["hard", "soft"])
@one_of_each
def test_a_second_stage_keeps_what_it_is_given_whatever_ran_before(any_model, latent, mask, method, soft):
    """A first stage of the host's own, cast to bfloat16, and another picture's run between the two."""
    mask = 0.3 + 0.7 * mask if soft else mask
    schedule, masked = sigmas(any_model, 6), {"samples": latent, "noise_mask": mask}
    first = sample(any_model, ksampler("euler"), schedule[:4], masked, seed=3).output
    first["samples"] = first["samples"].bfloat16().float()
    sampler = combined("euler", method, latent)
    alone = sample(any_model, sampler, schedule[3:], first, seed=None).samples
    other = {"samples": latent.flip(-1) + 1, "noise_mask": mask}
    sample(any_model, combined("euler", method), schedule[:4], other, seed=3)
    assert torch.equal(sample(any_model, sampler, schedule[3:], first, seed=None).samples, alone)
    assert kept_error(alone, latent, (mask > 0).float()) <= TOLERANCE


@pytest.mark.parametrize("method", ["fresh", "repaint", "match"])
def test_noise_of_a_second_stage_is_each_images_own_and_hangs_on_no_last_bit(eps_model, mask, method):
    """Equal images come of RepeatLatentBatch between the stages; one clean latent serves all."""
    model, schedule = one_by_one(eps_model), sigmas(eps_model, 5)[2:]

    def second(latent, kept):
        masked = {"samples": latent, "noise_mask": mask}
        return sample(model, combined("euler_ancestral", method, kept), schedule, masked, seed=None).samples

    clean, noise = torch.randn(2, 3, 4, 16, 16, generator=torch.Generator().manual_seed(2))
    noisy = clean + 3.0 * noise
    together = second(noisy, clean)
    assert torch.equal(second(noisy[2:], clean[2:]), together[2:])
    nudged = torch.nextafter(noisy, noisy + 1)
    assert (second(nudged, clean) - together).abs().max() < 1e-3
    equal = second(noisy[:1].repeat(4, 1, 1, 1), clean[:1])
    assert kept_error(equal, clean[:1], mask) <= TOLERANCE
    assert all((a - b).abs().max() > 0.1 for a, b in itertools.combinations(equal, 2))


def test_a_clean_latent_of_another_size_is_refused(eps_model, latent, masked):
    with pytest.raises(ValueError, match=r"input kept: found shape \[1, 4, 8, 8\], wanted \[1, 4, 16, 16\]"):
        sample(eps_model, combined("euler", "match", latent[..., :8, :8]), sigmas(eps_model, 4), masked)
