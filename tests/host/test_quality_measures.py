"""What `python benchmarks quality` measures with: masks, the model's own loss, and stand-ins."""

import pytest
import torch

from benchmarks.masks import MASKS
from benchmarks.quality import inexact, measures
from benchmarks.report import chosen
from comfyui_host.tiny import conditioning


@pytest.mark.parametrize("size", [8, 17, 128])
@pytest.mark.parametrize("name", MASKS)
def test_every_mask_has_two_parts_on_any_grid(name, size):
    mask = MASKS[name](size, size + 3)
    assert mask.shape == (size, size + 3) and 0.1 < mask.float().mean() < 0.9


def test_the_loss_is_that_of_the_noise_in_every_parametrisation(any_model, latent):
    """Against the model asked directly, at the first level."""
    unknown = torch.zeros(1, 16, 16, dtype=torch.bool)
    unknown[:, 4:9, 3:7] = True
    with torch.inference_mode():
        loss, kept = measures.denoising_loss(any_model, latent, conditioning(1), torch.stack([unknown, ~unknown]))
        sampling, clean = any_model.get_model_object("model_sampling"), any_model.model.process_latent_in(latent)
        sigma = torch.tensor([sampling.percent_to_sigma(measures.LEVELS[0])], dtype=torch.float32)
        noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
        x = sampling.noise_scaling(sigma[:, None, None, None], noise, clean)
        a = float(sampling.noise_scaling(sigma, torch.zeros(1), torch.ones(1)))
        b = float(sampling.noise_scaling(sigma, torch.ones(1), torch.zeros(1)))
        denoised = any_model.model.apply_model(x, sigma, c_crossattn=conditioning(1)[0][0])
        error = ((x - a * denoised) / b - noise).square()
    assert loss.shape == kept.shape == (1, 4)
    for found, cells in ((loss, unknown), (kept, ~unknown)):
        expected = error[cells[:, None].expand_as(noise)].mean()
        assert found[0, 0].item() == pytest.approx(expected.item(), rel=1e-3)


@pytest.fixture(scope="module")
def demo():
    with torch.inference_mode():
        yield inexact.DemoScenes(2)


@torch.inference_mode()
def test_guidance_inside_the_network_is_the_guidance_outside_in_one_evaluation(demo):
    outside, inside = demo.stand_in("cfg4"), demo.stand_in("w4")
    assert inside.cfg == 1
    theirs, _ = demo.painted(outside, "host", 2, seed=7)
    ours, evaluations = demo.painted(inside, "host", 2, seed=7)
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-3)
    assert evaluations == 2


@torch.inference_mode()
def test_noise_in_the_weights_is_of_the_share_that_was_asked_for(demo):
    name = "diffusion_model.input_blocks.0.0.weight"
    plain = demo.model.model_state_dict()[name].float()
    noisy = inexact.with_noisy_weights(demo.model, 0.05)
    ((noise,),) = (patch[1][1] for patch in noisy.patches[name])
    assert float(noise.square().mean().sqrt() / plain.square().mean().sqrt()) == pytest.approx(0.05, rel=0.05)
    assert name not in demo.model.patches


def test_a_figure_is_bold_where_it_is_farther_from_1_than_the_hosts():
    def scored(seam):
        return [inexact.Scored(torch.tensor([seam - 0.01, seam, seam + 0.01]), torch.ones(3), torch.ones(3), 4, None)]

    host = scored(1.5)
    assert inexact.row("w2", 4, "match", scored(0.4), host)[4] == "**0.40 ± 0.01**"
    assert inexact.row("w2", 4, "match", scored(1.505), host)[4] == "1.50 ± 0.01"


def test_names_are_chosen_whole_or_by_their_first_word():
    assert chosen("lora,w2", inexact.MODELS) == ["lora lcm", "lora euler", "w2"]
    assert chosen("1,7", [str(k) for k in range(12)]) == ["1", "7"]
    with pytest.raises(SystemExit, match="found w9, wanted some of cfg1"):
        chosen("w9", inexact.MODELS)


@torch.inference_mode()
def test_the_kept_part_is_made_out_worse_beside_what_does_not_fit(demo):
    """Each scene's painted part of the other, which is as real as its own."""
    both = demo.scenes
    latent, kept = both.latent, ~both.unknown[:, None]
    swapped = torch.where(kept, latent, latent.flip(0))
    real, beside_another = (both.losses(x)[1].mean(1) for x in (latent, swapped))
    assert (beside_another > 1.2 * real).all()
    alone = measures.denoising_loss(demo.model, latent, both.prompts[0], ~both.unknown[None])
    torch.testing.assert_close(real, alone[0].mean(1))


@torch.inference_mode()
def test_float8_weights_are_coarser_and_still_paint_nearly_the_same(demo):
    asked = [demo.stand_in(name) for name in ("cfg1", "float8")]
    plain, coarse = (demo.painted(one, "host", 2, seed=7)[0] for one in asked)
    assert 0 < (coarse - plain).norm() / plain.norm() < 0.2


@torch.inference_mode()
def test_match_says_which_pictures_it_took_for_a_distilled_models(demo):
    scored = demo.scored(demo.stand_in("lora lcm"), "match x 2", 4, seed=7)
    assert scored.distilled.shape[0] == 2 and set(scored.distilled.flatten().tolist()) <= {0.0, 1.0}
    assert (scored.seam > 0).all() and (scored.loss > 0).all()
