"""Ramps around a mask, and blending that gives each band of frequencies a ramp as wide as its waves."""

import torch
import torch.nn.functional as F
from torch import Tensor

from .fill import membrane


def ramp(distance: Tensor, start: float, width: float) -> Tensor:
    r"""A smooth step down, outward from the mask,

    .. math:: w = t^2 (3 - 2t), \qquad t = (\text{start} + \text{width} - d) / \text{width}, \text{ cut to } 0..1

    1 up to a distance d of `start` pixels, 0 from `start + width` on; a hard edge if the width is 0.
    """
    t = ((start + width - distance) / max(width, 1)).clamp(0, 1)
    return torch.where(distance <= start, 1.0, t * t * (3 - 2 * t))


def multiband(original: Tensor, generated: Tensor, distance: Tensor, start: int, width: int) -> Tensor:
    r"""Blends band by band,

    .. math:: z = x + \sum_{l=0}^{L} w_l\, (G_l - G_{l+1})\, \delta, \qquad G_0 = 1, \quad G_{L+1} = 0

    where G_l is a low-pass of 2^l pixels, w_l the `ramp` of width / 2^(L-l) pixels, and delta = y - x outside the
    first ramp's start. Inside, delta is carried on from there, so that what the original shows there has no say. Fine
    detail changes over within a few pixels and cannot show double; colour changes over the whole width and cannot show
    an edge. A decimated pyramid spreads beyond the ramp; this sum is x wherever the widest ramp is 0.

    References:
        Burt and Adelson, A multiresolution spline with application to image mosaics, 1983.

    Arguments:
        original, generated: x and y, (B, C, H, W).
        distance: d, to the mask in pixels, (B, 1, H, W).
        start, width: of the widest ramp, in pixels.

    Returns:
        z, (B, C, H, W), of use where d > start.
    """
    levels = bands(width)
    difference = band_and_below = membrane(generated - original, distance > start, 0, levels + 1)
    blended = original
    for level in range(levels):
        below = _low_pass(difference, 2 ** (level + 1))
        blended = blended + ramp(distance, start, width / 2 ** (levels - level)) * (band_and_below - below)
        band_and_below = below
    return blended + ramp(distance, start, width) * band_and_below


def bands(width: int) -> int:
    """How many bands are split off: so many that the narrowest ramp is 2 or 3 pixels wide."""
    return max(width.bit_length() - 2, 0)


def _low_pass(x: Tensor, pixels: int) -> Tensor:
    """On a grid of so many pixels that begins at the first one, whatever the size."""
    height, width = x.shape[-2:]
    x = F.pad(x, (0, -width % pixels, 0, -height % pixels), mode="replicate")
    small = F.interpolate(x, scale_factor=1 / pixels, mode="bilinear", antialias=True)
    return F.interpolate(small, scale_factor=float(pixels), mode="bilinear")[..., :height, :width]
