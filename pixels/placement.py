"""Where crops lie in a picture, and the size that they are scaled to: one around all that is masked, one for each
island of it, or one for each frame of a video, which moves smoothly with the mask."""

from collections.abc import Sequence
from math import ceil
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from scipy import ndimage, sparse
from torch import Tensor

from ..checks import FLOOR
from .region import Box, bounding_box

MIN_CONTEXT = 32
"""Pixels that a crop shows around the mask at least, so that blending and colour matching have their ring."""

MAX_ISLANDS = 256
"""Of one picture, after those have been joined whose crops overlap in any case."""

MIN_FRAMES = 5
"""The shortest video that a model makes, 4k + 1 frames; fewer pictures are no video."""

SMOOTHING = 4.0
"""Frames: the standard deviation of the Gaussian that the centres are smoothed with, a quarter of a second at 16 frames
a second."""

ROUNDING = 1e-6
"""Pixels by which a mean of whole numbers may miss one."""


class Framing(NamedTuple):
    """What a crop shall show, and how large it shall be.

    Attributes:
        context_factor: the crop against the mask's own box, in width and height, >= 1.
        target_width, target_height: pixels of the crop; 0: by the other one and the box's aspect; both 0: no scaling.
        multiple: the crop's sides are rounded up to multiples of this many pixels.
    """

    context_factor: float
    target_width: int
    target_height: int
    multiple: int


def place(
    masked: Box, picture: Box, framing: Framing, shown: Box | None = None, least: tuple[int, int] = (0, 0)
) -> tuple[Box, int, int]:
    """The box of the crop in the picture, and the height and width that it is scaled to.

    The box has the aspect of the crop, so that nothing is distorted by more than half a pixel in its side. It is
    centred on the mask and then moved into the picture; a side longer than the picture's reaches beyond both its ends.

    Arguments:
        masked: what is regenerated.
        picture: the whole picture.
        framing: see `Framing`.
        shown: what must be in the crop, too.
        least: height and width that the scaled crop has at least, so that several are of one size.
    """
    demand = needed(masked, picture, framing, shown)
    height, width, out_height, out_width = fitted(demand.height, demand.width, framing, least)
    top = start_about(demand.centre.top, demand.centre.bottom, height, picture.height)
    left = start_about(demand.centre.left, demand.centre.right, width, picture.width)
    return Box(top, left, top + height, left + width), out_height, out_width


class Needed(NamedTuple):
    """What a crop is centred on, and how many pixels it shows at least."""

    centre: Box
    height: int
    width: int


def needed(masked: Box, picture: Box, framing: Framing, shown: Box | None) -> Needed:
    """What the crop of something masked must show; for the arguments see `place`."""
    height = min(_with_context(masked.height, framing), picture.height)
    width = min(_with_context(masked.width, framing), picture.width)
    if shown is None:
        return Needed(masked, height, width)
    top = start_about(masked.top, masked.bottom, height, picture.height)
    left = start_about(masked.left, masked.right, width, picture.width)
    around = Box(top, left, top + height, left + width).united(shown)
    return Needed(around, around.height, around.width)


def fitted(height: int, width: int, framing: Framing, least: tuple[int, int] = (0, 0)) -> tuple[int, int, int, int]:
    """The height and width of a box that shows so many pixels at least and has the aspect of the crop, and the height
    and width that it is scaled to."""
    if framing.target_width and framing.target_height:
        zoom = min(framing.target_width / width, framing.target_height / height)
    else:
        zoom = (framing.target_width / width or framing.target_height / height) or 1.0
    out_height = max(_rounded_up(framing.target_height or height * zoom, framing.multiple), least[0])
    out_width = max(_rounded_up(framing.target_width or width * zoom, framing.multiple), least[1])
    return round(out_height / zoom), round(out_width / zoom), out_height, out_width


def _with_context(length: int, framing: Framing) -> int:
    return max(round(length * framing.context_factor), length + 2 * MIN_CONTEXT)


def _rounded_up(length: float, multiple: int) -> int:
    whole = round(length)
    if abs(length - whole) < 1e-6:  # 294 * (640 / 294) is 640.0000000000001, and that is not one pixel more
        length = whole
    return -int(-length // multiple) * multiple


def start_about(first: int, end: int, length: int, limit: int) -> int:
    """Where a stretch of `length` pixels about the middle of first..end-1 begins, inside 0..limit-1 if it fits."""
    if length >= limit:
        return (limit - length) // 2
    return min(max((first + end - length) // 2, 0), limit - length)


class PlacedCrop(NamedTuple):
    """A crop of some pictures of a batch, the same box in each of them. The box may reach beyond the picture."""

    pictures: range
    box: Box


class Island(NamedTuple):
    """A part of the mask of one picture, and what its crop must show beside it, if anything."""

    masked: Box
    shown: Box | None


def place_together(mask: Tensor, context: Tensor | None, framing: Framing) -> tuple[list[PlacedCrop], int, int]:
    """One box for all pictures, around everything masked in any of them; around the whole picture if nothing is.

    Arguments:
        mask: (B, H, W).
        context: what must be in the crop, too, (B, H, W), or None.
        framing: see `Framing`.

    Returns:
        The place, and the crop's height and width.
    """
    picture = Box(0, 0, *mask.shape[1:])
    shown = None if context is None else bounding_box(context)
    box, height, width = place(bounding_box(mask) or picture, picture, framing, shown)
    return [PlacedCrop(range(len(mask)), box)], height, width


def place_each(mask: Tensor, context: Tensor | None, framing: Framing) -> tuple[list[PlacedCrop], int, int]:
    """A box for each island of each picture. Where boxes of a picture would overlap, their islands share one.

    All crops have one size, as a batch must have. Pictures without anything masked have no crop, unless none has.
    For arguments and result see `place_together`.

    Raises:
        ValueError: if a picture has more than `MAX_ISLANDS` islands.
    """
    picture = Box(0, 0, *mask.shape[1:])
    contexts = mask[:0] if context is None else context
    groups = [find_islands(mask[k : k + 1], contexts[k : k + 1]) for k in range(len(mask))]
    if not any(groups):
        groups = [[Island(picture, None)] for _ in groups]
    while True:
        sizes = [place(island.masked, picture, framing, island.shown)[1:] for group in groups for island in group]
        height, width = (max(sides) for sides in zip(*sizes, strict=True))
        boxes = [[place(one.masked, picture, framing, one.shown, (height, width))[0] for one in g] for g in groups]
        joined = [_joined(group, where, picture) for group, where in zip(groups, boxes, strict=True)]
        if list(map(len, joined)) == list(map(len, groups)):  # each round leaves fewer, or is the last
            places = [PlacedCrop(range(k, k + 1), box) for k, group in enumerate(boxes) for box in group]
            return places, height, width
        groups = joined


def find_islands(mask: Tensor, context: Tensor) -> list[Island]:
    """The islands of one mask (1, H, W), from the top; a part of the context (1 or 0, H, W) goes with the nearest one.

    Raises:
        ValueError: if there are more than `MAX_ISLANDS`.
    """
    islands = _components(mask)
    if len(islands) > MAX_ISLANDS:
        raise ValueError(
            f"input mask: found {len(islands)} islands, wanted {MAX_ISLANDS} at most for islands = each; "
            "take islands = together, or remove the specks from the mask"
        )
    shown: list[Box | None] = [None] * len(islands)
    for part in _components(context) if islands and len(context) else []:
        gaps = [_gap(part, island) for island in islands]
        nearest = gaps.index(min(gaps))
        shown[nearest] = part if (before := shown[nearest]) is None else before.united(part)
    return [Island(*both) for both in zip(islands, shown, strict=True)]


def _components(mask: Tensor) -> list[Box]:
    """The boxes around what is masked in (1, H, W); what lies so near that any two crops would overlap is one."""
    block = MIN_CONTEXT
    masked = (mask > FLOOR).to(torch.uint8).cpu()
    height, width = masked.shape[1:]
    padded = F.pad(masked, (0, -width % block, 0, -height % block))[0]
    blocks = padded.unflatten(0, (-1, block)).unflatten(2, (-1, block)).amax((1, 3))
    labels, _count = ndimage.label(blocks.numpy(), structure=[[1, 1, 1]] * 3)
    found = []
    for number, (rows, columns) in enumerate(ndimage.find_objects(labels), start=1):
        own = torch.from_numpy(labels[rows, columns] == number).repeat_interleave(block, 0).repeat_interleave(block, 1)
        top, left = rows.start * block, columns.start * block
        box = bounding_box((own & (padded[top : rows.stop * block, left : columns.stop * block] > 0))[None].float())
        if box is not None:  # as it is: a block counts because of a masked pixel in it
            found.append(Box(box.top + top, box.left + left, box.bottom + top, box.right + left))
    return found


def _gap(a: Box, b: Box) -> int:
    """Pixels between two boxes, along the axis where they are farther apart; 0 or less where they overlap."""
    return max(a.top - b.bottom, b.top - a.bottom, a.left - b.right, b.left - a.right)


def _joined(islands: Sequence[Island], boxes: Sequence[Box], picture: Box) -> list[Island]:
    """The islands, with those in one whose boxes overlap inside the picture."""
    if len(islands) < 2:
        return list(islands)
    inside = [box.within(picture.height, picture.width) for box in boxes]
    top, left, bottom, right = torch.tensor([[b.top, b.left, b.bottom, b.right] for b in inside]).unbind(1)
    overlap = (top < bottom[:, None]) & (top[:, None] < bottom) & (left < right[:, None]) & (left[:, None] < right)
    count, group = sparse.csgraph.connected_components(sparse.csr_matrix(overlap.numpy()), directed=False)
    joined: list[Island | None] = [None] * count
    for number, island in zip(group, islands, strict=True):
        before = joined[number]
        joined[number] = island if before is None else _united(before, island)
    return [island for island in joined if island is not None]


def _united(a: Island, b: Island) -> Island:
    shown = a.shown.united(b.shown) if a.shown and b.shown else a.shown or b.shown
    return Island(a.masked.united(b.masked), shown)


def check_not_video(image: Tensor) -> None:
    """Raises ValueError if the pictures (B, H, W, C) look like the frames of a video: much alike, but not copies.

    Pictures that were inpainted from one original are alike, too, but equal where nothing was painted.
    """
    if len(image) < MIN_FRAMES:
        return
    small = image[:, :: -(-image.shape[1] // 64), :: -(-image.shape[2] // 64), :3].flatten(1)
    equal = (small[1:] == small[:-1]).float().mean(1)
    centred = small - small.mean(1, keepdim=True)
    alike = F.cosine_similarity(centred[1:], centred[:-1], dim=1)
    if alike.median() > 0.95 and equal.median() < 0.5:
        raise ValueError(
            f"input islands: found each for {len(image)} pictures that look like the frames of a video, wanted moving "
            "(one crop a frame, which moves smoothly with the mask) or together (one crop that stays where it is); "
            "with each, the crops would jump"
        )


class Path(NamedTuple):
    """The centre of a stretch in each frame, in pixels, (T,), and how long the stretch is in all of them."""

    centres: np.ndarray
    length: int

    def starts(self, length: int, limit: int) -> list[int]:
        """Where stretches of `length` pixels about the centres begin, inside 0..limit-1 if they fit."""
        if length >= limit:
            return [(limit - length) // 2] * len(self.centres)
        return np.floor(self.centres - length / 2 + ROUNDING).clip(0, limit - length).astype(int).tolist()


def place_moving(mask: Tensor, context: Tensor | None, framing: Framing) -> tuple[list[PlacedCrop], int, int]:
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
        PlacedCrop(range(k, k + 1), Box(top, left, top + height, left + width)) for k, (top, left) in enumerate(corners)
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
    length = np.asarray(lengths, dtype=float)
    wanted = np.mean(ends, axis=1).clip(length / 2, limit - length / 2)
    straight = np.interp(np.arange(total), frames, wanted)
    beyond = round(4 * SMOOTHING)
    onward = np.pad(straight, beyond, mode="reflect", reflect_type="odd")
    centres = ndimage.gaussian_filter1d(onward, SMOOTHING)[beyond:-beyond]
    longest = float((length + 2 * np.abs(centres[list(frames)] - wanted)).max())
    first, end = float((wanted - length / 2).min()), float((wanted + length / 2).max())
    if longest >= end - first:
        centres, longest = np.full(total, (first + end) / 2), end - first
    return Path(centres, ceil(longest - ROUNDING))
