"""What becomes of a mask on its way from pixels to the network: frames, batches, strokes, models that read it."""

from typing import Any

import comfy.nested_tensor
import comfy.ops
import comfy.sampler_helpers
import comfy.samplers
import pytest
import torch
from comfy.patcher_extension import WrappersMP
from hypothesis import given, settings
from hypothesis import strategies as st
from sampling import TOLERANCE, cfg_guider, combined, guided, one_of_each, watched

from comfyui_host.families import FAMILIES, Family
from comfyui_host.tiny import conditioning, sigmas
from latent_repaint.nodes.mask_to_latent import MaskToLatent
from latent_repaint.samplers.mathematics.noise_level import noise_level


def to_latent(mask, latent, vae=None):
    """The node, at its defaults but for the growth."""
    return MaskToLatent.execute(mask, {"samples": latent}, "max", 0, 0.0, "max", vae).args[0]


def sampled(family: Family, masked: dict[str, Any], method: str, model: Any = None):
    """Three steps with a family's own conditioning."""
    guider = cfg_guider(model or family.model, *family.prompts(), cfg=1.0)
    sampler, schedule = combined("euler_ancestral", method), sigmas(family.model, 3)
    return guided(guider, sampler, schedule, masked["samples"], masked["noise_mask"])


def changed(samples, latent) -> torch.Tensor:
    """Where a result differs from the latent by more than its scaling in and out."""
    return (samples - latent).abs() > TOLERANCE


@pytest.fixture(scope="module")
def wan() -> Family:
    return FAMILIES["wan 2.1"]()


@one_of_each
def test_masks_of_latent_frames_are_their_own(wan, method):
    latent, mask = wan.latent(), torch.zeros(3, 64, 64)
    mask[0, :16, :16], mask[2, 40:, 40:] = 1, 1
    samples = sampled(wan, to_latent(mask, latent), method)
    assert torch.equal(changed(samples, latent).amax((0, 1)), torch.nn.functional.max_pool2d(mask, 8) > 0)


@one_of_each
def test_a_batch_of_masks_goes_with_a_batch_of_latents_in_turn(method):
    family, masks = FAMILIES["eps"](), torch.zeros(2, 64, 64)
    latents = torch.randn(4, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    masks[0, :32], masks[1, :, 40:] = 1, 1
    samples = sampled(family, to_latent(masks, latents), method)
    expected = (torch.nn.functional.max_pool2d(masks, 8) > 0).repeat(2, 1, 1)
    assert torch.equal(changed(samples, latents).amax(1), expected)


@settings(max_examples=60)
@given(st.data())
def test_no_stroke_of_one_pixel_is_lost(data):
    """From the node through the host's own reshaping, to every sampler: any picture size, any stroke, any frame."""
    ratio, rows, columns = (data.draw(st.integers(1, high)) for high in (16, 9, 9))
    height, width = (cells * ratio + data.draw(st.integers(0, ratio - 1)) for cells in (rows, columns))
    frames = data.draw(st.sampled_from([None, 1, 2, 3]))
    mask = torch.zeros(1 if frames is None else 4 * frames - 3, height, width)
    top, left = height % ratio // 2, width % ratio // 2  # the host's VAE cuts the picture's middle out, in whole cells
    place = st.tuples(*(st.integers(0, end - 1) for end in (len(mask), rows * ratio, columns * ratio)))
    strokes = data.draw(st.lists(place, min_size=1, max_size=12))
    for frame, y, x in strokes:
        mask[frame, top + y, left + x] = 1
    shape = (1, 4, rows, columns) if frames is None else (1, 4, frames, rows, columns)
    ratios = {"spacial_compression_decode": lambda self: ratio, "temporal_compression_decode": lambda self: 4}
    masked = to_latent(mask, torch.zeros(shape), vae=type("Vae", (), ratios)())
    seen = comfy.sampler_helpers.prepare_mask(masked["noise_mask"], shape, "cpu")
    for frame, y, x in strokes:
        place = (y // ratio, x // ratio) if frames is None else ((frame + 3) // 4, y // ratio, x // ratio)
        assert seen[0, 0][place] == 1


def shown(arguments: dict[str, Any]) -> dict[str, Any]:
    """What a pass through the network is given: sigma, the latent, the mask or None."""
    sigma, x, mask = arguments["timestep"][0], arguments["input"].clone(), arguments["c"].get("denoise_mask")
    return {"sigma": sigma, "x": x, "mask": mask}


@one_of_each
@pytest.mark.parametrize("name", ["wan 2.2", "cosmos predict2"])
def test_a_mask_that_would_be_averaged_is_hidden(name, method):
    """These make one timestep a frame of it. So they are not shown it, and the known part is noised as the rest is."""
    family = FAMILIES[name]()
    model, seen = watched(family.model, shown)
    latent, mask = family.latent(), family.mask()
    samples = sampled(family, {"samples": latent, "noise_mask": mask}, method, model)
    assert not changed(samples, latent)[mask.expand_as(latent) == 0].any()
    kept, y = (mask == 0).expand_as(latent), family.model.model.process_latent_in(latent)
    sampling = family.model.get_model_object("model_sampling")
    for evaluation in seen:
        assert evaluation["mask"] is None
        noise = noise_level(sampling, evaluation["sigma"]).noise_in(evaluation["x"], y)[kept]
        assert 0.5 < noise.std() < 3.3  # about 1; what Match finds for a random network is up to 2.8


@one_of_each
@pytest.mark.parametrize("name", ["wan 2.2", "cosmos predict2"])
def test_a_mask_of_whole_frames_is_the_models_own(name, method):
    """A kept first frame is what they are made for: clean, at the timestep of a clean one."""
    family = FAMILIES[name]()
    model, seen = watched(family.model, shown)
    latent, mask = family.latent(), torch.ones(1, 1, 3, 8, 8)
    mask[:, :, 0] = 0
    samples = sampled(family, {"samples": latent, "noise_mask": mask}, method, model)
    assert not changed(samples, latent)[:, :, 0].any() and changed(samples, latent)[:, :, 1:].any()
    base = family.model.model
    y = base.process_latent_in(latent)
    for evaluation in seen:
        assert torch.equal(evaluation["mask"], mask.expand_as(evaluation["mask"]))
        clean = base.scale_latent_inpaint(sigma=evaluation["sigma"].reshape(1), noise=y, latent_image=y)
        torch.testing.assert_close(evaluation["x"][:, :, 0], clean[:, :, 0])


@one_of_each
def test_a_model_that_reads_a_soft_mask_reads_what_is_free(method):
    """LTXV gives each cell the timestep of its mask. A half-masked cell is kept, then free, and never between."""
    family = FAMILIES["ltxv"]()
    model, seen = watched(family.model, shown)
    mask = torch.linspace(0, 1, 4).expand(1, 1, 3, 4, 4).contiguous()
    sampled(family, {"samples": family.latent(), "noise_mask": mask}, method, model)
    masks = torch.stack([evaluation["mask"][0, 0, 0, 0] for evaluation in seen])
    assert set(masks.unique().tolist()) == {0.0, 1.0}
    assert masks[0].tolist() == [0, 0, 0, 1] and masks[-1].tolist() == [0, 1, 1, 1]


@one_of_each
def test_a_model_that_wants_its_known_part_clean_gets_it_clean(method):
    family = FAMILIES["hunyuan video"]()
    model, seen = watched(family.model, shown)
    latent, mask = family.latent(), family.mask()
    sampled(family, {"samples": latent, "noise_mask": mask}, method, model)
    kept, y = (mask == 0).expand_as(latent), family.model.model.process_latent_in(latent)
    assert seen and all(torch.equal(evaluation["x"][kept], y[kept]) for evaluation in seen)


class Packed(comfy.samplers.CFGGuider):
    """A guider for any shape: nested latents come to a sampler packed into one row."""

    def predict_noise(self, x, timestep, model_options=None, seed=None):
        return torch.full_like(x, 0.5)


def nested_run(eps_model, sampler, mask):
    """Picture and sound, with `mask` given to the sampler as newer hosts do: packed as the latents are."""
    parts = [torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(k)) for k in range(2)]
    nested = [comfy.nested_tensor.NestedTensor(tensors) for tensors in (parts, [torch.randn_like(p) for p in parts])]

    def give_mask(executor, guider, sigmas, extra_args, callback, noise, latent_image, denoise_mask, *rest):
        return executor(guider, sigmas, extra_args, callback, noise, latent_image, mask, *rest)

    model = eps_model.clone()
    model.add_wrapper(WrappersMP.SAMPLER_SAMPLE, give_mask)
    guider = Packed(model)
    guider.set_conds(conditioning(1), conditioning(2))
    with torch.inference_mode():
        result = guider.sample(nested[1], nested[0], sampler, sigmas(model, 4), disable_pbar=True, seed=3)
    return torch.cat([part.flatten() for part in result.unbind()]), torch.cat([part.flatten() for part in parts])


@pytest.mark.parametrize("method", ["predicted", "repaint"])
def test_nested_latents_with_a_mask_for_each_are_kept(eps_model, method):
    mask = torch.zeros(1, 1, 512)
    mask[..., 100:300] = 1
    samples, given = nested_run(eps_model, combined("euler", method), mask)
    assert torch.equal(changed(samples, given), mask[0, 0] > 0)


def test_nested_latents_with_one_mask_are_refused(eps_model):
    """As 0.3.75 would hand it on."""
    with pytest.raises(ValueError, match="node: input noise_mask: found one mask for nested latents"):
        nested_run(eps_model, combined("euler", "match"), torch.ones(1, 1, 8, 8))
