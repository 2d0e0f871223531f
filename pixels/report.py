"""What was measured while a picture was composited, and the words for it."""

from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

ROUNDING = 0.5 / 255
"""The step between two pixels that rounding to 8 bits makes of none."""


class SeamSums(NamedTuple):
    """The sums of a `seam_energy`, so that a picture can be measured in parts."""

    found: float = 0.0
    wanted: float = 0.0
    least: float = 0.0

    @property
    def energy(self) -> float:
        return max(self.found, self.least) / max(self.wanted, self.least) if self.least else 1.0


@dataclass(frozen=True)
class Measured:
    """What was measured in some pictures or parts of one; those of two can be added.

    Attributes:
        pictures: with anything masked.
        shift_before, shift_after: colour shift around the mask, of 255, summed over pictures.
        pasted, blended: seams if the generated picture were pasted in, and as they are.
        outside: the largest difference from the original where the weight is 0.
    """

    pictures: int = 0
    shift_before: float = 0.0
    shift_after: float = 0.0
    pasted: SeamSums = SeamSums()
    blended: SeamSums = SeamSums()
    outside: float = 0.0

    def __add__(self, other: "Measured") -> "Measured":
        return Measured(
            self.pictures + other.pictures,
            self.shift_before + other.shift_before,
            self.shift_after + other.shift_after,
            SeamSums(*map(sum, zip(self.pasted, other.pasted, strict=True))),
            SeamSums(*map(sum, zip(self.blended, other.blended, strict=True))),
            max(self.outside, other.outside),
        )


def report(measured: Measured) -> str:
    """In paragraphs: the page's Preview Any reads Markdown."""
    if not measured.pictures:
        return "Nothing is masked: the picture is the original."
    before, after = measured.shift_before / measured.pictures, measured.shift_after / measured.pictures
    return (
        f"Largest difference outside the blended mask: {measured.outside:g}\n\n"
        f"Colour shift around the mask, of 255: {before:.2f} before, {after:.2f} after\n\n"
        f"Seam energy, 1 = as in the original: {measured.pasted.energy:.3f} pasted, "
        f"{measured.blended.energy:.3f} blended"
    )


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
