"""What small inputs may grow into: no workflow must be able to ask for all the memory there is."""

import pytest
import torch

from latent_repaint.checks import MAX_PIXELS, check_mask, match_batches
from latent_repaint.pixels.composite import Blending
from latent_repaint.pixels.crop_stitch import Cut, crop, stitch_crops
from latent_repaint.pixels.placement import Framing, PlacedCrop
from latent_repaint.pixels.region import Box


@pytest.mark.parametrize(
    ("size", "width", "height", "multiple"),
    [
        ((1, 1, 8192, 3), 0, 8192, 1),  # a line, scaled until its other side is 67 million pixels long
        ((1, 1024, 1024, 3), 8192, 1, 1),  # an aspect for which the picture would be mirrored 8192 times
        ((4096, 8, 8, 3), 8192, 8192, 8),  # many small ones, each made large
    ],
)
def test_a_crop_is_bounded_in_what_it_cuts_and_in_what_it_makes(size, width, height, multiple):
    image = torch.zeros(1, 1, 1, 1).expand(size)
    with pytest.raises(ValueError, match="inputs output_target_width, output_target_height: found [0-9]+ pictures of"):
        crop(image, image[..., 0], Framing(1.0, width, height, multiple))


def test_what_is_repeated_or_put_back_is_bounded():
    picture = torch.zeros(1, 1, 1, 1).expand(1, 4096, 4096, 3)
    masks = check_mask("mask", torch.zeros(4096, 1, 1), picture)
    with pytest.raises(ValueError, match="input image: found 4096 pictures of 4096x4096 pixels"):
        match_batches(image=picture, mask=masks)
    cut = Cut(picture, picture[..., 0], [PlacedCrop(range(1), Box(0, 0, 4096, 4096))], 8, 8)
    with pytest.raises(ValueError, match=f"input generated: found .* wanted at most {MAX_PIXELS} pixels"):
        stitch_crops(cut, torch.zeros(32, 8, 8, 3), Blending())
