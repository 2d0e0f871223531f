"""Prompts of a region: what the model was not asked about teaches nothing, and what is painted is what it would be."""

import pytest
import torch
from sampling import METHODS, NEGATIVE, POSITIVE, Watched, cfg_guider, combined, guided, kept_error, one_of_each

from comfyui_host.tiny import conditioning, ksampler, sigmas, tiny_model
from latent_repaint.samplers.host import combine

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


@pytest.mark.parametrize("limits, covered", [
    ({}, slice(0, SIZE)),
    ({"area": (SIZE, 8, 0, 6)}, slice(6, 14)),
    ({"mask": PAINTED}, slice(0, SIZE)),
    ({"mask": PAINTED, "set_area_to_bounds": True}, slice(5, SIZE)),
    ({"strength": 0.0}, slice(0, 0)),
    ({"end_percent": 0.0001}, slice(0, 0)),
])  # fmt: skip
def test_what_a_prompt_covers_is_found_in_the_hosts_own_prediction(model, limits, covered):
    """It is 0 where the model was asked nothing. What a mask leaves out of the known part is asked for all the same."""
    found = []

    def look(noise):
        learn = noise.learn

        def watch(here, conditional):
            found.append(conditional.covered)
            return learn(here, conditional)

        noise.learn = watch

    sampler = combine(ksampler("euler"), Watched(look=look), "node")
    guided(cfg_guider(model, limited(POSITIVE, **limits), NEGATIVE, 4.0), sampler, sigmas(model, 6)[:3], LATENT, MASK)
    expected = torch.zeros(1, 1, SIZE, SIZE, dtype=torch.bool)
    expected[..., covered] = True
    assert len(found) == 2 and torch.equal(found[-1], expected.expand_as(found[-1]))


def test_the_painted_part_stays_the_same_where_the_known_part_is_asked_for(model):
    """Two prompts side by side: to the host's own sampler, bit for bit what they are to Blend with fixed noise."""
    left = torch.zeros(1, SIZE, SIZE)
    left[..., 5:10] = 1.0
    right = PAINTED - left
    two = limited(POSITIVE, mask=left) + limited(conditioning(7), mask=right)
    host, fixed = (painted(model, two, method, 4.0, "euler") for method in ("host", "fixed"))
    torch.testing.assert_close(host, fixed, rtol=0, atol=1e-5)
