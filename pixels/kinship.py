"""Whether the generated picture shows what the original shows, where nothing was painted."""

from math import ceil

import torch
from torch import Tensor

from .region import MASKED, bounding_box
from .rim import BLOCK, grown, masked_blocks

APART, FAR = 40, 256
"""Pixels around the mask that may have been painted, too, if nobody says: as far as four cells reach beyond it. And
pixels beyond these that are looked at."""

SAMPLE, LEAST, MOST_TIMES = 1024, 16, 8
"""Blocks that are compared at most, and at least; how many times as long their sides may become."""


def kept_difference(original: Tensor, generated: Tensor, mask: Tensor, apart: int = APART, times: float = 1.0) -> float:
    r"""How different the two pictures are where nothing was painted, whatever the colour shift between them,

    .. math:: d = \operatorname{median}_b \max_c |u_{bc} - \operatorname{median}_{b'} u_{b'c}|,
              \quad u_{bc} = \overline{x_c - y_c} \text{ on block } b

    on blocks of 8x8 pixels of the generated picture, as it was decoded. What a VAE leaves out is fine detail, which a
    mean over a block does not see.

    Arguments:
        original, generated: x and y, (H, W, C); three channels count.
        mask: (H, W), 1 = regenerated.
        apart: pixels from the mask at which a block is taken to be kept, of the generated picture as it was decoded.
        times: how much larger than as it was decoded the generated picture is.

    Returns:
        In levels of 255; 0 where fewer blocks than `LEAST` are kept.
    """
    around = bounding_box(mask[None])
    if around is None:
        return 0.0
    more = BLOCK * (min(max(ceil(times), 1), MOST_TIMES) - 1) // 2
    apart = ceil(apart * times) + more
    box = around.grown(apart + FAR).within(*mask.shape)
    some, _every = masked_blocks(box.of_one(mask) >= MASKED)
    kept = ~(grown(some, apart) if apart else some)
    at = kept[: box.height // BLOCK, : box.width // BLOCK].nonzero()
    if len(at) < LEAST:
        return 0.0
    offsets = torch.arange(-more, BLOCK + more, device=at.device)
    most = max(SAMPLE * BLOCK**2 // len(offsets) ** 2, LEAST)
    at = BLOCK * at[:: -(-len(at) // most)]
    rows, columns = (
        (at[:, axis, None] + offsets).clamp(0, limit - 1) for axis, limit in enumerate((box.height, box.width))
    )
    where = rows[:, :, None], columns[:, None, :]
    x, y = (box.of_one(picture)[where][..., :3] for picture in (original, generated))
    means = (x - y).mean((1, 2))
    return 255 * float((means - means.median(0).values).abs().amax(1).median())
