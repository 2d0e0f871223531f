"""The parts around a mask's edge: they hold all of it, do not overlap, and leave no trace of where they meet."""

from unittest.mock import patch

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pictures import block, masks, random, sizes

from latent_repaint.checks import FLOOR
from latent_repaint.pixels import composite as composite_module
from latent_repaint.pixels import region
from latent_repaint.pixels.composite import BLENDS, Blending, composite
from latent_repaint.pixels.region import Box, Work, distance_to_mask


@given(st.data(), sizes(), st.integers(0, 70), st.integers(0, 200))
def test_parts_hold_every_pixel_within_reach_once(data, size, reach, halo):
    mask = data.draw(masks(1, *size))[0] > FLOOR
    found = torch.zeros(size)
    with patch.object(region, "MAX_PART", data.draw(st.sampled_from([64, 256, 1024]))):
        parts = region.parts(mask, reach, halo)
    for part in parts:
        assert part.height > 0 and part.width > 0
        part.of_one(found).add_(1)
    distance = distance_to_mask(mask[None].float())[0]
    assert (found[(distance > 0) & (distance <= reach)] == 1).all() and found.max() <= 1


@pytest.mark.parametrize("blend", BLENDS)
@pytest.mark.parametrize("width", [0, 5, 16, 64])
def test_it_does_not_show_where_parts_meet(blend, width):
    """Cut into as many parts as there are tiles, or into one: the same picture."""
    size = 500, 700
    smooth = torch.nn.functional.interpolate(random(2, 3, 25, 35), size, mode="bicubic").clamp(0, 1)
    original, generated = (x[None].movedim(1, -1) for x in smooth)
    mask = torch.maximum(block(*size, 130, 90, 390, 410), block(*size, 300, 350, 450, 520))
    blending = Blending(3, width, blend, 1.0)
    with patch.object(region, "MAX_PART", 64), patch.object(composite_module, "parts", wraps=region.parts) as called:
        in_parts = composite(original, generated, mask, blending)
        assert len(region.parts(*called.call_args.args)) > 3
    with patch.object(composite_module, "parts", lambda mask, reach, halo: [Box(0, 0, *mask.shape)]):
        in_one = composite(original, generated, mask, blending)
    assert torch.equal(in_parts.mask, in_one.mask)
    assert (in_parts.image - in_one.image).abs().max() < 1e-5


def test_work_stops_between_parts_when_the_user_asks():
    image, mask, calls = random(1, 1500, 1500, 3), block(1500, 1500, 40, 40, 1400, 1400), []

    def stop() -> None:
        calls.append(1)
        if len(calls) > 3:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        composite(image, 1 - image, mask, Blending(), Work(None, stop))
    assert len(calls) == 4
