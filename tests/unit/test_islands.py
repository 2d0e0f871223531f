"""A crop for each island: where they lie, that nothing is lost or seen twice, and that each comes back in its place."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures import block, images, masks, random, sizes

from latent_repaint.checks import FLOOR
from latent_repaint.pixels.composite import BLENDS, Blending
from latent_repaint.pixels.crop_stitch import crop, stitch_crops
from latent_repaint.pixels.placement import MAX_ISLANDS, Framing, check_not_video, find_islands
from latent_repaint.pixels.region import Box

UNSCALED = Framing(1.0, 0, 0, 8)
targets = st.sampled_from([(0, 0), (64, 64), (96, 0), (0, 72), (8, 8)])


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


def boxes_disjoint(boxes: list[Box]) -> bool:
    pairs = [(a, b) for i, a in enumerate(boxes) for b in boxes[:i]]
    return all(a.bottom <= b.top or b.bottom <= a.top or a.right <= b.left or b.right <= a.left for a, b in pairs)


def check_crops(image, mask, framing, blending, painted_mask=None):
    """What holds for every mask: crops of one size, every masked pixel in exactly one, and the way back exact."""
    cut, cropped, cropped_mask = crop(image, mask, framing, islands="each")
    assert cropped.shape[:3] == cropped_mask.shape == (len(cut.places), cut.height, cut.width)
    assert not cut.height % framing.multiple and not cut.width % framing.multiple
    seen = torch.zeros_like(mask)
    for k in range(len(mask)):
        boxes = [place.box.within(*mask.shape[1:]) for place in cut.places if place.pictures == range(k, k + 1)]
        assert boxes_disjoint(boxes)
        for box in boxes:
            box.of(seen[k : k + 1]).add_(1)
    assert (seen[mask > FLOOR] == 1).all()

    painted = None if painted_mask is None else painted_mask(cropped_mask)
    result = stitch_crops(cut, 1 - cropped, blending, painted)
    assert torch.equal(result.image[result.mask == 0], image[result.mask == 0])
    assert not result.mask[seen == 0].any()
    assert (result.mask[mask > FLOOR] == 1).all() and result.image.shape == image.shape
    unchanged = stitch_crops(cut, cropped, blending, painted).image
    same_scale = [(p.box.height, p.box.width) == (cut.height, cut.width) for p in cut.places]
    assert not all(same_scale) or torch.equal(unchanged, image)
    return cut, result


@given(st.data(), sizes(), st.sampled_from([3, 4]), targets)
@settings(deadline=None, max_examples=150)
def test_every_island_is_in_one_crop_and_comes_back_exactly(data, size, channels, target):
    batch = data.draw(st.sampled_from([1, 1, 2, 3]))
    image = data.draw(images(batch, *size, channels))
    mask = data.draw(st.one_of(masks(batch, *size), scattered(batch, *size)))
    framing = Framing(data.draw(st.floats(1, 2)), *target, data.draw(st.sampled_from([1, 8, 32])))
    blending = Blending(
        data.draw(st.integers(0, 20)),
        data.draw(st.integers(0, 40)),
        data.draw(st.sampled_from(BLENDS)),
        data.draw(st.floats(0, 1)),
    )
    painted = data.draw(st.sampled_from([None, torch.ones_like, lambda m: (m > 0).float()]))
    check_crops(image, mask, framing, blending, painted)


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


def test_each_picture_of_a_batch_has_its_own_crop_and_an_unmasked_one_has_none():
    mask = torch.cat([block(300, 300, 10, 10, 20, 20), torch.zeros(1, 300, 300), block(300, 300, 200, 100, 230, 140)])
    image = random(3, 300, 300, 3)
    cut, result = check_crops(image, mask, UNSCALED, Blending())
    assert [place.pictures[0] for place in cut.places] == [0, 2]
    assert torch.equal(result.image[1], image[1])
    for k in (0, 2):
        alone, _, _ = crop(image[k : k + 1], mask[k : k + 1], Framing(1.0, 64, 64, 8), islands="each")
        batch, _, _ = crop(image, mask, Framing(1.0, 64, 64, 8), islands="each")
        assert alone.places[0].box == batch.places[k // 2].box


def test_with_nothing_masked_each_crop_is_a_whole_picture():
    cut, cropped, _ = crop(random(2, 64, 96, 3), torch.zeros(2, 64, 96), UNSCALED, islands="each")
    assert torch.equal(cropped, cut.image)
    assert torch.equal(stitch_crops(cut, 1 - cropped, Blending()).image, cut.image)


def test_generated_islands_land_in_their_own_places_and_variants_follow_each_other():
    mask = torch.maximum(block(300, 300, 10, 10, 30, 30), block(300, 300, 200, 220, 230, 250))
    image = torch.zeros(1, 300, 300, 3)
    cut, cropped, _ = crop(image, mask, UNSCALED, islands="each")
    colours = torch.tensor([0.2, 0.4, 0.6, 0.8])[:, None, None, None]
    result = stitch_crops(cut, colours.expand(4, *cropped.shape[1:]), Blending(0, 0, "feather", 0.0))
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
    islands = find_islands(mask, context)
    assert [island.shown for island in islands] == [None, Box(100, 560, 110, 570)]
    cut, _, _ = crop(random(1, 300, 900, 3), mask, UNSCALED, islands="each", context_mask=context)
    assert cut.places[1].box.left <= 560 and len(cut.places) == 2


@pytest.mark.parametrize("zoom", [0.5, 1.0, 3.0])
def test_what_was_painted_beyond_the_mask_is_put_back_where_the_crop_has_room(zoom):
    image, mask = torch.zeros(1, 500, 500, 3), block(500, 500, 200, 200, 260, 260)
    side = int(160 * zoom)
    cut, cropped, cropped_mask = crop(image, mask, Framing(160 / 60, side, side, 8))
    painted = torch.nn.functional.max_pool2d(cropped_mask, 17, 1, 8)
    plain, whole = (
        stitch_crops(cut, torch.ones_like(cropped), Blending(0, 16, "feather", 0.0), p) for p in (None, painted)
    )
    grown = 8 / zoom
    for result, reach in ((plain, 0), (whole, grown)):
        top = float(result.mask[0, :, 230].nonzero()[0])
        assert top == pytest.approx(200 - reach - 15, abs=2 + 1 / zoom)
    everything = stitch_crops(cut, torch.ones_like(cropped), Blending(3, 16), torch.ones_like(cropped_mask))
    box = cut.places[0].box
    assert box.of(everything.mask)[0, 19:-19, 19:-19].eq(1).all()
    edge = torch.ones(1, 500, 500, dtype=torch.bool)
    edge[:, box.top + 1 : box.bottom - 1, box.left + 1 : box.right - 1] = False
    assert not everything.mask[edge].any()


def test_a_painted_mask_that_does_not_fit_is_refused():
    cut, cropped, cropped_mask = crop(random(2, 90, 90, 3), block(90, 90, 40, 40, 50, 50).expand(2, -1, -1), UNSCALED)
    with pytest.raises(ValueError, match="input painted_mask: found a batch of 3, wanted one that divides 2"):
        stitch_crops(cut, cropped, Blending(), cropped_mask[[0, 0, 0]])
    with pytest.raises(ValueError, match="input painted_mask: found 40x7 pixels"):
        stitch_crops(cut, cropped, Blending(), torch.ones(1, 7, 40))


def test_too_many_islands_and_frames_of_a_video_are_refused():
    dots = torch.zeros(1, 1700, 1700)
    dots[:, ::99, ::99] = 1
    with pytest.raises(ValueError, match=f"input mask: found 324 islands, wanted {MAX_ISLANDS} at most"):
        find_islands(dots, dots[:0])
    wide = torch.nn.functional.interpolate(random(1, 3, 12, 12), (80, 120), mode="bicubic").clamp(0, 1)
    video = torch.stack([wide[0, :, :, 2 * t : 2 * t + 90].movedim(0, -1) for t in range(9)])
    mask = block(80, 90, 20, 20, 40, 40).expand(9, -1, -1)
    with pytest.raises(ValueError, match="input islands: found each for 9 pictures that look like .* wanted moving"):
        crop(video, mask, UNSCALED, islands="each")
    crop(video, mask, UNSCALED)
    check_not_video(video[:4])
    check_not_video(random(9, 80, 90, 3))
    variants = video[:1].repeat(9, 1, 1, 1)
    variants[:, 20:40, 20:40] = random(9, 20, 20, 3)
    check_not_video(variants)  # nine ways to fill one hole
