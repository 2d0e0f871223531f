"""Where a crop lies, and that the way back is exact."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures import block, images, masks, random, sizes

from latent_repaint.pixels.composite import Blending
from latent_repaint.pixels.crop_stitch import crop, scale, stitch_crops
from latent_repaint.pixels.placement import Framing, place
from latent_repaint.pixels.region import Box, Work, bounding_box, fill_holes


@st.composite
def boxes(draw) -> tuple[Box, Box]:
    """Anything masked in a picture of any size, borders included."""
    height, width = draw(st.integers(1, 1500)), draw(st.integers(1, 1500))
    top, left = draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))
    bottom, right = draw(st.integers(top + 1, height)), draw(st.integers(left + 1, width))
    return Box(top, left, bottom, right), Box(0, 0, height, width)


targets = st.sampled_from([0, 8, 128, 512, 1000, 1024])


@given(boxes(), st.floats(1, 4), targets, targets, st.sampled_from([1, 8, 32, 64]))
def test_the_crop_shows_mask_and_context_undistorted(where, factor, target_width, target_height, multiple):
    masked, picture = where
    box, height, width = place(masked, picture, Framing(factor, target_width, target_height, multiple))

    assert height % multiple == 0 and width % multiple == 0
    assert not target_height or 0 <= height - target_height < multiple
    assert not target_width or 0 <= width - target_width < multiple
    for start, end, low, high, limit in (
        (box.top, box.bottom, masked.top, masked.bottom, picture.bottom),
        (box.left, box.right, masked.left, masked.right, picture.right),
    ):
        assert start <= low and high <= end
        assert end - start >= min((high - low) * factor - 1, limit)
        assert min(low - start, end - high) >= 30 or start <= 0 or end >= limit
        assert (start >= 0 and end <= limit) if end - start <= limit else (start <= 0 and end >= limit)
    assert abs(box.height * width / height - box.width) <= 0.5 + 0.5 * width / height + 1e-6
    if not target_width and not target_height:
        assert (box.height, box.width) == (height, width)


@pytest.mark.parametrize("side", [294, 300, 333, 77])
@pytest.mark.parametrize("target", [640, 1024])
def test_a_size_that_fits_exactly_is_not_rounded_up(side, target):
    """side * (target / side) is not always target in floating point."""
    picture = Box(0, 0, side, side)
    for size in ((target, 0), (0, target)):
        assert place(picture, picture, Framing(1.2, *size, 32)) == (picture, target, target)


def check_round_trip(image, mask, factor, target_width, target_height):
    """An unchanged crop gives the picture back: outside the mask always, everywhere where nothing was scaled."""
    before = image.clone(), mask.clone()
    cut, cropped, cropped_mask = crop(image, mask, Framing(factor, target_width, target_height, 8))
    assert cropped.shape[:3] == cropped_mask.shape == (len(image), cut.height, cut.width)
    assert cropped.min() >= 0 and cropped.max() <= 1 and (cropped_mask.max() > 0) == bool(mask.any())
    result = stitch_crops(cut, cropped, Blending(2, 16, "multiband", 1.0))

    scaled = (cut.height, cut.width) != (cut.places[0].box.height, cut.places[0].box.width)
    assert scaled or torch.equal(result.image, image)
    assert torch.equal(result.image[result.mask == 0], image[result.mask == 0])
    assert torch.equal(image, before[0]) and torch.equal(mask, before[1])


@given(st.data(), sizes(), st.sampled_from([3, 4]))
@settings(deadline=None, max_examples=100)
def test_an_unchanged_crop_gives_the_picture_back(data, size, channels):
    batch = data.draw(st.sampled_from([1, 2]))
    image, mask = data.draw(images(batch, *size, channels)), data.draw(masks(batch, *size))
    targets = data.draw(st.sampled_from([(0, 0), (0, 0), (64, 64), (96, 200), (8, 8)]))
    check_round_trip(image, mask, data.draw(st.floats(1, 3)), *targets)


@pytest.mark.parametrize("height, width, corner", [(1500, 1500, 300), (1, 1500, 1), (1500, 1, 30), (1499, 751, 740)])
@pytest.mark.parametrize("target", [0, 512])
def test_large_pictures_come_back_too(height, width, corner, target):
    mask = block(height, width, height - corner, 0, height, corner)
    check_round_trip(random(1, height, width, 3), mask, 1.2, target, target)


def test_a_crop_without_scaling_is_the_picture_there():
    image, mask = random(1, 200, 300, 3), block(1 * 200, 300, 80, 100, 120, 160)
    cut, cropped, cropped_mask = crop(image, mask, Framing(1.2, 0, 0, 8))
    assert (cut.height, cut.width) == (104, 128)  # 40 + 2 * 32 and 60 + 2 * 32, in eights
    assert torch.equal(cropped, cut.places[0].box.of(image)) and torch.equal(cropped_mask, cut.places[0].box.of(mask))


def test_what_lies_beyond_the_picture_is_mirrored():
    image, mask = random(1, 40, 300, 3), block(40, 300, 10, 100, 30, 160)
    cut, cropped, _ = crop(image, mask, Framing(1.0, 0, 0, 64))
    assert cut.places[0].box.top == -12 and cut.height == 64
    assert torch.equal(cropped[:, 12:52], image[:, :, cut.places[0].box.left : cut.places[0].box.right])
    assert torch.equal(cropped[:, 11], image[:, 1, cut.places[0].box.left : cut.places[0].box.right])


def test_islands_and_all_frames_share_one_crop():
    mask = torch.cat([block(400, 500, 100, 100, 110, 110), block(400, 500, 200, 300, 220, 330)])
    mask[0, 150, 120] = 1
    cut, cropped, cropped_mask = crop(random(2, 400, 500, 3), mask, Framing(1.0, 0, 0, 1))
    assert cut.places[0].box == Box(68, 68, 252, 362) and len(cropped) == 2
    assert cropped_mask.sum() == mask.sum()


def test_a_thin_stroke_survives_the_scaling():
    mask = torch.zeros(1, 1000, 1000)
    mask[:, 500, 100:900] = 1
    cropped_mask = crop(random(1, 1000, 1000, 3), mask, Framing(1.2, 128, 128, 8))[2]
    assert cropped_mask.max() == 1 and (cropped_mask[0].amax(0) > 0).sum() > 100


def test_an_empty_mask_crops_nothing():
    cut, cropped, cropped_mask = crop(random(1, 96, 64, 3), torch.zeros(1, 96, 64), Framing(1.2, 0, 0, 8))
    assert cropped.shape == (1, 96, 64, 3) and not cropped_mask.any()
    assert torch.equal(stitch_crops(cut, 1 - cropped, Blending(0, 16, "feather", 1.0)).image, cut.image)


def test_holes_are_filled_on_request_alone():
    outline = block(100, 100, 20, 20, 60, 60)
    outline[:, 25:55, 25:55] = 0
    assert torch.equal(fill_holes(outline), block(100, 100, 20, 20, 60, 60))
    image = random(1, 100, 100, 3)
    assert crop(image, outline, Framing(1, 0, 0, 1), True)[2].sum() == 1600
    assert crop(image, outline, Framing(1, 0, 0, 1))[2].sum() == 700
    assert fill_holes(outline * 0.5).unique().tolist() == [0, 0.5, 1]


def test_generated_pixels_land_where_the_mask_is():
    image, mask = torch.zeros(1, 300, 300, 3), block(300, 300, 140, 90, 180, 130)
    cut, cropped, cropped_mask = crop(image, mask, Framing(1.5, 256, 256, 8))
    painted = cropped_mask[..., None].expand_as(cropped).clone()
    result = stitch_crops(cut, painted, Blending(0, 0, "feather", 0.0)).image[..., 0]
    assert result[mask > 0].mean() > 0.95 and not result[mask == 0].any()


def test_the_ramp_ends_inside_the_crop():
    image, mask = random(1, 400, 400, 3), block(400, 400, 180, 180, 220, 220)
    cut, cropped, _ = crop(image, mask, Framing(1.0, 0, 0, 8))
    result = stitch_crops(cut, 1 - cropped, Blending(100, 300, "feather", 0.0))
    inside = cut.places[0].box
    outside = torch.ones(1, 400, 400, dtype=torch.bool)
    outside[:, inside.top : inside.bottom, inside.left : inside.right] = False
    assert not result.mask[outside].any() and torch.equal(result.image[outside], image[outside])


def test_a_padded_crop_and_several_results_are_put_back():
    image, mask = random(1, 100, 90, 3), block(100, 90, 40, 40, 50, 50)
    cut, cropped, _ = crop(image, mask, Framing(1.0, 0, 0, 1))
    padded = torch.nn.functional.pad(cropped, (0, 0, 3, 3, 1, 2))
    results = stitch_crops(cut, torch.cat([padded] * 3), Blending(0, 8, "multiband", 1.0)).image
    assert torch.equal(results, image.expand(3, -1, -1, -1))
    with pytest.raises(ValueError, match=r"input generated: found 10x20 pixels, wanted"):
        stitch_crops(cut, cropped[:, :20, :10], Blending(0, 8, "multiband", 1.0))


def test_boxes_hold_everything_masked_and_no_more():
    assert bounding_box(torch.zeros(2, 5, 5)) is None
    assert bounding_box(block(50, 60, 3, 7, 20, 9)) == Box(3, 7, 20, 9)
    assert Box(3, 7, 20, 9).grown(5).within(22, 60) == Box(0, 2, 22, 14)


def test_scaling_to_the_same_size_changes_nothing():
    image = random(1, 5, 7, 3)
    assert scale(image, 5, 7) is image
    assert scale(image, 50, 70).amax() <= 1 and scale(image, 50, 70).amin() >= 0


def test_cancel_is_asked_before_each_crop():
    image, mask = torch.rand(1, 200, 300, 3), torch.zeros(1, 200, 300)
    mask[:, 20:30, 20:30], mask[:, 150:160, 250:260] = 1, 1
    left = [1]
    with pytest.raises(IndexError):  # one crop is made, then the user has cancelled
        crop(image, mask, Framing(1.2, 64, 64, 8), islands="each", work=Work(None, left.pop))
    assert not left
