"""The neighbourhood of a mask at the resolution that a model likes, and the way back."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ..checks import check_pixels, match_batches
from .composite import Composite, composite
from .pad import reflected, unpad
from .region import Box, bounding_box, fill_holes

LEAST_CONTEXT = 32
"""Pixels that a crop shows around the mask at least, so that blending and colour matching have their ring."""


class Cut(NamedTuple):
    """What the way back into the picture needs.

    Attributes:
        image: the whole picture, (B, H, W, C).
        mask: the whole mask, (B, H, W).
        box: where the crop lies in the picture; it may reach beyond the picture, which is mirrored there.
        height, width: of the crop as it was handed out.
    """

    image: Tensor
    mask: Tensor
    box: Box
    height: int
    width: int


def crop(
    image: Tensor,
    mask: Tensor,
    context_factor: float,
    target_width: int,
    target_height: int,
    multiple: int,
    holes_filled: bool,
    device: torch.device | None = None,
) -> tuple[Cut, Tensor, Tensor]:
    """Cuts out one box around everything that is masked in any picture of the batch, and scales it to the target.

    An empty mask is one around the whole picture.

    Arguments:
        image: (B, H, W, C).
        mask: (B, H, W), 1 = regenerate.
        context_factor: the box against the mask's own box, in width and height, >= 1.
        target_width, target_height: pixels of the crop; 0: by the other one and the box's aspect; both 0: no scaling.
        multiple: the crop's sides are rounded up to multiples of this many pixels.
        holes_filled: regenerate what the mask encloses, too.
        device: where to scale; None: where the pictures are.

    Returns:
        The cut, the crop (B, h, w, C), and its mask (B, h, w).

    Raises:
        ValueError: if the crop or what is scaled to it is too large: a thin picture at a great width, say.
    """
    if holes_filled:
        mask = fill_holes(mask)
    picture = Box(0, 0, *mask.shape[1:])
    masked = bounding_box(mask) or picture
    box, height, width = place(masked, picture, context_factor, target_width, target_height, multiple)
    for size in ((box.height, box.width), (height, width)):
        check_pixels("inputs output_target_width, output_target_height", len(image), size, image[..., 0].numel())
    rows = reflected(picture.height, box.top, box.bottom, image.device)
    columns = reflected(picture.width, box.left, box.right, image.device)
    cropped, cropped_mask = (x.index_select(1, rows).index_select(2, columns) for x in (image, mask))
    if (height, width) != (box.height, box.width):
        # the greatest value of all that fall on one pixel: a thin stroke stays whole
        cropped_mask = F.adaptive_max_pool2d(cropped_mask, (height, width))
    return Cut(image, mask, box, height, width), scale(cropped, height, width, device), cropped_mask


def place(
    masked: Box, picture: Box, context_factor: float, target_width: int, target_height: int, multiple: int
) -> tuple[Box, int, int]:
    """The box of the crop in the picture, and the height and width that it is scaled to.

    The box has the aspect of the crop, so that nothing is distorted by more than half a pixel in its side. It is
    centred on the mask and then moved into the picture; a side longer than the picture's reaches beyond both its ends.
    """

    def context(length: int) -> float:
        return max(length * context_factor, length + 2 * LEAST_CONTEXT)

    def rounded_up(length: float) -> int:
        return -int(-length // multiple) * multiple

    height, width = min(context(masked.height), picture.height), min(context(masked.width), picture.width)
    if target_width and target_height:
        zoom = min(target_width / width, target_height / height)
    else:
        zoom = (target_width / width or target_height / height) or 1.0
    out_height, out_width = rounded_up(target_height or height * zoom), rounded_up(target_width or width * zoom)
    height, width = round(out_height / zoom), round(out_width / zoom)
    top = _start(masked.top, masked.bottom, height, picture.height)
    left = _start(masked.left, masked.right, width, picture.width)
    return Box(top, left, top + height, left + width), out_height, out_width


def _start(first: int, end: int, length: int, limit: int) -> int:
    """Where a stretch of `length` pixels about the middle of first..end-1 begins, inside 0..limit-1 if it fits."""
    if length >= limit:
        return (limit - length) // 2
    return min(max((first + end - length) // 2, 0), limit - length)


def scale(image: Tensor, height: int, width: int, device: torch.device | None = None) -> Tensor:
    """Bicubic with antialiasing, (B, H, W, C) -> (B, height, width, C); the same tensor if nothing changes.

    Computed on `device`, one picture at a time; the result is where the image is.
    """
    if image.shape[1:3] == (height, width):
        return image
    scaled = image.new_empty(len(image), height, width, image.shape[-1])
    for picture, result in zip(image, scaled, strict=True):
        channels = picture.to(device or image.device).movedim(-1, 0)[None]
        larger = F.interpolate(channels, (height, width), mode="bicubic", antialias=True)
        result.copy_(larger[0].clamp(0, 1).movedim(0, -1))
    return scaled


def stitch(
    cut: Cut,
    generated: Tensor,
    expand: int,
    width: int,
    blend: str,
    match_colour: float,
    device: torch.device | None = None,
) -> Composite:
    """Scales the generated crop (B, h, w, C) back and composites it there; beyond the crop all is copied.

    `expand` and `width`, in pixels of the whole picture, are cut to what the crop shows around the mask; for the rest
    see `composite`.

    Raises:
        ValueError: if the generated picture has neither the size of the crop nor that size padded, if its batch and
            the picture's do not go together, or if both are too large together.
    """
    size = cut.box.height, cut.box.width
    check_pixels("input generated", len(generated), size, cut.image[..., 0].numel())
    back = scale(unpad(generated, cut.height, cut.width), *size, device)
    image, mask, back = match_batches(stitch=cut.image, mask=cut.mask, generated=back)
    inside = cut.box.within(*mask.shape[1:])
    visible = Box(
        inside.top - cut.box.top, inside.left - cut.box.left, inside.bottom - cut.box.top, inside.right - cut.box.left
    )
    margin = _margin(mask, inside)
    expand = min(expand, margin)
    part = composite(
        inside.of(image),
        visible.of(back),
        inside.of(mask),
        expand,
        min(width, margin - expand),
        blend,
        match_colour,
        device,
    )
    whole, blended = image.clone(), torch.zeros_like(mask)
    inside.of(whole).copy_(part.image)
    inside.of(blended).copy_(part.mask)
    return Composite(whole, blended, part.report)


def _margin(mask: Tensor, inside: Box) -> int:
    """How many pixels the crop shows around everything masked; a side on the picture's edge does not count."""
    height, width = mask.shape[1:]
    masked = bounding_box(mask) or inside
    shown = [
        (masked.top - inside.top, inside.top > 0),
        (masked.left - inside.left, inside.left > 0),
        (inside.bottom - masked.bottom, inside.bottom < height),
        (inside.right - masked.right, inside.right < width),
    ]
    return min((pixels for pixels, counts in shown if counts), default=max(height, width))
