"""The colour shift of a decoded picture, measured where the truth is known and carried on into the hole."""

import torch
import torch.nn.functional as F
from torch import Tensor

from .fill import membrane
from .region import Box
from .rim import BLOCK, grown, masked_blocks

RING = 32
"""Pixels around the mask in which colour is compared: wider than the cells that are painted along with the mask, so
that part of it is the plain decoded original."""

SAME_CONTENT = 32 / 255
"""Farther than this from the median difference, two pixels do not show the same thing in two colours."""

CHUNK, SAMPLE = 2**8, 2**12
"""Blocks that are compared at a time, and blocks on which the ring is judged as a whole."""


class ColourShift:
    r"""What to add to the generated picture,

    .. math:: c = \operatorname{upsample}\, u, \qquad u = \overline{x - y} \text{ on blocks in the ring},
              \quad \Delta u = 0 \text{ on all others}

    with the bar an average over blocks of 8x8 pixels: coarse enough to be colour and not detail, fine enough to follow
    shading. The ring is all that is not masked within `RING` pixels, in whole blocks. New content that reaches into it
    does not count: pixels are left out whose difference is far from the median of the ring.

    Arguments:
        original, generated: x and y, (H, W, C); three channels count.
        masked: (H, W), bool.
        expand: pixels around the mask that do not belong to the ring either.
        box: around all that is ever asked for; it begins on whole blocks.

    Attributes:
        before: the mean size of u in the ring, in levels of 255; 0 without a ring.
        known: whether any of the ring shows the same content in both; if not, c is 0.
    """

    def __init__(self, original: Tensor, generated: Tensor, masked: Tensor, expand: int, box: Box):
        self._pictures, self._masked = (original, generated), masked
        self._box = box
        some, every = masked_blocks(box.of_one(masked))
        self._blocks = (grown(some, expand + RING) & ~(grown(some, expand) if expand else every)).nonzero()
        self._cells = original.new_zeros(1, 3, *some.shape)
        known = torch.zeros(1, 1, *some.shape, dtype=torch.bool, device=original.device)
        self._median = self._typical_difference()
        self.before = 0.0
        for at in self._blocks.split(CHUNK):
            mean, counted = self._means(at, 0.0)
            rows, columns = at.unbind(1)
            self._cells[0, :, rows, columns] = mean.T
            known[0, 0, rows, columns] = counted
            self.before += float(mean.abs().mean(1)[counted].sum())
        self.known = bool(known.any())
        self.before *= 255 / max(int(known.sum()), 1)
        if self.known:
            self._cells = membrane(self._cells, known)

    def of(self, box: Box) -> Tensor:
        """c, (h, w, 3), in a box that begins on whole blocks."""
        top, left = (box.top - self._box.top) // BLOCK, (box.left - self._box.left) // BLOCK
        bottom, right = -(-(box.bottom - self._box.top) // BLOCK), -(-(box.right - self._box.left) // BLOCK)
        rows, columns = (
            torch.arange(first - 1, last + 1, device=self._cells.device).clamp(0, limit - 1)
            for first, last, limit in ((top, bottom, self._cells.shape[2]), (left, right, self._cells.shape[3]))
        )
        cells = self._cells.index_select(2, rows).index_select(3, columns)
        large = F.interpolate(cells, scale_factor=BLOCK, mode="bilinear")[0].movedim(0, -1)
        return large[BLOCK : BLOCK + box.height, BLOCK : BLOCK + box.width]

    def after(self, strength: float) -> float:
        """The mean size of what is left in the ring if c is added with that strength, in levels of 255; measured in a
        sample of the ring."""
        if not len(self._blocks):
            return 0.0
        left, blocks = 0.0, 0
        for at in self._sample().split(CHUNK):
            mean, counted = self._means(at, strength)
            left += float(mean.abs().mean(1)[counted].sum())
            blocks += int(counted.sum())
        return 255 * left / max(blocks, 1)

    def _means(self, at: Tensor, strength: float) -> tuple[Tensor, Tensor]:
        """The mean difference in some blocks, (n, 3), and which of them show the same content at all, (n,)."""
        original, generated, inside = self._pixels(at)
        weight = ((original - generated - self._median).abs().amax(-1, keepdim=True) <= SAME_CONTENT) & inside[
            ..., None
        ]
        if strength:
            generated = (generated + strength * self._shift(at)).clamp(0, 1)
        mean = ((original - generated) * weight).sum((1, 2)) / weight.sum((1, 2)).clamp(min=1)
        return mean, weight.any(2).any(1)[:, 0]

    def _shift(self, at: Tensor) -> Tensor:
        """c in some blocks, (n, 8, 8, 3)."""
        around = torch.arange(-1, 2, device=at.device)
        rows, columns = ((at[:, axis, None] + around).clamp(0, self._cells.shape[2 + axis] - 1) for axis in (0, 1))
        cells = self._cells[0][:, rows[:, :, None], columns[:, None, :]].movedim(0, 1)
        large = F.interpolate(cells, scale_factor=BLOCK, mode="bilinear")
        return large[..., BLOCK : 2 * BLOCK, BLOCK : 2 * BLOCK].movedim(1, -1)

    def _typical_difference(self) -> Tensor | float:
        if not len(self._blocks):
            return 0.0
        original, generated, inside = self._pixels(self._sample())
        return torch.stack([difference[inside].median() for difference in (original - generated).unbind(-1)])

    def _sample(self) -> Tensor:
        return self._blocks[:: -(-len(self._blocks) // SAMPLE)]

    def _pixels(self, at: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """x and y in some blocks, (n, 8, 8, 3), and which of these pixels count: in the picture, not masked."""
        original, generated = self._pictures
        offsets = torch.arange(BLOCK, device=at.device)
        rows = self._box.top + BLOCK * at[:, 0, None] + offsets
        columns = self._box.left + BLOCK * at[:, 1, None] + offsets
        height, width = original.shape[:2]
        inside = (rows < height)[:, :, None] & (columns < width)[:, None, :]
        where = rows.clamp(max=height - 1)[:, :, None], columns.clamp(max=width - 1)[:, None, :]
        return original[where][..., :3], generated[where][..., :3], inside & ~self._masked[where]
