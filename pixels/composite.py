"""The generated picture over the original one: exact outside the mask, without a seam around it."""

from typing import NamedTuple

import torch
from torch import Tensor

from .colour import colour_shift
from .multiband import multiband, ramp
from .region import bounding_box, distance_to_mask

BLENDS = ["feather", "multiband"]

RING = 32
"""Pixels around the mask in which colour is compared: wider than the cells that are painted along with the mask, so
that part of it is the plain decoded original."""

ROUNDING = 0.5 / 255
"""The step between two pixels that rounding to 8 bits makes of none."""


class Composite(NamedTuple):
    """The picture (B, H, W, C), the weight of the generated one in it (B, H, W), and what was measured, in words."""

    image: Tensor
    mask: Tensor
    report: str


def composite(
    original: Tensor,
    generated: Tensor,
    mask: Tensor,
    expand: int,
    width: int,
    blend: str,
    match_colour: float,
    device: torch.device | None = None,
) -> Composite:
    r"""Puts the generated picture in place of the masked part,

    .. math:: z = x \text{ where } w = 0, \qquad z = y' \text{ where } w = 1, \qquad
              z = B_w(x, y') \text{ between}, \qquad y' = y + k\,c

    with w the `ramp` that is 1 up to `expand` pixels from the mask and falls to 0 over `width` more, B_w the blend,
    and c the `colour_shift` measured in the ring around that. The ramp lies outside the mask, because there both
    pictures show the same thing. The first two cases are selections and no arithmetic: the original keeps every bit
    where w = 0, and has no say where w = 1.

    Arguments:
        original: x, (B, H, W, C).
        generated: y, (B, H, W, C); may have another number of channels, see `with_channels`.
        mask: (B, H, W), 1 = regenerated; every masked pixel counts in full.
        expand, width: pixels, >= 0.
        blend: `feather` (z = x + w (y' - x)) or `multiband`.
        match_colour: k, 0..1.
        device: where to compute, one picture's box at a time, however long the video; None: where the pictures are.
    """
    image, blended = original.clone(), torch.zeros_like(mask)
    generated = with_channels(generated, original.shape[-1])
    found = []
    for k in range(len(mask)):  # each in its own box, so that nothing else in a batch has a say in it
        box = bounding_box(mask[k : k + 1])
        if box is not None:
            box = box.grown(expand + max(width, RING)).within(*mask.shape[1:])
            x, y, m = (box.of(batch[k : k + 1]).to(device or mask.device) for batch in (original, generated, mask))
            z, w, measured = _composite_one(x, y, m, expand, width, blend, match_colour)
            box.of(image[k : k + 1]).copy_(z)
            box.of(blended[k : k + 1]).copy_(w)
            found.append(measured)
    if not found:
        return Composite(image, blended, "Nothing is masked: the picture is the original.")
    shift, left, pasted, seam = torch.tensor(found).mean(0).tolist()
    report = (  # paragraphs: the page's Preview Any reads Markdown
        f"Largest difference outside the blended mask: {_largest_difference(image, original, blended == 0):g}\n\n"
        f"Colour shift around the mask, of 255: {shift:.2f} before, {left:.2f} after\n\n"
        f"Seam energy, 1 = as in the original: {pasted:.3f} pasted, {seam:.3f} blended"
    )
    return Composite(image, blended, report)


def _composite_one(
    original: Tensor,
    generated: Tensor,
    mask: Tensor,
    expand: int,
    width: int,
    blend: str,
    match_colour: float,
) -> tuple[Tensor, Tensor, list[float]]:
    """One picture around its mask: z (1, H, W, C), w (1, H, W), and colour shift and seam energy before and after."""
    x, y = original.movedim(-1, 1), generated.movedim(-1, 1)
    distance = distance_to_mask(mask).unsqueeze(1)
    masked = distance == 0
    ring = (distance > expand) & (distance <= expand + RING)

    shift = colour_shift(x[:, :3], y[:, :3], ring)
    matched = y.clone()
    if match_colour > 0:
        matched[:, :3] = (y[:, :3] + match_colour * shift).clamp(0, 1)

    w = ramp(distance, expand, width)
    if blend == "multiband":
        mixed = multiband(x, matched, distance, expand, width).clamp(0, 1)
    else:
        mixed = x.lerp(matched, w)
    z = torch.where(w >= 1, matched, torch.where(w > 0, mixed, x))

    measured = [
        _mean_in(ring, shift),
        _mean_in(ring, colour_shift(x[:, :3], matched[:, :3], ring)),
        seam_energy(torch.where(masked, y, x), x, masked.to(x)),
        seam_energy(z, x, w),
    ]
    return z.movedim(1, -1), w[:, 0], measured


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
    steps = [weight.diff(dim=axis).abs() for axis in (-1, -2)]
    found, wanted = (
        sum(float((step * x.diff(dim=axis).abs()).sum()) for step, axis in zip(steps, (-1, -2), strict=True))
        for x in (image, original)
    )
    least = ROUNDING * image.shape[1] * sum(float(step.sum()) for step in steps)
    return max(found, least) / max(wanted, least) if least else 1.0


def with_channels(image: Tensor, channels: int) -> Tensor:
    """The image with 3 or 4 channels: new alpha is opaque, superfluous alpha is dropped."""
    if image.shape[-1] < channels:
        return torch.cat([image, torch.ones_like(image[..., :1])], dim=-1)
    return image[..., :channels]


def _largest_difference(image: Tensor, original: Tensor, where: Tensor) -> float:
    changed = (image != original).any(-1) & where
    return float((image[changed] - original[changed]).abs().max()) if changed.any() else 0.0


def _mean_in(ring: Tensor, shift: Tensor) -> float:
    """The mean size of a shift (B, C, H, W) over the ring, in levels of 255."""
    return 255 * float((shift.abs().mean(1, keepdim=True) * ring).sum() / ring.sum().clamp(min=1))
