"""Prompts of a region: what the model was not asked about teaches nothing, and what is painted is what it would be."""

import pytest
import torch
from sampling import METHODS, NEGATIVE, POSITIVE, cfg_guider, combined, guided, kept_error, one_of_each

from comfyui_host.tiny import conditioning, ksampler, sigmas, tiny_model
from latent_repaint.samplers.guider import coverage

SIZE = 16
LATENT = torch.randn(2, 4, SIZE, SIZE, generator=torch.Generator().manual_seed(5))
MASK = torch.zeros(1, 1, SIZE, SIZE)
MASK[..., 5:] = 1.0
PAINTED = MASK[0]


@pytest.fixture(scope="module")
def model():
    return tiny_model()


def limited(prompt, **limits):
    """The prompt with a mask, an area or a time of its own, as the host's Conditioning nodes set them."""
    return [[tensor, {**options, **limits}] for tensor, options in prompt]


def painted(model, positive, method, cfg, solver="euler_ancestral"):
    sampler = ksampler(solver) if method == "host" else combined(solver, method)
    samples = guided(cfg_guider(model, positive, NEGATIVE, cfg), sampler, sigmas(model, 6), LATENT, MASK)
    assert samples.isfinite().all()
    assert kept_error(samples, LATENT, MASK) < 1e-5
    return samples


@pytest.mark.parametrize("cfg", [1.0, 4.0])
@pytest.mark.parametrize("method", METHODS)
def test_a_prompt_of_just_what_is_painted_paints_what_a_prompt_of_all_paints(model, method, cfg):
    everywhere = painted(model, POSITIVE, method, cfg)
    there = painted(model, limited(POSITIVE, mask=PAINTED), method, cfg)
    assert (there - everywhere).square().mean().sqrt() < 0.02 * everywhere.std()


@one_of_each
@pytest.mark.parametrize("limits", [
    {"area": (SIZE, SIZE - 5, 0, 5)},
    {"mask": PAINTED, "set_area_to_bounds": True},
    {"mask": PAINTED, "mask_strength": 0.3},
    {"mask": PAINTED, "end_percent": 0.5},
    {"start_percent": 0.4, "end_percent": 0.7},
])  # fmt: skip
def test_areas_strengths_and_times_leave_the_painted_part_sane(model, method, limits):
    """As loud as the host's own: a kept cell without a prompt is predicted as 0, which must not be believed."""
    positive = limited(POSITIVE, **limits)
    host = painted(model, positive, "host", 4.0)[..., 5:]
    ours = painted(model, positive, method, 4.0)[..., 5:]
    assert 0.5 * host.std() < ours.std() < 1.5 * host.std()


@one_of_each
def test_where_no_prompt_is_active_the_noise_stays_what_it_was(model, method):
    """A prompt of no time at all: every conditional prediction is 0."""
    never = limited(POSITIVE, start_percent=0.999, end_percent=1.0)
    samples = painted(model, never, method, 1.0)
    assert samples.abs().max() < 30 * LATENT.abs().max()


def test_coverage_is_counted_as_the_host_counts():
    x, sigma = torch.zeros(1, 4, SIZE, SIZE), torch.tensor([2.0])
    plain, left, right = {"model_conds": {}, "uuid": 0}, torch.zeros(1, SIZE, SIZE), torch.zeros(1, SIZE, SIZE)
    left[..., :4], right[..., 8:] = 1.0, 0.5
    assert coverage([plain], x, sigma) is None
    assert coverage([{**plain, "mask": left}, plain], x, sigma) is None
    assert coverage([{**plain, "mask": left}, {**plain, "default": True}], x, sigma) is None
    asked = coverage([{**plain, "mask": left}, {**plain, "mask": right}], x, sigma)
    assert torch.equal(asked, ((left + right) > 0)[:, None].expand_as(asked))
    area = coverage([{**plain, "area": (4, 8, 2, 6)}], x, sigma)
    assert area[..., 2:6, 6:14].all() and area.sum() == 4 * 4 * 8
    assert not coverage([{**plain, "mask": left, "strength": 0.0}], x, sigma).any()
    assert not coverage([{**plain, "timestep_end": 3.0}], x, sigma).any()


def test_the_painted_part_does_not_hear_the_whisper(model):
    """Two prompts side by side: to the host's own sampler, bit for bit what they are to Blend with fixed noise."""
    left = torch.zeros(1, SIZE, SIZE)
    left[..., 5:10] = 1.0
    right = PAINTED - left
    two = limited(POSITIVE, mask=left) + limited(conditioning(7), mask=right)
    host, fixed = (painted(model, two, method, 4.0, "euler") for method in ("host", "fixed"))
    torch.testing.assert_close(host, fixed, rtol=0, atol=1e-5)
