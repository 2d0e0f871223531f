"""Crops: where they lie, that nothing is lost or seen twice, and that the way back is exact."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures import block, images, masks, random, sizes

from latent_repaint.checks import FLOOR
from latent_repaint.pixels.composite import BLENDS, Blending
from latent_repaint.pixels.crop_stitch import crop, stitch_crops
from latent_repaint.pixels.placement import MAX_ISLANDS, Framing, check_not_video, find_islands, place
from latent_repaint.pixels.region import Box, Work, fill_holes

UNSCALED = Framing(1.0, 0, 0, 8)
HARD = Blending(0, 0, "feather", 0.0)


@st.composite
def boxes(draw: st.DrawFn) -> tuple[Box, Box]:
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


@st.composite
def scattered(draw: st.DrawFn, batch: int, height: int, width: int) -> torch.Tensor:
    """Rectangles of every size, anywhere, hard or soft."""
    mask = torch.zeros(batch, height, width)
    for one in mask:
        for _ in range(draw(st.integers(0, 5))):
            top, left = draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))
            value = draw(st.sampled_from([1.0, 0.3]))
            one[top : top + draw(st.integers(1, 30)), left : left + draw(st.integers(1, 30))] = value
    return mask


@given(st.data(), sizes(), st.sampled_from([3, 4]), st.sampled_from(["together", "each", "moving"]))
@settings(max_examples=150)
def test_every_masked_pixel_is_in_one_crop_and_comes_back_exactly(data, size, channels, islands):
    batch = data.draw(st.sampled_from([1, 1, 2, 3]))
    image = data.draw(images(batch, *size, channels))
    mask = data.draw(st.one_of(masks(batch, *size), scattered(batch, *size)))
    target = data.draw(st.sampled_from([(0, 0), (64, 64), (96, 0), (0, 72), (8, 8)]))
    framing = Framing(data.draw(st.floats(1, 2)), *target, data.draw(st.sampled_from([1, 8, 32])))
    ramps = data.draw(st.integers(0, 20)), data.draw(st.integers(0, 40))
    blending = Blending(*ramps, data.draw(st.sampled_from(BLENDS)), data.draw(st.floats(0, 1)))
    before = image.clone(), mask.clone()

    cut, cropped, cropped_mask = crop(image, mask, framing, islands=islands)
    assert cropped.shape[:3] == cropped_mask.shape == (len(cut.crops), cut.height, cut.width)
    assert not cut.height % framing.multiple and not cut.width % framing.multiple
    assert cropped.min() >= 0 and cropped.max() <= 1 and (cropped_mask.max() > 0) == bool(mask.any())
    seen = torch.zeros_like(mask)
    for k, box in cut.crops:
        box.within(*size).of(seen[k : k + 1]).add_(1)
    assert (seen[mask > FLOOR] == 1).all() and seen.max() <= 1

    painted = data.draw(st.sampled_from([None, torch.ones_like(cropped_mask), (cropped_mask > 0).float()]))
    result = stitch_crops(cut, 1 - cropped, blending, painted)
    assert torch.equal(result.image[result.mask == 0], image[result.mask == 0])
    assert not result.mask[seen == 0].any()
    assert (result.mask[mask > FLOOR] == 1).all() and result.image.shape == image.shape
    unchanged = stitch_crops(cut, cropped, blending, painted).image
    scaled = any((p.box.height, p.box.width) != (cut.height, cut.width) for p in cut.places)
    assert scaled or torch.equal(unchanged, image)
    assert torch.equal(image, before[0]) and torch.equal(mask, before[1])


def test_a_crop_without_scaling_is_the_picture_there_and_is_mirrored_beyond_it():
    image, mask = random(1, 200, 300, 3), block(200, 300, 80, 100, 120, 160)
    cut, cropped, cropped_mask = crop(image, mask, Framing(1.2, 0, 0, 8))
    assert (cut.height, cut.width) == (104, 128)  # 40 + 2 * 32 and 60 + 2 * 32, in eights
    assert torch.equal(cropped, cut.places[0].box.of(image)) and torch.equal(cropped_mask, cut.places[0].box.of(mask))
    cut, cropped, _ = crop(image[:, :40], block(40, 300, 10, 100, 30, 160), Framing(1.0, 0, 0, 64))
    box = cut.places[0].box
    assert box.top == -12 and cut.height == 64
    assert torch.equal(cropped[:, 12:52], image[:, :40, box.left : box.right])
    assert torch.equal(cropped[:, 11], image[:, 1, box.left : box.right])


def test_all_that_is_masked_in_any_frame_shares_one_crop():
    mask = torch.cat([block(400, 500, 100, 100, 110, 110), block(400, 500, 200, 300, 220, 330)])
    mask[0, 150, 120] = 1
    cut, cropped, cropped_mask = crop(random(2, 400, 500, 3), mask, Framing(1.0, 0, 0, 1))
    assert cut.places[0].box == Box(68, 68, 252, 362) and len(cropped) == 2
    assert cropped_mask.sum() == mask.sum()


def test_a_thin_stroke_survives_the_scaling():
    mask = block(1000, 1000, 500, 100, 501, 900)
    cropped_mask = crop(random(1, 1000, 1000, 3), mask, Framing(1.2, 128, 128, 8))[2]
    assert cropped_mask.max() == 1 and (cropped_mask[0].amax(0) > 0).sum() > 100


@pytest.mark.parametrize("islands", ["together", "each", "moving"])
def test_with_nothing_masked_each_crop_is_a_whole_picture(islands):
    image = random(2, 96, 64, 3)
    cut, cropped, cropped_mask = crop(image, torch.zeros(2, 96, 64), UNSCALED, islands=islands)
    assert torch.equal(cropped, image) and not cropped_mask.any()
    assert torch.equal(stitch_crops(cut, 1 - cropped, Blending()).image, image)


def test_holes_are_filled_on_request_alone():
    outline = block(100, 100, 20, 20, 60, 60)
    outline[:, 25:55, 25:55] = 0
    image = random(1, 100, 100, 3)
    assert crop(image, outline, Framing(1, 0, 0, 1), True)[2].sum() == 1600
    assert crop(image, outline, Framing(1, 0, 0, 1))[2].sum() == 700
    assert fill_holes(outline * 0.5).unique().tolist() == [0, 0.5, 1]


def test_a_padded_crop_and_several_results_are_put_back():
    image, mask = random(1, 100, 90, 3), block(100, 90, 40, 40, 50, 50)
    cut, cropped, _ = crop(image, mask, Framing(1.0, 0, 0, 1))
    padded = torch.nn.functional.pad(cropped, (0, 0, 3, 3, 1, 2))
    results = stitch_crops(cut, torch.cat([padded] * 3), Blending(0, 8, "multiband", 1.0)).image
    assert torch.equal(results, image.expand(3, -1, -1, -1))
    with pytest.raises(ValueError, match=r"input generated: found 10x20 pixels, wanted"):
        stitch_crops(cut, cropped[:, :20, :10], Blending(0, 8, "multiband", 1.0))


def test_cancel_is_asked_before_each_crop():
    image, mask = torch.rand(1, 200, 300, 3), torch.zeros(1, 200, 300)
    mask[:, 20:30, 20:30], mask[:, 150:160, 250:260] = 1, 1
    left = [1]
    with pytest.raises(IndexError):  # one crop is made, then the user has cancelled
        crop(image, mask, Framing(1.2, 64, 64, 8), islands="each", work=Work(None, left.pop))
    assert not left


def test_islands_have_their_own_scale_and_a_common_size():
    mask = torch.maximum(block(600, 900, 50, 50, 60, 60), block(600, 900, 250, 500, 400, 700))
    cut, cropped, cropped_mask = crop(random(1, 600, 900, 3), mask, Framing(1.2, 128, 128, 32), islands="each")
    small, large = (place.box for place in cut.places)
    assert cropped.shape == (2, 128, 128, 3)
    assert (small.height, small.width) == (74, 74) and (large.height, large.width) == (264, 264)
    shares = cropped_mask.mean((1, 2)).tolist()
    assert shares[0] == pytest.approx(100 / 74**2, rel=0.3) and shares[1] == pytest.approx(30000 / 264**2, rel=0.1)


@pytest.mark.parametrize("gap, crops", [(63, 1), (64, 2)])
def test_islands_whose_context_overlaps_share_a_crop(gap, crops):
    mask = torch.maximum(block(200, 400, 80, 100, 100, 120), block(200, 400, 80, 120 + gap, 100, 140 + gap))
    cut, _, _ = crop(random(1, 200, 400, 3), mask, Framing(1.0, 0, 0, 1), islands="each")
    assert len(cut.places) == crops


def test_generated_islands_land_in_their_own_places_and_variants_follow_each_other():
    mask = torch.maximum(block(300, 300, 10, 10, 30, 30), block(300, 300, 200, 220, 230, 250))
    cut, cropped, _ = crop(torch.zeros(1, 300, 300, 3), mask, UNSCALED, islands="each")
    colours = torch.tensor([0.2, 0.4, 0.6, 0.8])[:, None, None, None]
    result = stitch_crops(cut, colours.expand(4, *cropped.shape[1:]), HARD)
    found = [[float(picture[20, 20, 0]), float(picture[210, 230, 0])] for picture in result.image]
    assert torch.tensor(found).sub(torch.tensor([[0.2, 0.4], [0.6, 0.8]])).abs().max() < 1e-6
    assert not result.image[:, 100:180].any()
    with pytest.raises(ValueError, match="input generated: found 3 pictures, wanted 2, one for each crop"):
        stitch_crops(cut, cropped[[0, 0, 1]], Blending())


@pytest.mark.parametrize("islands", ["together", "each"])
def test_context_is_in_the_crop_and_is_not_painted(islands):
    mask, context = block(400, 600, 100, 100, 120, 120), block(400, 600, 300, 380, 310, 400)
    plain, _, _ = crop(random(1, 400, 600, 3), mask, UNSCALED, islands=islands)
    cut, _, cropped_mask = crop(random(1, 400, 600, 3), mask, UNSCALED, islands=islands, context_mask=context)
    box = cut.places[0].box
    assert box.top <= 68 and box.left <= 68 and box.bottom >= 310 and box.right >= 400
    assert cropped_mask.sum() == 400 and plain.places[0].box.right < 200


def test_context_goes_with_the_nearest_island():
    mask = torch.maximum(block(300, 900, 100, 100, 120, 120), block(300, 900, 100, 700, 120, 720))
    context = block(300, 900, 100, 560, 110, 570)
    cut, _, _ = crop(random(1, 300, 900, 3), mask, UNSCALED, islands="each", context_mask=context)
    assert [place.box.left <= 560 <= 570 <= place.box.right for place in cut.places] == [False, True]


@pytest.mark.parametrize("zoom", [0.5, 1.0, 3.0])
def test_what_was_painted_beyond_the_mask_is_put_back_where_the_crop_has_room(zoom):
    image, mask = torch.zeros(1, 500, 500, 3), block(500, 500, 200, 200, 260, 260)
    side = int(160 * zoom)
    cut, cropped, cropped_mask = crop(image, mask, Framing(160 / 60, side, side, 8))
    painted = torch.nn.functional.max_pool2d(cropped_mask, 17, 1, 8)
    for shown, reach in ((None, 0), (painted, 8 / zoom)):
        found = stitch_crops(cut, torch.ones_like(cropped), Blending(0, 16, "feather", 0.0), shown).mask
        assert float(found[0, :, 230].nonzero()[0]) == pytest.approx(200 - reach - 15, abs=2 + 1 / zoom)
    everything = stitch_crops(cut, torch.ones_like(cropped), Blending(3, 16), torch.ones_like(cropped_mask))
    box = cut.places[0].box
    assert box.of(everything.mask)[0, 19:-19, 19:-19].eq(1).all()
    edge = torch.ones(1, 500, 500, dtype=torch.bool)
    edge[:, box.top + 1 : box.bottom - 1, box.left + 1 : box.right - 1] = False
    assert not everything.mask[edge].any()


def test_too_many_islands_and_frames_of_a_video_are_refused():
    dots = torch.zeros(1, 1700, 1700)
    dots[:, ::99, ::99] = 1
    with pytest.raises(ValueError, match=f"input mask: found 324 islands, wanted {MAX_ISLANDS} at most"):
        find_islands(dots, dots[:0])
    assert len(find_islands(dots[:, :1500, :1500], dots[:0])) == MAX_ISLANDS
    wide = torch.nn.functional.interpolate(random(1, 3, 12, 12), (80, 120), mode="bicubic").clamp(0, 1)
    video = torch.stack([wide[0, :, :, 2 * t : 2 * t + 90].movedim(0, -1) for t in range(9)])
    mask = block(80, 90, 20, 20, 40, 40).expand(9, -1, -1)
    with pytest.raises(ValueError, match="input islands: found each for 9 pictures that look like .* wanted moving"):
        crop(video, mask, UNSCALED, islands="each")
    variants = video[:1].repeat(9, 1, 1, 1)
    variants[:, 20:40, 20:40] = random(9, 20, 20, 3)  # nine ways to fill one hole
    for no_video in (video[:4], random(9, 80, 90, 3), variants):
        check_not_video(no_video)
