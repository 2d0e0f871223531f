"""The generated picture over the original one: exact outside the mask, without a seam around it."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from ..checks import FLOOR
from .colour import RING, ColourShift
from .kinship import kinship
from .multiband import bands, multiband, ramp
from .region import Box, bounding_box, distance_to_mask
from .report import EDGE, NEAR, Measured, edge_sums, report, seam_sums
from .rim import BLOCK, parts, strips
from .work import HERE, Work

BLENDS = ["feather", "multiband"]

STRIP, SAMPLE = 2**17, 2**18
"""Pixels that are copied at a time, and pixels around the mask's edge on which the seam is measured, or a few more."""


@dataclass(frozen=True)
class Blending:
    """How the generated picture goes over into the original.

    Attributes:
        expand: pixels around the mask that come from the generated picture in full, >= 0.
        width: pixels beyond that, over which it fades, >= 0.
        blend: `feather` (z = x + w (y' - x)) or `multiband`.
        match_colour: how much of the colour shift is taken out of it, 0..1.
    """

    expand: int = 0
    width: int = 16
    blend: str = "multiband"
    match_colour: float = 1.0


class Composited(NamedTuple):
    """The picture (B, H, W, C), the weight of the generated one in it (B, H, W), what was measured, in words, and what
    the person should be told at once."""

    image: Tensor
    mask: Tensor
    report: str
    doubt: str


def composite(original: Tensor, generated: Tensor, mask: Tensor, blending: Blending, work: Work = HERE) -> Composited:
    r"""Puts the generated picture in place of the masked part,

    .. math:: z = x \text{ where } w = 0, \qquad z = y' \text{ where } w = 1, \qquad
              z = B_w(x, y') \text{ between}, \qquad y' = y + k\,c

    with w the `ramp` that is 1 up to `expand` pixels from the mask and falls to 0 over `width` more, B_w the blend,
    and c the `ColourShift` measured in the ring around the mask. The ramp lies outside the mask, because there both
    pictures show the same thing. The first two cases are selections and no arithmetic: the original keeps every bit
    where w = 0, and has no say where w = 1.

    Arguments:
        original: x, (B, H, W, C).
        generated: y, (B, H, W, C); may have another number of channels, see `with_channels`.
        mask: (B, H, W), 1 = regenerated; every masked pixel counts in full.
        blending: see `Blending`.
        work: where to compute.
    """
    image, blended, measured = original.clone(), torch.zeros_like(mask), Measured()
    for k in range(len(mask)):  # one by one, so that nothing else in a batch has a say in it
        measured += composite_into(image[k], blended[k], original[k], generated[k], mask[k], blending, work)
        measured += Measured(doubt=kinship(original[k], generated[k], mask[k]).doubt)
    return Composited(image, blended, report(measured), measured.foreign)


def composite_into(
    image: Tensor, weight: Tensor, original: Tensor, generated: Tensor, mask: Tensor, blending: Blending, work: Work
) -> Measured:
    """Composites one picture in place. The cost grows with the mask, and not with the picture.

    Arguments:
        image: z, (H, W, C), a copy of the original.
        weight: w, (H, W), all 0.
        original, generated, mask, blending, work: as in `composite`, without the batch.
    """
    around = bounding_box(mask[None])
    if around is None:
        return Measured()
    reach = blending.expand + max(blending.width, RING)
    around = _whole_blocks(around.grown(reach)).within(*mask.shape)
    masked = around.of_one(mask) > FLOOR
    generated = with_channels(around.of_one(generated), original.shape[-1])
    ours = _Picture(around.of_one(original), generated, masked, blending)
    z, w = around.of_one(image), around.of_one(weight)
    for strip in strips(Box(0, 0, *masked.shape), STRIP):
        work.stop_if_asked()
        ours.copy(strip, z, w)
    measured = Measured(pictures=1, shift_before=ours.shift.before, shift_after=ours.shift.after(blending.match_colour))
    edge = parts(masked, blending.expand + max(blending.width, EDGE), ours.halo)
    seldom = -(-sum(part.height * part.width for part in edge) // SAMPLE)
    for n, part in enumerate(edge):
        work.stop_if_asked()
        measured += ours.blend(part, z, w, work.device or mask.device, measured=n % seldom == 0)
    return measured + Measured(outside=_largest_difference(z, ours.original, w))


def _whole_blocks(box: Box) -> Box:
    return Box(box.top // BLOCK * BLOCK, box.left // BLOCK * BLOCK, box.bottom, box.right)


class _Picture:
    """One picture around its mask."""

    def __init__(self, original: Tensor, generated: Tensor, masked: Tensor, blending: Blending):
        self.original, self.generated, self.masked, self.blending = original, generated, masked, blending
        self.limits, everywhere = limits(original, generated), Box(0, 0, *masked.shape)
        self.shift = ColourShift(original, generated, masked, blending.expand, everywhere)
        self.halo = blending.expand + max(blending.width * (2 if blending.blend == "multiband" else 1), EDGE) + NEAR

    def matched(self, box: Box) -> Tensor:
        """y', (h, w, C), in a box that begins on whole blocks."""
        generated = box.of_one(self.generated)
        if not (self.blending.match_colour and self.shift.known):
            return generated
        colours = generated[..., :3] + self.blending.match_colour * self.shift.of(box)
        return torch.cat([colours.clamp_(*self.limits), generated[..., 3:]], dim=-1)

    def copy(self, box: Box, z: Tensor, w: Tensor) -> None:
        """Sets z and w of what is masked."""
        masked = box.of_one(self.masked)
        if masked.any():
            target = box.of_one(z)
            torch.where(masked[..., None], self.matched(box), target, out=target)
            box.of_one(w).masked_fill_(masked, 1.0)

    def blend(self, box: Box, z: Tensor, w: Tensor, device: torch.device, measured: bool) -> Measured:
        """Sets z and w around the mask's edge, in a part of the picture; measures the seam there if that is asked."""
        align = max(2 ** (bands(self.blending.width) + 1), BLOCK)  # the coarsest grid in `multiband`
        seen = box.grown(self.halo)
        seen = Box(seen.top // align * align, seen.left // align * align, seen.bottom, seen.right)
        seen = seen.within(*self.masked.shape)
        masked = seen.of_one(self.masked)[None, None].to(device)
        x, y, matched = (
            picture.to(device).movedim(-1, 0)[None].contiguous()
            for picture in (seen.of_one(self.original), seen.of_one(self.generated), self.matched(seen))
        )
        distance = distance_to_mask(masked[0].float())[None]
        expand, width = self.blending.expand, self.blending.width
        weight = ramp(distance, expand, width)
        if self.blending.blend == "multiband":
            mixed = multiband(x, matched, distance, expand, width).clamp(*self.limits)
        else:
            mixed = x.lerp(matched, weight)
        result = torch.where(weight >= 1, matched, torch.where(weight > 0, mixed, x))
        del mixed
        inner = box.seen_from(seen)
        box.of_one(z).copy_(inner.of_one(result[0].movedim(0, -1)))
        box.of_one(w).copy_(inner.of_one(weight[0, 0]))

        def here(picture: Tensor) -> Tensor:  # with the next row and column, so that no step is left out
            return picture[..., inner.top : inner.bottom + 1, inner.left : inner.right + 1]

        if not measured:
            return Measured()
        ring = torch.zeros_like(masked[0, 0])
        near = inner.of_one(distance[0, 0])
        inner.of_one(ring).copy_((near > expand) & (near <= expand + EDGE))
        edge = edge_sums(x[0], matched[0], result[0], distance[0, 0] <= expand, ring)
        x, y, masked, result, weight = map(here, (x, y, masked, result, weight))
        pasted = torch.where(masked, y, x)
        return Measured(pasted=seam_sums(pasted, x, masked.to(x)), blended=seam_sums(result, x, weight), edge=edge)


def limits(*pictures: Tensor) -> tuple[float, float]:
    """What a mixture of pictures is cut to: 0 and 1, or as far beyond as these go themselves (HDR)."""
    least, most = zip(*(picture.aminmax() for picture in pictures), strict=True)
    return min(0.0, *map(float, least)), max(1.0, *map(float, most))


def with_channels(image: Tensor, channels: int) -> Tensor:
    """The image with 3 or 4 channels: new alpha is opaque, superfluous alpha is dropped."""
    if image.shape[-1] < channels:
        return torch.cat([image, torch.ones_like(image[..., :1])], dim=-1)
    return image[..., :channels]


def _largest_difference(image: Tensor, original: Tensor, weight: Tensor) -> float:
    """Where the weight is 0, all in (H, W, ...)."""
    largest = 0.0
    for strip in strips(Box(0, 0, *weight.shape), STRIP):
        outside = strip.of_one(weight) == 0
        changed = outside & (strip.of_one(image) != strip.of_one(original)).any(-1) if outside.any() else outside
        if changed.any():
            difference = strip.of_one(image)[changed] - strip.of_one(original)[changed]
            largest = max(largest, float(difference.abs().max()))
    return largest
