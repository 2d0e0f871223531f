"""Where a crop lies in the picture, and the size that it is scaled to."""

from typing import NamedTuple

from .region import Box

MIN_CONTEXT = 32
"""Pixels that a crop shows around the mask at least, so that blending and colour matching have their ring."""


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
