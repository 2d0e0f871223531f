"""The model the other tests stand on: finite, of order one, repeatable, and counted."""

import pytest
import torch

from comfyui_host.tiny import ksampler, sample, sigmas


@pytest.mark.parametrize("name", ["euler", "dpmpp_2m", "euler_ancestral"])
def test_sampling_is_finite_and_repeatable(any_model, latent, name):
    arguments = any_model, ksampler(name), sigmas(any_model, 6), {"samples": latent}
    first, second = sample(*arguments, cfg=3.0), sample(*arguments, cfg=3.0)
    assert first.samples.isfinite().all() and 0.01 < first.samples.std() < 50.0
    assert torch.equal(first.samples, second.samples)
    assert first.evaluations == 6


def test_prompt_and_seed_matter(eps_model, latent):
    arguments = eps_model, ksampler("euler"), sigmas(eps_model, 4), {"samples": latent}
    assert not torch.equal(sample(*arguments, seed=1).samples, sample(*arguments, seed=2).samples)
    assert not torch.equal(sample(*arguments, cfg=1.0).samples, sample(*arguments, cfg=4.0).samples)


def test_heun_costs_two_evaluations_but_for_the_last_step(eps_model, latent):
    assert sample(eps_model, ksampler("heun"), sigmas(eps_model, 5), {"samples": latent}).evaluations == 9


def test_the_host_keeps_the_known_region_with_its_own_mask(any_model, latent, mask, masked):
    result = sample(any_model, ksampler("euler"), sigmas(any_model, 5), masked)
    assert ((result.samples - latent) * (1 - mask)).abs().max() < 1e-5
