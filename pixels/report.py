"""What is measured while a picture is composited, and the words for it."""

from dataclasses import dataclass, fields
from math import ceil
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ..checks import FLOOR
from .region import BLOCK, bounding_box, grown, masked_blocks

STEP, CUT = 32 / 255, 0.08
"""A step that a person sees; and the share of the edge with such a step from which on the whole looks cut. Both from
labelled pictures, see `docs/notebook.md`, Pixels."""

EDGE, NEAR = 2, 7
"""Pixels outside the mask that are looked at, and the side of the square in which both sides of the edge are averaged.
"""

APART, FAR = 40, 256
"""Pixels around the mask that may have been painted, too, if nobody says: as far as four cells reach beyond it. And
pixels beyond these that are looked at."""

FOREIGN, ALIKE = 12.0, 0.9
"""Levels of 255 and the correlation from which on, and below which, two pictures show something else. Trained VAEs stay
below 7.5 and above 0.97 on photographs (`docs/notebook.md`); a poor one keeps what rises and falls."""

SAMPLE, LEAST, MOST_TIMES = 1024, 16, 8
"""Blocks that are compared at most, and at least; how many times as long their sides may become."""

CUT_OFF = "The picture was cut at the mask's edge. Connect Encode's painted_mask to mask, if another mask is there."
CROP_CUT_OFF = "The picture was cut at the mask's edge. Connect Encode's painted_mask to painted_mask."

LARGEST = "outside", "doubt"
"""What is not summed."""


@dataclass(frozen=True)
class Measured:
    """What was measured in some pictures or parts of one; those of two can be added.

    Attributes:
        pictures: with anything masked.
        shift: colour shift around the mask, in levels of 255, summed over pictures.
        outside: the largest difference from the original where the weight is 0.
        edge: pixels just outside the mask that were looked at.
        broken: of those, where the generated picture goes on and the original does not go on with it.
        doubt: the largest of any picture, see `Kept`.
    """

    pictures: int = 0
    shift: float = 0.0
    outside: float = 0.0
    edge: int = 0
    broken: float = 0.0
    doubt: float = 0.0

    @property
    def cut(self) -> bool:
        """Whether a person is likely to see that something painted was cut off."""
        return self.broken > CUT * self.edge

    @property
    def foreign(self) -> str:
        """What to ask if the generated picture was hardly made from this original; empty if it may have been."""
        if not self.doubt:
            return ""
        return (
            "Does the generated picture belong to this original? Where nothing is painted they differ by "
            f"{self.doubt:.0f} of 255 levels."
        )

    def __add__(self, other: "Measured") -> "Measured":
        both = {field.name: (getattr(self, field.name), getattr(other, field.name)) for field in fields(self)}
        return Measured(**{name: (max if name in LARGEST else sum)(pair) for name, pair in both.items()})


def report(measured: Measured, cut_off: str = CUT_OFF, times: float = 1.0) -> str:
    """In paragraphs: the page's Preview Any reads Markdown.

    Arguments:
        measured: all that was.
        cut_off: what to say where something was cut off.
        times: how much smaller than its part of the picture the crop is, if there is one.
    """
    if not measured.pictures:
        return "Nothing is masked: the result is the original picture."
    percent = round(100 * measured.broken / max(measured.edge, 1))
    said = [
        measured.foreign,
        f"Largest change outside the mask and its ramp: {measured.outside:g}"
        if measured.outside
        else "Outside the mask and its ramp nothing changed.",
        f"Colour shift around the mask: {measured.shift / measured.pictures:.2f} of 255 levels.",
        f"Cut off at the mask's edge: visible along {percent} % of it."
        if percent
        else "Nothing visible was cut off at the mask's edge.",
        cut_off if measured.cut and not measured.foreign else "",
        f"The crop is {times:.1f} times smaller than its part of the picture: 16 pixels of it are {16 * times:.0f}."
        if times > 1.05
        else "",
    ]
    return "\n\n".join(filter(None, said))


def edge_sums(original: Tensor, generated: Tensor, inside: Tensor, ring: Tensor) -> Measured:
    """Whether what the generated picture shows goes on across the edge: there, the step from its inside to the original
    is larger than the step to its own outside, each the mean of what lies in a square around a pixel.

    Arguments:
        original, generated: x and y', (C, H, W).
        inside: (H, W), bool, where only the generated picture counts.
        ring: (H, W), bool, the pixels just outside that are looked at.
    """

    def mean(x: Tensor, where: Tensor) -> Tensor:  # of what counts around each pixel, (3, H, W); 0 where nothing does
        sums = F.avg_pool2d(torch.cat([x[:3] * where, where[None]])[None], NEAR, 1, NEAR // 2)[0]
        return sums[:3] / sums[3:].clamp(min=1e-6)

    painted = mean(generated, inside.float())
    kept, goes_on = ((painted - mean(x, 1 - inside.float())).abs().amax(0) for x in (original, generated))
    return Measured(edge=int(ring.sum()), broken=float((kept - goes_on > STEP)[ring].sum()))


class Kept(NamedTuple):
    """How far the kept parts of two pictures differ, in levels of 255, and their correlation."""

    difference: float = 0.0
    correlation: float = 1.0

    @property
    def doubt(self) -> float:
        """The difference if one picture was hardly made from the other; otherwise 0."""
        return self.difference if self.difference >= FOREIGN and self.correlation < ALIKE else 0.0


def compare_kept(original: Tensor, generated: Tensor, mask: Tensor, apart: int = APART, times: float = 1.0) -> Kept:
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
        return Kept()
    more = BLOCK * (min(max(ceil(times), 1), MOST_TIMES) - 1) // 2
    apart = ceil(apart * times) + more
    box = around.grown(apart + FAR).within(*mask.shape)
    some, _every = masked_blocks(box.of_one(mask) > FLOOR)
    kept = ~(grown(some, apart) if apart else some)
    at = kept[: box.height // BLOCK, : box.width // BLOCK].nonzero()
    if len(at) < LEAST:
        return Kept()
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
    return Kept(255 * float(difference), float(correlation))
