"""The generated picture over the original: exact outside, seamless around, the same alone and in a batch."""

import re

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures import images, landscape, masks, random, rectangle, shifted, sizes
from torch.nn.functional import max_pool2d

from benchmarks.seam import seam_energy
from latent_repaint.checks import FLOOR, match_batches
from latent_repaint.pixels.composite import BLENDS, Blending, bands, composite, multiband, ramp
from latent_repaint.pixels.region import distance_to_mask
from latent_repaint.pixels.report import CUT_OFF

DEFAULTS = Blending()


@given(st.data(), sizes(), st.sampled_from([3, 4]), st.sampled_from([3, 4]))
@settings(max_examples=100)
def test_outside_the_mask_every_bit_is_the_originals(data, size, channels, generated_channels):
    batch, *single = data.draw(st.permutations([data.draw(st.sampled_from([1, 2, 3])), 1, 1]))
    original, generated, mask = match_batches(
        original=data.draw(images(batch, *size, channels)),
        generated=data.draw(images(single[0], *size, generated_channels)),
        mask=data.draw(masks(single[1], *size)),
    )
    ramps = data.draw(st.one_of(st.tuples(st.integers(0, 20), st.integers(0, 40)), st.just((1024, 1024))))
    before = [x.clone() for x in (original, generated, mask)]
    blending = Blending(*ramps, data.draw(st.sampled_from(BLENDS)), data.draw(st.floats(0, 1)))
    image, blended, report, _doubt = composite(original, generated, mask, blending)

    beyond = distance_to_mask((mask > FLOOR).float()) > sum(ramps)
    assert torch.equal(image[beyond], original[beyond]) and not blended[beyond].any()
    assert torch.equal(image[blended == 0], original[blended == 0])
    assert (blended[mask > FLOOR] == 1).all() and blended.min() >= 0 and blended.max() <= 1
    assert image.shape == original.shape and image.min() >= 0 and image.max() <= 1
    assert all(torch.equal(a, b) for a, b in zip(before, (original, generated, mask), strict=True))
    assert "inf" not in report and "nan" not in report


@pytest.mark.parametrize("blend", BLENDS)
def test_on_the_mask_is_the_generated_picture(blend):
    original, generated, mask = random(1, 64, 64, 3), random(1, 64, 64, 3, seed=1), torch.zeros(1, 64, 64)
    mask[:, 20:40, 20:40] = 1
    image = composite(original, generated, mask, Blending(2, 8, blend, 0.0)).image
    assert torch.equal(image[:, 18:42, 20:40], generated[:, 18:42, 20:40])
    full = composite(original, generated, torch.ones(1, 64, 64), Blending(2, 8, blend, 1.0)).image
    assert torch.equal(full, generated)


@pytest.mark.parametrize("blend", BLENDS)
def test_what_the_original_shows_under_the_mask_leaves_no_trace(blend):
    original, mask = landscape(), rectangle()
    generated = shifted(original)
    loud = torch.where(mask[..., None] > 0, random(*original.shape).round(), original)
    quiet, found = (composite(x, generated, mask, Blending(3, 16, blend, 1.0)).image for x in (original, loud))
    assert torch.equal(quiet, found)


@pytest.mark.parametrize("blend", BLENDS)
def test_an_unchanged_picture_stays_unchanged(blend):
    image = landscape()
    assert torch.equal(composite(image, image, rectangle(), Blending(3, 20, blend, 1.0)).image, image)


@pytest.mark.parametrize("blend", BLENDS)
def test_a_picture_in_a_batch_is_composited_as_it_is_alone(blend):
    original, generated = random(3, 70, 80, 3), random(3, 70, 80, 3, seed=1)
    mask = torch.zeros(3, 70, 80)
    mask[0, 10:20, 10:30], mask[1, 40:, 50:] = 1, 1
    batch = composite(original, generated, mask, Blending(1, 8, blend, 1.0))
    for k in range(3):
        alone = composite(*(x[k : k + 1] for x in (original, generated, mask)), Blending(1, 8, blend, 1.0))
        assert torch.equal(batch.image[k], alone.image[0]) and torch.equal(batch.mask[k], alone.mask[0])


@pytest.mark.parametrize("blend", BLENDS)
def test_no_seam_and_no_colour_shift_are_left(blend):
    original, mask = landscape(), rectangle()
    generated = shifted(original)
    result = composite(original, generated, mask, Blending(0, 16, blend, 1.0))
    unmatched = composite(original, generated, mask, Blending(0, 16, blend, 0.0))

    def error(image: torch.Tensor) -> float:
        return float((image - original).abs()[mask > 0].mean())

    x, z = original.movedim(-1, 1), result.image.movedim(-1, 1)
    assert seam_energy(z, x, result.mask[:, None]) == pytest.approx(1, abs=0.05)
    assert error(result.image) < 0.35 * error(unmatched.image)


def test_new_content_beside_the_mask_does_not_count_as_a_colour_shift():
    original, mask = landscape(), rectangle()
    generated = shifted(original)
    generated[:, 40:110, 130:152] = torch.tensor([0.9, 0.1, 0.1])  # something red that reaches out of the mask
    image = composite(original, generated, mask, DEFAULTS).image
    clean = composite(original, shifted(original), mask, DEFAULTS).image
    assert (image - clean)[:, 50:110, 60:120].abs().max() < 8 / 255


def test_report_states_what_can_be_measured_from_outside():
    original, mask = landscape(), rectangle()
    generated = (original * 0.8 + 20 / 255).clamp(0, 1)
    lines = composite(original, generated, mask, DEFAULTS).report.split("\n\n")
    ring = (max_pool2d(mask, 65, 1, 32) - mask)[..., None] > 0
    shift = 255 * float((original - generated).abs().mean(-1, keepdim=True)[ring].mean())
    assert lines[0] == "Outside the mask and its ramp nothing changed."
    found = float(re.fullmatch(r"Colour shift around the mask: ([\d.]+) of 255 levels.", lines[1])[1])
    assert found == pytest.approx(shift, rel=0.1)
    assert "Nothing is masked" in composite(original, generated, torch.zeros_like(mask), DEFAULTS).report


@pytest.mark.parametrize("blend", BLENDS)
@pytest.mark.parametrize("width", [0, 16])
def test_the_report_says_so_where_something_painted_was_cut(blend, width):
    """A red bar, painted across more than the mask: cut by the mask, whole with what was painted as the mask."""
    original, mask = landscape(), rectangle()
    painted = max_pool2d(mask, 25, 1, 12)
    generated = original.clone()
    generated[:, 65:95, 50:150] = torch.tensor([0.9, 0.1, 0.1])
    generated = torch.where(painted[..., None] > 0, generated, original)
    by_mask, by_painted = (
        composite(original, generated, m, Blending(0, width, blend, 1.0)).report for m in (mask, painted)
    )
    assert CUT_OFF in by_mask and "Cut off at the mask's edge: visible along " in by_mask
    assert "Nothing visible was cut off at the mask's edge." in by_painted and CUT_OFF not in by_painted
    inside = torch.where(mask[..., None] > 0, generated, original)  # ends where the mask does, as painted
    assert CUT_OFF not in composite(original, inside, mask, Blending(0, width, blend, 1.0)).report


def test_ramp_is_one_then_falls_smoothly_then_zero():
    distance = torch.arange(0, 12.0)
    assert ramp(distance, 3, 4).tolist() == [1, 1, 1, 1, 0.84375, 0.5, 0.15625, 0, 0, 0, 0, 0]
    assert ramp(distance, 2, 0).tolist() == [1, 1, 1] + [0] * 9


def test_distance_is_euclidean():
    mask = torch.zeros(2, 9, 9)
    mask[0, 4, 4] = 1
    distance = distance_to_mask(mask)
    assert distance[0, 1, 0] == 5 and distance[0, 4, 4] == 0 and distance[1].isinf().all()


def test_multiband_keeps_detail_narrow_and_colour_wide():
    mask = torch.zeros(1, 64, 96)
    mask[:, :, :32] = 1
    distance = distance_to_mask(mask)[:, None]
    checker = (torch.arange(64)[:, None] + torch.arange(96)) % 2 * 0.2 - 0.1
    original = torch.full((1, 1, 64, 96), 0.5)
    fine = multiband(original, original + checker, distance, 0, 32) - original
    coarse = multiband(original, original + 0.1, distance, 0, 32) - original
    assert fine[..., 38].abs().max() < 0.01  # 7 pixels out
    assert coarse[..., 38].min() > 0.08
    assert not fine[..., 64:].any() and not coarse[..., 64:].any()


@pytest.mark.parametrize("width", [2, 3, 4, 7, 16, 31, 100])
def test_the_finest_details_change_over_within_two_or_three_pixels(width):
    assert 2 <= width / 2 ** bands(width) < 4
