"""Whether the generated picture shows what the original shows, where nothing was painted."""

from math import ceil
from typing import NamedTuple

import torch
from torch import Tensor

from ..checks import FLOOR
from .region import bounding_box
from .rim import BLOCK, grown, masked_blocks

APART, FAR = 40, 256
"""Pixels around the mask that may have been painted, too, if nobody says: as far as four cells reach beyond it. And
pixels beyond these that are looked at."""

FOREIGN, ALIKE = 12.0, 0.9
"""Levels of 255 and the correlation from which on, and below which, two pictures show something else. Trained VAEs stay
below 7.5 and above 0.97 on photographs (`benchmarks/results/pixels/real.md`); a poor one keeps what rises and falls."""

SAMPLE, LEAST, MOST_TIMES = 1024, 16, 8
"""Blocks that are compared at most, and at least; how many times as long their sides may become."""


class Kinship(NamedTuple):
    """How far the kept parts of two pictures differ, in levels of 255, and their correlation."""

    difference: float = 0.0
    correlation: float = 1.0

    @property
    def doubt(self) -> float:
        """The difference if one picture was hardly made from the other; otherwise 0."""
        return self.difference if self.difference >= FOREIGN and self.correlation < ALIKE else 0.0


def kinship(original: Tensor, generated: Tensor, mask: Tensor, apart: int = APART, times: float = 1.0) -> Kinship:
    r"""How different the two pictures are where nothing was painted, whatever the colour shift between them,

    .. math:: d = \operatorname{median}_b \max_c |(u - v)_{bc} - \operatorname{median}_{b'} (u - v)_{b'c}|

    with u and v the means of x and y over blocks of 8x8 pixels of the generated picture, as it was decoded, and the
    correlation of u and v. What a VAE leaves out is fine detail, which a mean over a block does not see.

    Arguments:
        original, generated: x and y, (H, W, C); three channels count.
        mask: (H, W), 1 = regenerated.
        apart: pixels from the mask at which a block is taken to be kept, of the generated picture as it was decoded.
        times: how much larger than as it was decoded the generated picture is.

    Returns:
        Those of two equal pictures where fewer blocks than `LEAST` are kept.
    """
    around = bounding_box(mask[None])
    if around is None:
        return Kinship()
    more = BLOCK * (min(max(ceil(times), 1), MOST_TIMES) - 1) // 2
    apart = ceil(apart * times) + more
    box = around.grown(apart + FAR).within(*mask.shape)
    some, _every = masked_blocks(box.of_one(mask) > FLOOR)
    kept = ~(grown(some, apart) if apart else some)
    at = kept[: box.height // BLOCK, : box.width // BLOCK].nonzero()
    if len(at) < LEAST:
        return Kinship()
    offsets = torch.arange(-more, BLOCK + more, device=at.device)
    most = max(SAMPLE * BLOCK**2 // len(offsets) ** 2, LEAST)
    at = BLOCK * at[:: -(-len(at) // most)]
    rows, columns = (
        (at[:, axis, None] + offsets).clamp(0, limit - 1) for axis, limit in enumerate((box.height, box.width))
    )
    where = rows[:, :, None], columns[:, None, :]
    u, v = (box.of_one(picture)[where][..., :3].mean((1, 2)) for picture in (original, generated))
    difference = ((u - v) - (u - v).median(0).values).abs().amax(1).median()
    u, v = u - u.mean(0), v - v.mean(0)
    correlation = (u * v).sum() / (u.norm() * v.norm()).clamp(min=1e-9)
    return Kinship(255 * float(difference), float(correlation))
