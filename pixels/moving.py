"""A crop for each frame of a video, which moves smoothly with the mask."""

from bisect import bisect_left
from collections.abc import Sequence
from math import ceil
from typing import NamedTuple

import torch
from torch import Tensor

from .islands import Place, place_together
from .placement import Framing, fitted, needed
from .region import Box, bounding_box

SMOOTHING = 4.0
"""Frames: the standard deviation of the Gaussian that the centres are smoothed with, a quarter of a second at 16 frames
a second."""

ROUNDING = 1e-6
"""Pixels by which a mean of whole numbers may miss one."""


class Path(NamedTuple):
    """The centre of a stretch in each frame, in pixels, (T,), and how long the stretch is in all of them."""

    centres: Tensor
    length: int

    def starts(self, length: int, limit: int) -> list[int]:
        """Where stretches of `length` pixels about the centres begin, inside 0..limit-1 if they fit."""
        if length >= limit:
            return [(limit - length) // 2] * len(self.centres)
        return (self.centres - length / 2 + ROUNDING).floor().clamp(0, limit - length).int().tolist()


def place_moving(mask: Tensor, context: Tensor | None, framing: Framing) -> tuple[list[Place], int, int]:
    """A box for each frame around everything masked in it. All are of one size, and their centres move smoothly.

    Each shows what `place` would show of its frame alone. A frame with nothing masked has its box on the way between
    its neighbours'. For arguments and result see `place_together`.
    """
    picture = Box(0, 0, *mask.shape[1:])
    masked = [bounding_box(one[None]) for one in mask]
    shown = [None if context is None else bounding_box(one[None]) for one in (mask if context is None else context)]
    needs = [box and needed(box, picture, framing, more) for box, more in zip(masked, shown, strict=True)]
    known = [need for need in needs if need]
    if not known:
        return place_together(mask, context, framing)
    frames = [k for k, need in enumerate(needs) if need]

    def path(ends: list[tuple[int, int]], lengths: list[int], limit: int) -> Path:
        return smooth_path(ends, lengths, limit, frames, len(mask))

    vertical = path([(n.centre.top, n.centre.bottom) for n in known], [n.height for n in known], picture.height)
    horizontal = path([(n.centre.left, n.centre.right) for n in known], [n.width for n in known], picture.width)
    height, width, *size = fitted(vertical.length, horizontal.length, framing)
    corners = zip(vertical.starts(height, picture.height), horizontal.starts(width, picture.width), strict=True)
    places = [
        Place(range(k, k + 1), Box(top, left, top + height, left + width)) for k, (top, left) in enumerate(corners)
    ]
    return places, size[0], size[1]


def smooth_path(
    ends: Sequence[tuple[int, int]], lengths: Sequence[int], limit: int, frames: Sequence[int], total: int
) -> Path:
    r"""The path of a stretch along one axis,

    .. math:: s = g_\sigma * c, \qquad L = \max_t\, (l_t + 2\,|s_t - c_t|)

    with c_t the centre of what frame t must show, l_t its length, and g the Gaussian of `SMOOTHING` frames. L is so
    long that nothing is lost although the path does not follow every jolt. Beyond its ends the path goes on as it came
    (odd reflection), so that a steady motion stays as it is. Where L would reach around all that any frame must show,
    the stretch does that and stands still.

    Arguments:
        ends: what the stretch is centred on, first pixel and the one after the last, n pairs.
        lengths: what it shows at least, in pixels, n.
        limit: pixels of the picture along the axis.
        frames: their numbers, rising, n; the others have nothing to show.
        total: T, frames in all.
    """
    length = torch.tensor(lengths, dtype=torch.float64)
    wanted = torch.tensor(ends, dtype=torch.float64).mean(1).clamp(length / 2, limit - length / 2)
    centres = _smoothed(torch.tensor([_between(frames, wanted.tolist(), t) for t in range(total)], dtype=torch.float64))
    longest = float((length + 2 * (centres[list(frames)] - wanted).abs()).max())
    first, end = float((wanted - length / 2).min()), float((wanted + length / 2).max())
    if longest >= end - first:
        centres, longest = torch.full_like(centres, (first + end) / 2), end - first
    return Path(centres, ceil(longest - ROUNDING))


def _between(frames: Sequence[int], values: Sequence[float], t: int) -> float:
    """The value at frame t on the straight line between those around it; before the first and after the last, that."""
    after = bisect_left(frames, t)
    if after in (0, len(frames)):
        return values[min(after, len(frames) - 1)]
    here, there = frames[after - 1], frames[after]
    return values[after - 1] + (values[after] - values[after - 1]) * (t - here) / (there - here)


def _smoothed(path: Tensor) -> Tensor:
    """The path (T,) after the Gaussian, which leaves the straight line from its first point to its last as it is."""
    last = max(len(path) - 1, 1)
    line = path[0] + (path[-1] - path[0]) * torch.arange(len(path)).double() / last
    offsets = torch.arange(-int(4 * SMOOTHING), int(4 * SMOOTHING) + 1)
    weights = torch.softmax(-0.5 * (offsets.double() / SMOOTHING) ** 2, 0)
    position = (torch.arange(len(path))[:, None] + offsets) % (2 * last)
    mirrored = position > last
    off_line = (path - line)[torch.where(mirrored, 2 * last - position, position).clamp(max=len(path) - 1)]
    return line + (torch.where(mirrored, -off_line, off_line) * weights).sum(1)
