"""The generated picture over the original one: exact outside the mask, without a seam around it.

`composite` and what it is made of stand first, then the bands of frequencies, then the colour shift.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ..checks import FLOOR
from .fill import membrane
from .region import BLOCK, HERE, Box, Work, bounding_box, distance_to_mask, grown, masked_blocks, parts, strips
from .report import EDGE, NEAR, Measured, compare_kept, edge_sums, report

BLENDS = ["feather", "multiband"]

STRIP, EDGE_SAMPLE = 2**17, 2**18
"""Pixels that are copied at a time, and pixels around the mask's edge that are looked at for a cut, or a few more."""

RING = 32
"""Pixels around the mask in which colour is compared: wider than the cells that are painted along with the mask, so
that part of it is the plain decoded original."""

SAME_CONTENT = 32 / 255
"""Farther than this from the median difference, two pixels do not show the same thing in two colours."""

CHUNK, RING_SAMPLE = 2**8, 2**12
"""Blocks that are compared at a time, and blocks on which the ring is judged as a whole."""


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
    image, weight, measured = original.clone(), torch.zeros_like(mask), Measured()
    for k in range(len(mask)):  # one by one, so that nothing else in a batch has a say in it
        picture = composite_into(image[k], weight[k], original[k], generated[k], mask[k], blending, work)
        if picture:
            measured += measure(picture, image[k], weight[k], work)
            measured += Measured(doubt=compare_kept(original[k], generated[k], mask[k]).doubt)
    return Composited(image, weight, report(measured), measured.foreign)


def composite_into(
    image: Tensor, weight: Tensor, original: Tensor, generated: Tensor, mask: Tensor, blending: Blending, work: Work
) -> "Picture | None":
    """Composites one picture in place. The cost grows with the mask, and not with the picture.

    Arguments:
        image: z, (H, W, C), a copy of the original.
        weight: w, (H, W), all 0.
        original, generated, mask, blending, work: as in `composite`, without the batch.

    Returns:
        What `measure` needs, or None if nothing is masked.
    """
    around = bounding_box(mask[None])
    if around is None:
        return None
    reach = blending.expand + max(blending.width, RING)
    around = _whole_blocks(around.grown(reach)).within(*mask.shape)
    picture = Picture(around, original, generated, mask, blending)
    z, w = around.of_one(image), around.of_one(weight)
    for strip in strips(Box(0, 0, *picture.masked.shape), STRIP):
        work.stop_if_asked()
        picture.copy(strip, z, w)
    for part in picture.edge:
        work.stop_if_asked()
        picture.blend(part, z, w, work.device or mask.device)
    return picture


def measure(picture: "Picture", image: Tensor, weight: Tensor, work: Work = HERE) -> Measured:
    """What became of one picture; looks at a sample of the mask's edge.

    Arguments:
        picture, image, weight: from `composite_into`, and as it left them.
    """
    z, w = picture.around.of_one(image), picture.around.of_one(weight)
    found = Measured(pictures=1, shift=picture.shift.size, outside=_largest_difference(z, picture.original, w))
    seldom = max(-(-sum(part.height * part.width for part in picture.edge) // EDGE_SAMPLE), 1)
    for part in picture.edge[::seldom]:
        work.stop_if_asked()
        seen = _whole_blocks(part.grown(NEAR)).within(*w.shape)
        inside, inner = seen.of_one(w) >= 1, part.seen_from(seen)
        near = inner.of_one(distance_to_mask(inside[None].float())[0])
        ring = torch.zeros_like(inside)
        inner.of_one(ring).copy_((near > 0) & (near <= EDGE))
        x, y = (p.movedim(-1, 0) for p in (seen.of_one(picture.original), picture.matched(seen)))
        found += edge_sums(x, y, inside, ring)
    return found


def _whole_blocks(box: Box) -> Box:
    return Box(box.top // BLOCK * BLOCK, box.left // BLOCK * BLOCK, box.bottom, box.right)


class Picture:
    """One picture around its mask, and where its edge runs."""

    def __init__(self, around: Box, original: Tensor, generated: Tensor, mask: Tensor, blending: Blending):
        self.around, self.blending = around, blending
        self.original, self.masked = around.of_one(original), around.of_one(mask) > FLOOR
        self.generated = with_channels(around.of_one(generated), original.shape[-1])
        self.limits, everywhere = limits(self.original, self.generated), Box(0, 0, *self.masked.shape)
        self.shift = ColourShift(self.original, self.generated, self.masked, blending.expand, everywhere)
        self.halo = blending.expand + max(blending.width * (2 if blending.blend == "multiband" else 1), EDGE) + NEAR
        self.edge = parts(self.masked, blending.expand + max(blending.width, EDGE), self.halo)

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

    def blend(self, box: Box, z: Tensor, w: Tensor, device: torch.device) -> None:
        """Sets z and w around the mask's edge, in a part of the picture."""
        align = max(2 ** (bands(self.blending.width) + 1), BLOCK)  # the coarsest grid in `multiband`
        seen = box.grown(self.halo)
        seen = Box(seen.top // align * align, seen.left // align * align, seen.bottom, seen.right)
        seen = seen.within(*self.masked.shape)
        masked = seen.of_one(self.masked)[None, None].to(device)
        x, matched = (
            picture.to(device).movedim(-1, 0)[None].contiguous()
            for picture in (seen.of_one(self.original), self.matched(seen))
        )
        distance = distance_to_mask(masked[0].float())[None]
        expand, width = self.blending.expand, self.blending.width
        weight = ramp(distance, expand, width)
        if self.blending.blend == "multiband":
            mixed = multiband(x, matched, distance, expand, width).clamp(*self.limits)
        else:
            mixed = x.lerp(matched, weight)
        result = torch.where(weight >= 1, matched, torch.where(weight > 0, mixed, x))
        inner = box.seen_from(seen)
        box.of_one(z).copy_(inner.of_one(result[0].movedim(0, -1)))
        box.of_one(w).copy_(inner.of_one(weight[0, 0]))


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


def ramp(distance: Tensor, start: float, width: float) -> Tensor:
    r"""A smooth step down, outward from the mask,

    .. math:: w = t^2 (3 - 2t), \qquad t = (\text{start} + \text{width} - d) / \text{width}, \text{ cut to } 0..1

    1 up to a distance d of `start` pixels, 0 from `start + width` on; a hard edge if the width is 0.
    """
    t = ((start + width - distance) / max(width, 1)).clamp(0, 1)
    return torch.where(distance <= start, 1.0, t * t * (3 - 2 * t))


def multiband(original: Tensor, generated: Tensor, distance: Tensor, start: int, width: int) -> Tensor:
    r"""Blends band by band,

    .. math:: z = x + \sum_{l=0}^{L} w_l\, (G_l - G_{l+1})\, \delta, \qquad G_0 = 1, \quad G_{L+1} = 0

    where G_l is a low-pass of 2^l pixels, w_l the `ramp` of width / 2^(L-l) pixels, and delta = y - x outside the
    first ramp's start. Inside, delta is carried on from there, so that what the original shows there has no say. Fine
    detail changes over within a few pixels and cannot show double; colour changes over the whole width and cannot show
    an edge. A decimated pyramid spreads beyond the ramp; this sum is x wherever the widest ramp is 0.

    References:
        Burt and Adelson, A multiresolution spline with application to image mosaics, 1983.

    Arguments:
        original, generated: x and y, (B, C, H, W).
        distance: d, to the mask in pixels, (B, 1, H, W).
        start, width: of the widest ramp, in pixels.

    Returns:
        z, (B, C, H, W), of use where d > start.
    """
    levels = bands(width)
    difference = band_and_below = membrane(generated - original, distance > start, 0, levels + 1)
    blended = original
    for level in range(levels):
        below = _low_pass(difference, 2 ** (level + 1))
        blended = blended + ramp(distance, start, width / 2 ** (levels - level)) * (band_and_below - below)
        band_and_below = below
    return blended + ramp(distance, start, width) * band_and_below


def bands(width: int) -> int:
    """How many bands are split off: so many that the narrowest ramp is 2 or 3 pixels wide."""
    return max(width.bit_length() - 2, 0)


def _low_pass(x: Tensor, pixels: int) -> Tensor:
    """On a grid of so many pixels that begins at the first one, whatever the size."""
    height, width = x.shape[-2:]
    x = F.pad(x, (0, -width % pixels, 0, -height % pixels), mode="replicate")
    small = F.interpolate(x, scale_factor=1 / pixels, mode="bilinear", antialias=True)
    return F.interpolate(small, scale_factor=float(pixels), mode="bilinear")[..., :height, :width]


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
        size: the mean size of u in the ring, in levels of 255; 0 without a ring.
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
        self.size = 0.0
        for at in self._blocks.split(CHUNK):
            mean, counted = self._means(at)
            rows, columns = at.unbind(1)
            self._cells[0, :, rows, columns] = mean.T
            known[0, 0, rows, columns] = counted
            self.size += float(mean.abs().mean(1)[counted].sum())
        self.known = bool(known.any())
        self.size *= 255 / max(int(known.sum()), 1)
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

    def _means(self, at: Tensor) -> tuple[Tensor, Tensor]:
        """The mean difference in some blocks, (n, 3), and which of them show the same content at all, (n,)."""
        original, generated, inside = self._pixels(at)
        weight = ((original - generated - self._median).abs().amax(-1, keepdim=True) <= SAME_CONTENT) & inside[
            ..., None
        ]
        mean = ((original - generated) * weight).sum((1, 2)) / weight.sum((1, 2)).clamp(min=1)
        return mean, weight.any(2).any(1)[:, 0]

    def _typical_difference(self) -> Tensor | float:
        if not len(self._blocks):
            return 0.0
        original, generated, inside = self._pixels(self._blocks[:: -(-len(self._blocks) // RING_SAMPLE)])
        return torch.stack([difference[inside].median() for difference in (original - generated).unbind(-1)])

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
