"""Whether the generated picture belongs to the original: measured where nothing was painted."""

import torch
from pictures import landscape, random, rectangle, shifted

from latent_repaint.pixels.report import APART, FOREIGN, LEAST, Kept, compare_kept


def test_another_colour_and_new_content_are_not_another_picture():
    (original,), (mask,) = landscape(), rectangle()
    generated = shifted(original[None])[0].clone()
    generated[mask > 0] = 0
    found = compare_kept(original, generated, mask)
    assert found.difference < FOREIGN / 4 and found.correlation > 0.98
    around = torch.nn.functional.max_pool2d(mask[None], 2 * 24 + 1, 1, 24)[0] > 0  # the cells that Encode adds
    generated[around] = 0
    found = compare_kept(original, generated, mask)
    assert found.difference < FOREIGN / 4 and found.correlation > 0.98


def test_a_large_difference_alone_does_not_make_another_picture():
    """A poor VAE, or contrast changed on purpose: what is bright stays bright."""
    (original,), (mask,) = landscape(), rectangle()
    found = compare_kept(original, 0.2 * original, mask)
    assert found.difference > FOREIGN and found.correlation > 0.99 and found.doubt == 0


def test_another_picture_is_one():
    (original,), (mask,) = landscape(), rectangle()
    assert compare_kept(original, original.flip(1), mask).doubt > FOREIGN
    assert compare_kept(original, original.flip(1), mask, APART // 3, 2.5).doubt > FOREIGN


def test_nothing_is_said_of_too_little():
    x, y = random(64, 64, 3), torch.zeros(64, 64, 3)
    assert compare_kept(x, y, torch.zeros(64, 64)) == Kept()
    mask = torch.zeros(64, 64)
    mask[20:40, 20:40] = 1  # no block is 40 pixels away from it
    assert compare_kept(x, y, mask) == Kept()
    mask = torch.ones(64, 64)
    mask[:8, : 8 * (LEAST - 1)] = 0
    assert compare_kept(x, y, mask, 0) == Kept()
    mask[:16] = 0
    assert compare_kept(x, y, mask, 0).difference > 0


def test_a_crop_that_was_made_smaller_is_compared_over_larger_blocks():
    """Noise that a crop of an eighth of the size cannot hold: blocks of 8 pixels differ, their surroundings do not."""
    grain = torch.rand(512, 512, 3, generator=torch.Generator().manual_seed(0))
    mask = torch.zeros(512, 512)
    mask[:64, :64] = 1
    flat = torch.full_like(grain, 0.5)
    plain, larger = (compare_kept(grain, flat, mask, 0, times).difference for times in (1.0, 8.0))
    assert larger < 0.3 * plain
