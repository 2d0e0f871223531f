"""The separate parts of a mask, each with what a crop around it must show, and one crop for each."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from scipy import ndimage, sparse
from torch import Tensor

from ..checks import FLOOR
from .placement import MIN_CONTEXT, Framing, place
from .region import Box, bounding_box

MAX_ISLANDS = 256
"""Of one picture, after those have been joined whose crops overlap in any case."""

MIN_FRAMES = 5
"""The shortest video that a model makes, 4k + 1 frames; fewer pictures are no video."""


class Place(NamedTuple):
    """A crop of some pictures of a batch, the same box in each of them. The box may reach beyond the picture."""

    pictures: range
    box: Box


class Island(NamedTuple):
    """A part of the mask of one picture, and what its crop must show beside it, if anything."""

    masked: Box
    shown: Box | None


def place_together(mask: Tensor, context: Tensor | None, framing: Framing) -> tuple[list[Place], int, int]:
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
    return [Place(range(len(mask)), box)], height, width


def place_each(mask: Tensor, context: Tensor | None, framing: Framing) -> tuple[list[Place], int, int]:
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
            places = [Place(range(k, k + 1), box) for k, group in enumerate(boxes) for box in group]
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
