"""What `python benchmarks quality` measures with: masks, colour, the model's own loss, and equal passes."""

import pytest
import torch

from benchmarks.quality import measures, methods
from benchmarks.quality.masks import MASKS
from comfyui_host.tiny import conditioning


@pytest.mark.parametrize(("most", "budget"), [(6, 80), (4, 80), (6, 16), (1, 80), (9, 7)])
def test_lanpaint_gets_as_many_steps_as_the_passes_allow(most, budget):
    def passes(steps):  # a step thinks up to `most` times, the last one does not
        return 2 * (most * (steps - 1) + 1)

    steps = methods.lanpaint_steps(passes, budget)
    assert steps == 1 or passes(steps) <= budget
    assert passes(steps + 2) > budget


@pytest.mark.parametrize("size", [8, 16, 17, 64, 128])
@pytest.mark.parametrize("name", MASKS)
def test_every_mask_has_two_parts_on_any_grid(name, size):
    mask = MASKS[name](size, size + 3)
    assert mask.shape == (size, size + 3) and 0.1 < mask.float().mean() < 0.9


def test_colour_shift_is_in_levels_and_sees_the_ring_alone():
    picture, mask = torch.full((32, 32, 3), 0.5), torch.zeros(32, 32, dtype=torch.bool)
    mask[8:24, 8:24] = True
    shifted = picture + mask[..., None] * torch.tensor([3.0, 0.0, 0.0]) / 255
    shifted[14:18, 14:18] = 1.0  # farther in than two pixels
    assert measures.colour_shift(shifted, picture, mask, 2) == pytest.approx(3 / 3**0.5, rel=1e-4)


def test_the_loss_is_that_of_the_noise_in_every_parametrisation(any_model, latent):
    """Against the model asked directly, at the first level."""
    unknown = torch.zeros(1, 16, 16, dtype=torch.bool)
    unknown[:, 4:9, 3:7] = True
    with torch.inference_mode():
        loss = measures.denoising_loss(any_model, latent, conditioning(1), unknown)
        sampling, clean = any_model.get_model_object("model_sampling"), any_model.model.process_latent_in(latent)
        sigma = torch.tensor([sampling.percent_to_sigma(measures.LEVELS[0])], dtype=torch.float32)
        noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
        x = sampling.noise_scaling(sigma[:, None, None, None], noise, clean)
        a = float(sampling.noise_scaling(sigma, torch.zeros(1), torch.ones(1)))
        b = float(sampling.noise_scaling(sigma, torch.ones(1), torch.zeros(1)))
        denoised = any_model.model.apply_model(x, sigma, c_crossattn=conditioning(1)[0][0])
        error = ((x - a * denoised) / b - noise).square()[unknown[:, None].expand_as(noise)].mean()
    assert loss.shape == (1, 4)
    assert loss[0, 0].item() == pytest.approx(error.item(), rel=1e-3)
