"""Which part of a picture a mask concerns: rectangles, distances, the parts around its edge that are worked on one by
one; and where that is done."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from scipy import ndimage
from torch import Tensor

from ..checks import FLOOR

BLOCK = 8
"""Pixels a side of the squares in which a mask is looked at first: any of it masked, all of it masked."""

TILE = 64
"""Pixels a side of the grid, from the picture's corner, on which parts begin and end."""

MAX_PART = 256
"""Pixels a side of a part at most, so that memory stays small and a run can be cancelled."""


@dataclass(frozen=True)
class Box:
    """The pixels top <= y < bottom, left <= x < right."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def height(self) -> int:
        return self.bottom - self.top

    @property
    def width(self) -> int:
        return self.right - self.left

    def grown(self, pixels: int) -> "Box":
        return Box(self.top - pixels, self.left - pixels, self.bottom + pixels, self.right + pixels)

    def within(self, height: int, width: int) -> "Box":
        """The part of the box that lies in a picture of that size."""
        return Box(max(self.top, 0), max(self.left, 0), min(self.bottom, height), min(self.right, width))

    def united(self, other: "Box") -> "Box":
        """The smallest box around both."""
        return Box(
            min(self.top, other.top),
            min(self.left, other.left),
            max(self.bottom, other.bottom),
            max(self.right, other.right),
        )

    def of(self, x: Tensor) -> Tensor:
        """The view of an image (B, H, W, C) or mask (B, H, W) that the box cuts out; the box lies in the picture."""
        return x[:, self.top : self.bottom, self.left : self.right]

    def of_one(self, x: Tensor) -> Tensor:
        """The same of a single image (H, W, C) or mask (H, W)."""
        return x[self.top : self.bottom, self.left : self.right]

    def seen_from(self, other: "Box") -> "Box":
        """The same pixels, counted from the other box's corner."""
        return Box(self.top - other.top, self.left - other.left, self.bottom - other.top, self.right - other.left)


def bounding_box(mask: Tensor) -> Box | None:
    """The smallest box around all masked pixels of all masks (B, H, W), or None if nothing is masked."""
    masked = mask > FLOOR
    rows, columns = (masked.any(axis).any(0).nonzero() for axis in (2, 1))
    if not len(rows):
        return None
    return Box(int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1)


def distance_to_mask(mask: Tensor) -> Tensor:
    """Euclidean distance in pixels to the nearest masked pixel of (B, H, W), 0 on the mask; exact, SciPy's transform.

    A picture without any masked pixel is infinitely far from one.
    """
    far = torch.full(mask.shape, torch.inf)
    for distance, masked in zip(far, (mask > FLOOR).cpu(), strict=True):
        if masked.any():
            distance.copy_(torch.from_numpy(ndimage.distance_transform_edt(~masked.numpy())))
    return far.to(mask.device)


def fill_holes(mask: Tensor) -> Tensor:
    """The mask (B, H, W) with everything that it encloses set to 1."""
    filled = [torch.from_numpy(ndimage.binary_fill_holes(m.numpy())) for m in (mask > FLOOR).cpu()]
    enclosed = torch.stack(filled).to(mask.device) & (mask <= FLOOR)
    return torch.where(enclosed, 1.0, mask)


def masked_blocks(mask: Tensor) -> tuple[Tensor, Tensor]:
    """Which blocks of a mask (H, W), bool, are masked in any and in all of their pixels: two of (h, w), bool."""
    height, width = mask.shape

    def padded(value: int) -> Tensor:
        whole = F.pad(mask.view(torch.uint8), (0, -width % BLOCK, 0, -height % BLOCK), value=value)
        return whole.unflatten(1, (-1, BLOCK)).unflatten(0, (-1, BLOCK))

    return padded(0).amax((1, 3)) > 0, padded(1).amin((1, 3)) > 0


def grown(blocks: Tensor, pixels: int) -> Tensor:
    """(h, w), bool: every block that has a pixel within so many pixels of one of these blocks, diagonals included."""
    reach = min(-(-pixels // BLOCK), max(blocks.shape))
    near = blocks.float()[None]
    near = F.max_pool2d(near, (2 * reach + 1, 1), 1, (reach, 0))
    return F.max_pool2d(near, (1, 2 * reach + 1), 1, (0, reach))[0] > 0


def parts(mask: Tensor, reach: int, halo: int) -> list[Box]:
    """Disjoint boxes that hold every pixel within `reach` of the mask's edge, outside of it, and few others.

    A box costs as much as itself and its halo; it is cut in two where the halves cost less, or where it is too large.

    Arguments:
        mask: (H, W), bool.
        reach: pixels.
        halo: pixels around a box that working on it takes.
    """
    some, every = masked_blocks(mask)
    needed = grown(some, reach + 1) & grown(~every, 1)  # one pixel more, so that every step across the edge is inside
    per_tile = TILE // BLOCK
    needed = F.pad(needed, (0, -needed.shape[1] % per_tile, 0, -needed.shape[0] % per_tile))
    tiles = needed.unflatten(1, (-1, per_tile)).unflatten(0, (-1, per_tile)).any(3).any(1).cpu()
    _cost, found = _cheapest(tiles, 0, 0, halo)
    return [box.within(*mask.shape) for box in found]


def _cheapest(tiles: Tensor, top: int, left: int, halo: int) -> tuple[int, list[Box]]:
    """What it costs to work on these tiles (h, w), bool, in pixels, and the boxes that cost the least; in pixels, too,
    with the corner of the tiles at (top, left), in tiles."""
    rows, columns = tiles.any(1).nonzero().flatten().tolist(), tiles.any(0).nonzero().flatten().tolist()
    if not rows:
        return 0, []
    tiles = tiles[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    top, left = top + rows[0], left + columns[0]
    height, width = (side * TILE for side in tiles.shape)
    box = Box(top * TILE, left * TILE, top * TILE + height, left * TILE + width)
    whole = (height + 2 * halo) * (width + 2 * halo)
    small = max(height, width) <= max(MAX_PART, 2 * halo)
    if max(tiles.shape) == 1 or (small and tiles.all()):
        return whole, [box]
    axis = int(width > height)
    half = tiles.shape[axis] // 2
    first, second = tiles.split([half, tiles.shape[axis] - half], axis)
    cost, found = _cheapest(first, top, left, halo)
    cost_more, more = _cheapest(second, *((top + half, left) if axis == 0 else (top, left + half)), halo)
    if small and whole <= cost + cost_more:
        return whole, [box]
    return cost + cost_more, found + more


def strips(box: Box, pixels: int) -> Iterator[Box]:
    """The box, cut into strips of whole blocks of rows with so many pixels or a few more."""
    rows = max(-(-pixels // box.width) // BLOCK, 1) * BLOCK
    for top in range(box.top, box.bottom, rows):
        yield Box(top, box.left, min(top + rows, box.bottom), box.right)


def never() -> None:
    pass


class Work(NamedTuple):
    """Where pixels are computed, and how a long computation is cancelled.

    Attributes:
        device: where to compute, a part of one picture at a time, however long the video; None: where pictures are.
        stop_if_asked: called between parts; raises if the user has cancelled.
    """

    device: torch.device | None = None
    stop_if_asked: Callable[[], None] = never


HERE = Work()
"""Where the pictures are, to the end."""
