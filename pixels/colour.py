"""The colour shift of a decoded picture, measured where the truth is known and carried on into the hole."""

import torch
import torch.nn.functional as F
from torch import Tensor

from .fill import membrane

CELL = 8
"""Pixels over which the shift is averaged: coarse enough to be colour and not detail, fine enough to follow shading."""

SAME_CONTENT = 32 / 255
"""Farther than this from the median difference, two pixels do not show the same thing in two colours."""


def colour_shift(original: Tensor, generated: Tensor, ring: Tensor) -> Tensor:
    r"""What to add to the generated picture,

    .. math:: c = \operatorname{upsample}\, u, \qquad u = \overline{x - y} \text{ on cells that touch the ring},
              \quad \Delta u = 0 \text{ on all others}

    with the bar an average over the ring's pixels in cells of 8x8. New content that reaches into the ring does not
    count: pixels are left out whose difference is far from the median of the ring.

    Arguments:
        original, generated: x and y, (1, C, H, W).
        ring: (1, 1, H, W), bool; where x is what y should be. Empty: no shift.

    Returns:
        (1, C, H, W), smooth.
    """
    height, width = ring.shape[-2:]
    difference = original - generated
    if not ring.any():
        return torch.zeros_like(difference)
    median = difference[..., ring[0, 0]].median(dim=2).values[..., None, None]
    ring = ring & ((difference - median).abs().amax(1, keepdim=True) <= SAME_CONTENT)
    weight = F.avg_pool2d(ring.to(original), CELL, ceil_mode=True)
    mean = F.avg_pool2d(difference * ring, CELL, ceil_mode=True) / weight.clamp(min=1e-6)
    cells = membrane(mean, weight > 0)
    return F.interpolate(cells, scale_factor=CELL, mode="bilinear")[..., :height, :width]
