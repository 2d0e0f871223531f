"""Which parts of a picture are worked on one by one: those around the edge of its mask."""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from .region import Box

BLOCK = 8
"""Pixels a side of the squares in which a mask is looked at first: any of it masked, all of it masked."""

TILE = 64
"""Pixels a side of the grid, from the picture's corner, on which parts begin and end."""

MAX_PART = 256
"""Pixels a side of a part at most, so that memory stays small and a run can be cancelled."""


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
