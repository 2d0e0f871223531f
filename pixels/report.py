"""What was measured while a picture was composited, and the words for it."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

ROUNDING = 0.5 / 255
"""The step between two pixels that rounding to 8 bits makes of none."""


STEP, CUT = 32 / 255, 0.08
"""A step that a person sees; and the share of the edge with such a step from which on the whole looks cut. Both from
labelled pictures, see `benchmarks/results/pixels/cut.md`."""

EDGE, NEAR = 2, 7
"""Pixels outside the mask that are looked at, and the side of the square in which both sides of the edge are averaged.
"""

CHUNK = 2**11
"""Pixels that are looked at in one go, so that memory stays small."""

CUT_OFF = "The picture was cut at the mask's edge. Connect Encode's painted_mask to mask, if another mask is there."
CROP_CUT_OFF = "The picture was cut at the mask's edge. Connect Encode's painted_mask to painted_mask."


class SeamSums(NamedTuple):
    """The sums of a `seam_energy`, so that a picture can be measured in parts."""

    found: float = 0.0
    wanted: float = 0.0
    least: float = 0.0

    @property
    def energy(self) -> float:
        return max(self.found, self.least) / max(self.wanted, self.least) if self.least else 1.0


class EdgeSums(NamedTuple):
    """Sums over the pixels just outside the mask.

    Attributes:
        pixels: their number.
        broken: of those, where the generated picture goes on and the original does not go on with it.
        lost, most_lost: difference between generated picture and result, summed, and the largest.
    """

    pixels: float = 0.0
    broken: float = 0.0
    lost: float = 0.0
    most_lost: float = 0.0

    def plus(self, more: "EdgeSums") -> "EdgeSums":
        return EdgeSums(
            self.pixels + more.pixels,
            self.broken + more.broken,
            self.lost + more.lost,
            max(self.most_lost, more.most_lost),
        )

    @property
    def cut(self) -> bool:
        """Whether a person is likely to see that something painted was cut off."""
        return self.broken > CUT * self.pixels


@dataclass(frozen=True)
class Measured:
    """What was measured in some pictures or parts of one; those of two can be added.

    Attributes:
        pictures: with anything masked.
        shift_before, shift_after: colour shift around the mask, of 255, summed over pictures.
        pasted, blended: seams if the generated picture were pasted in, and as they are.
        outside: the largest difference from the original where the weight is 0.
        edge: what the generated picture shows just outside the mask, and what became of it.
        doubt: the largest of any picture, see `Kinship`.
    """

    pictures: int = 0
    shift_before: float = 0.0
    shift_after: float = 0.0
    pasted: SeamSums = SeamSums()
    blended: SeamSums = SeamSums()
    outside: float = 0.0
    edge: EdgeSums = EdgeSums()
    doubt: float = 0.0

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
        return Measured(
            self.pictures + other.pictures,
            self.shift_before + other.shift_before,
            self.shift_after + other.shift_after,
            SeamSums(*map(sum, zip(self.pasted, other.pasted, strict=True))),
            SeamSums(*map(sum, zip(self.blended, other.blended, strict=True))),
            max(self.outside, other.outside),
            self.edge.plus(other.edge),
            max(self.doubt, other.doubt),
        )


def report(measured: Measured, cut_off: str = CUT_OFF, times: float = 1.0) -> str:
    """In paragraphs: the page's Preview Any reads Markdown.

    Arguments:
        measured: all that was.
        cut_off: what to say where something was cut off.
        times: how much smaller than its part of the picture the crop is, if there is one.
    """
    if not measured.pictures:
        return "Nothing is masked: the result is the original picture."
    before, after = measured.shift_before / measured.pictures, measured.shift_after / measured.pictures
    said = [
        measured.foreign,
        f"Largest change outside the mask and its ramp: {measured.outside:g}"
        if measured.outside
        else "Outside the mask and its ramp nothing changed.",
        f"Colour shift around the mask, in levels of 255: {before:.2f} before, {after:.2f} after matching",
        "Strength of the seam (1: none visible at the edge; below 1: smoother than the original): "
        f"{measured.blended.energy:.2f}; without blending {measured.pasted.energy:.2f}.",
        _edge(measured.edge),
        cut_off if measured.edge.cut and not measured.foreign else "",
        f"The crop is {times:.1f} times smaller than its part of the picture: 16 pixels of it are {16 * times:.0f}."
        if times > 1.05
        else "",
    ]
    return "\n\n".join(filter(None, said))


def _edge(edge: EdgeSums) -> str:
    count = max(edge.pixels, 1)
    percent = round(100 * edge.broken / count)
    if not percent:
        return "Nothing visible was cut off at the mask's edge."
    return (
        f"Cut off at the mask's edge: visible along {percent} % of it ({255 * edge.lost / count:.1f} of 255 levels on "
        f"average, {255 * edge.most_lost:.0f} at most)."
    )


def edge_sums(original: Tensor, generated: Tensor, result: Tensor, inside: Tensor, ring: Tensor) -> EdgeSums:
    """Whether what the generated picture shows goes on across the edge: there, the step from its inside to the original
    is larger than the step to its own outside, each the mean of what lies in a square around a pixel.

    Arguments:
        original, generated, result: x, y' and z, (C, H, W).
        inside: (H, W), bool, where only the generated picture counts.
        ring: (H, W), bool, the pixels just outside that are looked at.
    """
    sums = EdgeSums()
    for at in ring.nonzero().split(CHUNK) if ring.any() else ():
        (x, y), (within, beyond) = _around(at, (original, generated), inside)
        kept, goes_on = ((_mean(y, within) - _mean(other, beyond)).abs().amax(0) for other in (x, y))
        rows, columns = at.unbind(1)
        lost = (generated[:3, rows, columns] - result[:3, rows, columns]).abs().amax(0)
        broken = kept - goes_on > STEP
        sums = sums.plus(EdgeSums(len(at), float(broken.sum()), float(lost.sum()), float(lost.amax())))
    return sums


def _around(at: Tensor, pictures: tuple[Tensor, ...], inside: Tensor) -> tuple[list[Tensor], tuple[Tensor, Tensor]]:
    """What lies in a square of `NEAR` pixels around some (n, 2): of each picture, (3, n, NEAR, NEAR), and which of it
    is inside and which outside, (n, NEAR, NEAR), bool; neither is what lies beyond the picture."""
    offsets = torch.arange(NEAR, device=at.device) - NEAR // 2
    rows, columns = at[:, :1, None] + offsets[:, None], at[:, 1:, None] + offsets
    there = (rows >= 0) & (rows < inside.shape[0]) & (columns >= 0) & (columns < inside.shape[1])
    rows, columns = rows.clamp(0, inside.shape[0] - 1), columns.clamp(0, inside.shape[1] - 1)
    within = inside[rows, columns]
    return [picture[:3, rows, columns] for picture in pictures], (there & within, there & ~within)


def _mean(x: Tensor, where: Tensor) -> Tensor:
    """The mean in each square (C, n, h, w) of those pixels that count (n, h, w), (C, n); 0 where none does."""
    return (x * where).sum((-1, -2)) / where.sum((-1, -2)).clamp(min=1)


def seam_sums(image: Tensor, original: Tensor, weight: Tensor) -> SeamSums:
    """See `seam_energy`."""
    steps = [weight.diff(dim=axis).abs() for axis in (-1, -2)]
    found, wanted = (
        sum(float((step * x.diff(dim=axis).abs()).sum()) for step, axis in zip(steps, (-1, -2), strict=True))
        for x in (image, original)
    )
    return SeamSums(found, wanted, ROUNDING * image.shape[1] * sum(float(step.sum()) for step in steps))


def seam_energy(image: Tensor, original: Tensor, weight: Tensor) -> float:
    r"""How much steeper the picture is than the original where it changes over,

    .. math:: E = \sum |\nabla w|\,|\nabla z| \,/ \sum |\nabla w|\,|\nabla x|

    with differences of neighbouring pixels, rows and columns taken together. For a hard mask that is the mean step
    across its edge over the same mean in the original. 1 is seamless, above it a seam shows, below it a blur. Both
    sums count as half a level of 255 a step at least, what rounding to 8 bits leaves: a flat original has no slope.

    Arguments:
        image, original: z and x, (B, C, H, W).
        weight: w, (B, 1, H, W).

    Returns:
        A number >= 0; 1 if the weight is constant, so that there is no seam.
    """
    return seam_sums(image, original, weight).energy
