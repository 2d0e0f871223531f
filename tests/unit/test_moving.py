"""A crop that moves with the mask of a video: nothing is lost, it moves smoothly, and the way back is exact."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from latent_repaint.pixels.placement import Framing, place_moving
from latent_repaint.pixels.region import Box, bounding_box

framings = st.builds(
    Framing, st.floats(1, 2), st.sampled_from([0, 64, 96]), st.sampled_from([0, 40, 64]), st.sampled_from([1, 8, 32])
)


@st.composite
def clips(draw: st.DrawFn) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Masks (T, H, W) with a rectangle or nothing in each frame, anywhere, hard or soft; and perhaps context masks."""
    frames, height, width = draw(st.integers(1, 9)), draw(st.integers(1, 300)), draw(st.integers(1, 300))

    def drawn() -> torch.Tensor:
        masks = torch.zeros(frames, height, width)
        for one in masks:
            top, left = draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))
            size = draw(st.integers(0, 60)), draw(st.integers(1, 60))
            one[top : top + size[0], left : left + size[1]] = draw(st.sampled_from([1.0, 0.4]))
        return masks

    return drawn(), draw(st.sampled_from([None, drawn()]))


@given(clips(), framings)
@settings(max_examples=150)
def test_every_box_is_in_reach_of_all_that_its_frame_must_show(clip, framing):
    mask, context = clip
    places, height, width = place_moving(mask, context, framing)
    assert [where.pictures for where in places] == [range(k, k + 1) for k in range(len(mask))] or not mask.any()
    assert len({(where.box.height, where.box.width) for where in places}) == 1
    assert height % framing.multiple == 0 and width % framing.multiple == 0
    for k, where in enumerate(places if mask.any() else []):
        box = where.box.within(*mask.shape[1:])
        if masked := bounding_box(mask[k : k + 1]):
            ring = masked.grown(31).within(*mask.shape[1:])  # for the blending and the colours
            shown = None if context is None else bounding_box(context[k : k + 1])
            assert all(one is None or box.united(one) == box for one in (ring, shown))


def moved(centres: list[tuple[float, float]], side: int, limit: int) -> torch.Tensor:
    """Masks (T, limit, limit), each with a square about a centre, or with nothing for None."""
    masks = torch.zeros(len(centres), limit, limit)
    for one, centre in zip(masks, centres, strict=True):
        if centre:
            top, left = (round(x) - side // 2 for x in centre)
            one[top : top + side, left : left + side] = 1
    return masks


def steps(mask: torch.Tensor, framing: Framing) -> tuple[list[int], list[int], Box]:
    """Pixels that the box moves from frame to frame, down and to the right, and the first box."""
    boxes = [where.box for where in place_moving(mask, None, framing)[0]]
    pairs = list(zip(boxes, boxes[1:], strict=False))
    return [b.top - a.top for a, b in pairs], [b.left - a.left for a, b in pairs], boxes[0]


@pytest.mark.parametrize("speed", [0, 0.3, 1, 2.5, 7])
def test_a_box_moves_as_steadily_as_its_mask_and_is_as_small(speed):
    mask = moved([(120 + speed * t, 400 - speed * t) for t in range(33)], 30, 520)
    down, right, first = steps(mask, Framing(1.2, 0, 0, 1))
    assert all(math.floor(speed) <= step <= math.ceil(speed) for step in down)
    assert all(-math.ceil(speed) <= step <= -math.floor(speed) for step in right)
    assert first.height <= 94 + 2 and first.width <= 94 + 2  # 30 + 2 * 32, and what rounding moves the mask by


def test_a_shaking_mask_does_not_shake_the_box():
    mask = moved([(150 + 9 * (-1) ** t, 100 + 3 * t + 9 * (-1) ** t) for t in range(49)], 40, 400)
    down, right, first = steps(mask, Framing(1.0, 0, 0, 1))
    inner = slice(16, -16)  # near its ends the path has less to go by
    assert all(abs(step) <= 1 for step in down) and all(2 <= step <= 4 for step in right[inner])
    assert first.height <= 104 + 2 * 18 + 2


def test_frames_without_a_mask_lie_on_the_way():
    there = [(100 + 4 * t, 200) if t % 5 in (0, 1) else None for t in range(31)]
    down, right, _ = steps(moved(there, 20, 400), Framing(1.0, 0, 0, 1))
    assert all(step == 4 for step in down[:30]) and not any(right)
    at_the_end = [None] * 8 + [(100, 200)] * 3 + [None] * 8
    assert not any(sum(steps(moved(at_the_end, 20, 400), Framing(1.0, 0, 0, 1))[:2], []))
