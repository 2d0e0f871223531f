"""The neighbourhood of a mask at the resolution that a model likes, and the way back."""

from dataclasses import replace
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ..checks import check_mask, check_pixels, match_batches, same_aspect
from .composite import Blending, Composited, composite_into, limits, measure
from .pad import fits_padded, made_to_fit, reflected, unpad
from .placement import Framing, PlacedCrop, check_not_video, place_each, place_moving, place_together
from .region import HERE, Box, Work, bounding_box, fill_holes
from .report import APART, CROP_CUT_OFF, Measured, compare_kept, report

PLACED = {"together": place_together, "each": place_each, "moving": place_moving}
"""What Crop's islands may be, and what places the crops then."""


KEEP_PROPORTIONS = "use Encode for Inpaint, because VAE Encode cuts the crop, and scale it in equal proportions only"


class Cut(NamedTuple):
    """What the way back into the picture needs.

    Attributes:
        image: the whole picture, (B, H, W, C).
        mask: the whole mask, (B, H, W).
        places: where the crops lie, in their order: one for each picture of the first place, then of the next.
            What lies beyond the picture is mirrored.
        height, width: of the crops as they were handed out.
    """

    image: Tensor
    mask: Tensor
    places: list[PlacedCrop]
    height: int
    width: int

    @property
    def crops(self) -> list[tuple[int, Box]]:
        """Picture and box of each crop."""
        return [(k, place.box) for place in self.places for k in place.pictures]


def crop(
    image: Tensor,
    mask: Tensor,
    framing: Framing,
    holes_filled: bool = False,
    islands: str = "together",
    context_mask: Tensor | None = None,
    work: Work = HERE,
) -> tuple[Cut, Tensor, Tensor]:
    """Cuts out what is masked with its surroundings, and scales it to one size.

    Arguments:
        image: (B, H, W, C).
        mask: (B, H, W), 1 = regenerate. An empty one is one around the whole picture.
        framing: context and size.
        holes_filled: regenerate what the mask encloses, too.
        islands: `together`, one box around everything masked in any picture; `each`, a crop for each island of each
            picture, at its own scale, none over another; `moving`, a crop for each frame of a video, all of one size,
            that moves smoothly with what is masked.
        context_mask: (B, H, W), what must be in the crop without being regenerated.
        work: where to scale.

    Returns:
        The cut, the crops (N, h, w, C), and their masks (N, h, w); N = B for islands `together` and `moving`.

    Raises:
        ValueError: if the crops or what is scaled to them are too large: a thin picture at a great width, say; if
            there are too many islands; or for `each` if the pictures are frames of a video.
    """
    if holes_filled:
        mask = fill_holes(mask)
    if islands == "each":
        check_not_video(image)
    places, height, width = PLACED[islands](mask, context_mask, framing)
    cut = Cut(image, mask, places, height, width)
    for size in [(place.box.height, place.box.width) for place in places] + [(height, width)]:
        check_pixels("inputs output_target_width, output_target_height", len(cut.crops), size, image[..., 0].numel())
    cropped = image.new_empty(len(cut.crops), height, width, image.shape[-1])
    cropped_mask = mask.new_empty(len(cut.crops), height, width)
    for n, (k, box) in enumerate(cut.crops):
        work.stop_if_asked()
        picture, hole = (_mirrored(x[k : k + 1], box) for x in (image, mask))
        cropped[n : n + 1] = scale(picture, height, width, work.device)
        # the greatest value of all that fall on one pixel: a thin stroke stays whole
        cropped_mask[n : n + 1] = hole if hole.shape[1:] == (height, width) else largest(hole, height, width)
    return cut, cropped, cropped_mask


def _mirrored(x: Tensor, box: Box) -> Tensor:
    """What an image (B, H, W, C) or mask (B, H, W) shows in a box, mirrored beyond its ends; a view if it has none."""
    if box == box.within(*x.shape[1:3]):
        return box.of(x)
    rows = reflected(x.shape[1], box.top, box.bottom, x.device)
    columns = reflected(x.shape[2], box.left, box.right, x.device)
    return x.index_select(1, rows).index_select(2, columns)


def scale(image: Tensor, height: int, width: int, device: torch.device | None = None) -> Tensor:
    """Bicubic with antialiasing, (B, H, W, C) -> (B, height, width, C); the same tensor if nothing changes.

    Computed on `device`, one channel at a time, so that little is in memory beside the result; that is where the image
    is.
    """
    if image.shape[1:3] == (height, width):
        return image
    scaled = image.new_empty(len(image), height, width, image.shape[-1])
    for picture, result in zip(image, scaled, strict=True):
        for channel in range(image.shape[-1]):
            one = picture[None, None, ..., channel].to(device or image.device)
            larger = F.interpolate(one, (height, width), mode="bicubic", antialias=True)
            result[..., channel].copy_(larger[0, 0].clamp_(*limits(one)))
            del larger  # or the next one would be made beside it
    return scaled


def largest(mask: Tensor, height: int, width: int) -> Tensor:
    """(B, H, W) -> (B, height, width), larger or smaller: the largest value of all pixels that a new one touches."""
    return F.adaptive_max_pool2d(mask, (height, width))


def stitch_crops(
    cut: Cut, generated: Tensor, blending: Blending, painted_mask: Tensor | None = None, work: Work = HERE
) -> Composited:
    """Scales the generated crops (N, h, w, C) back and composites them there, each in its box; all else is copied.

    `blending` is in pixels of the whole picture, and is cut to what the crop shows around the mask; see `composite`.
    Some multiple of N are so many variants of the whole picture, N crops after N crops.

    Arguments:
        cut: from `crop`.
        generated: (N, h, w, C), or padded, or scaled in equal proportions, or a multiple of N.
        blending: see `Blending`.
        painted_mask: what was regenerated in the crops, (1 or N or more, h, w), if that is more than the mask.
        work: where to compute.

    Raises:
        ValueError: if the generated pictures have neither the proportions of the crop nor its size padded, if their
            number and that of the crops do not go together, or if both are too large together.
    """
    boxes = [place.box for place in cut.places]
    tallest, widest = max(box.height for box in boxes), max(box.width for box in boxes)
    check_pixels("input generated", len(generated), (tallest, widest), cut.image[..., 0].numel())
    found, whole_size = generated.shape[1:3], cut.image.shape[1:3]
    size = cut.height, cut.width
    scaled = same_aspect(found, size) and not made_to_fit(found, size)
    if fits_padded(found, whole_size) and not fits_padded(found, size) and not scaled:
        raise ValueError(
            "input generated: found a picture as large as the whole one, wanted the decoded crop; "
            "connect Encode to the image of Crop, not to the whole picture"
        )
    generated, image = _variants(cut, generated if scaled else unpad(generated, *size, KEEP_PROPORTIONS))
    painted = _check_painted(painted_mask, generated)
    measured, crops = Measured(), cut.crops
    for n in range(len(generated)):
        variant, number = divmod(n, len(crops))
        k, box = crops[number]
        at = variant * len(cut.image) + k
        larger = scale(generated[n : n + 1], box.height, box.width, work.device)[0]
        if n == 0:  # not before: scaling takes more memory than what it makes
            whole = image.clone() if image is cut.image else image
            blended = whole.new_zeros(whole.shape[:3])
        inside = box.within(*cut.mask.shape[1:])
        seen = inside.seen_from(box)
        hole = masked = inside.of_one(cut.mask[k])
        if painted is not None:
            cells = seen.of(largest(painted[n % len(painted), None], box.height, box.width))[0]
            masked = torch.maximum(hole, cells)
            hole = torch.maximum(hole, _with_room(cells, inside, cut.mask.shape, blending))
        of_ours, of_theirs = inside.of_one(cut.image[k]), seen.of_one(larger)
        apart, times = APART if painted is None else 0, box.width / cut.width
        measured += Measured(doubt=compare_kept(of_ours, of_theirs, masked, apart, times).doubt)
        narrowed = _narrowed(blending, _margin(hole, inside, cut.mask.shape))
        z, w = inside.of_one(whole[at]), inside.of_one(blended[at])
        picture = composite_into(z, w, of_ours, of_theirs, hole, narrowed, work)
        if picture:
            measured += measure(picture, z, w, work)
        del larger, of_theirs, picture  # or the next one would be made beside it
    words = report(measured, CROP_CUT_OFF if painted is None else "", widest / cut.width)
    return Composited(whole, blended, words, measured.foreign)


def _variants(cut: Cut, generated: Tensor) -> tuple[Tensor, Tensor]:
    """The generated crops, and the pictures as often as there are crops for them.

    Raises:
        ValueError: if the number of crops is no multiple of what was cut out.
    """
    if len(cut.places) == 1 and len(cut.crops) == len(cut.image):  # as many results as there are of either
        image, generated = match_batches(stitch=cut.image, generated=generated)
        return generated, image
    if len(generated) % len(cut.crops):
        raise ValueError(
            f"input generated: found {len(generated)} pictures, wanted {len(cut.crops)}, one for each crop, or a "
            "multiple; decode all crops that Crop gave out, in their order"
        )
    variants = len(generated) // len(cut.crops)
    check_pixels("input generated", variants * len(cut.image), cut.image.shape[1:3], cut.image[..., 0].numel())
    return generated, cut.image.repeat(variants, 1, 1, 1)


def _check_painted(mask: Tensor | None, generated: Tensor) -> Tensor | None:
    """The painted mask at the size of the crops; raises ValueError if it does not go with them."""
    if mask is None:
        return None
    mask = check_mask("painted_mask", mask, generated, "connect Encode's painted_mask, or leave it empty")
    if len(generated) % len(mask):
        raise ValueError(
            f"input painted_mask: found a batch of {len(mask)}, wanted one that divides {len(generated)}, "
            "the number of crops"
        )
    return mask.to(generated.device)


def _with_room(painted: Tensor, inside: Box, size: torch.Size, blending: Blending) -> Tensor:
    """What was painted in a box (h, w), but for a margin where the ramp ends inside the box."""
    room = blending.expand + blending.width
    top, left = (room if start > 0 else 0 for start in (inside.top, inside.left))
    bottom, right = (
        room if end < limit else 0 for end, limit in zip((inside.bottom, inside.right), size[1:], strict=True)
    )
    kept = torch.zeros_like(painted)
    part = Box(top, left, max(inside.height - bottom, top), max(inside.width - right, left))
    part.of_one(kept).copy_(part.of_one(painted))
    return kept


def _narrowed(blending: Blending, margin: int) -> Blending:
    """The same, ending so many pixels from the mask at the latest."""
    expand = min(blending.expand, margin)
    return replace(blending, expand=expand, width=min(blending.width, margin - expand))


def _margin(mask: Tensor, inside: Box, size: torch.Size) -> int:
    """How many pixels a box shows around its part of the mask (h, w); a side on the picture's edge does not count."""
    height, width = size[1:]
    masked = bounding_box(mask[None]) or Box(0, 0, inside.height, inside.width)
    shown = [
        (masked.top, inside.top > 0),
        (masked.left, inside.left > 0),
        (inside.height - masked.bottom, inside.bottom < height),
        (inside.width - masked.right, inside.right < width),
    ]
    return min((pixels for pixels, counts in shown if counts), default=max(height, width))
