"""Sizes that a VAE takes: padding by reflection, and its exact inverse."""

from collections.abc import Sequence

import torch
from torch import Tensor

MAX_PADDING = 64
"""No VAE of the host needs as many pixels more: its largest ratio is 64."""

ENCODE = "use Encode for Inpaint, because VAE Encode cuts the picture to another size, and do not scale it later"


def reflected(size: int, start: int, stop: int, device: torch.device | None = None) -> Tensor:
    """Where the coordinates start..stop-1 lie in an axis of `size` pixels that is mirrored beyond its ends.

    The edge pixel is not repeated: a b c -> ... c b [a b c] b a b ...; any start and stop will do, also far outside.
    """
    period = max(2 * (size - 1), 1)
    position = torch.arange(start, stop, device=device) % period
    return torch.minimum(position, period - position)


def pad_to_multiple(x: Tensor, multiple: int) -> Tensor:
    """Mirrors an image (B, H, W, C) or a mask (B, H, W) out to the next multiple in height and width.

    Of p missing pixels, floor(p / 2) go before and the rest after. This depends on the sizes alone, so that `unpad`
    needs nothing else, and it is the counterpart of the host, whose VAE crops about the centre.
    """
    for axis in (1, 2):
        size = x.shape[axis]
        missing = -size % multiple
        if missing:
            before = missing // 2
            x = x.index_select(axis, reflected(size, -before, size + missing - before, x.device))
    return x


def fits_padded(found: Sequence[int], wanted: Sequence[int]) -> bool:
    """Whether one size, (height, width), is the other, or that padded."""
    return all(0 <= there - here < MAX_PADDING for there, here in zip(found, wanted, strict=True))


def made_to_fit(found: Sequence[int], wanted: Sequence[int]) -> bool:
    """Whether one size, (height, width), is the other, padded or cut for a VAE whose ratio is a power of two."""
    sides = [*zip(found, wanted, strict=True)]
    ratios = [2**k for k in range(MAX_PADDING.bit_length())]
    return any(all(there in (here // r * r, -(-here // r) * r) for there, here in sides) for r in ratios)


def unpad(image: Tensor, height: int, width: int, advice: str = "") -> Tensor:
    """The inverse of `pad_to_multiple`, from the sizes alone: (B, H', W', C) -> (B, height, width, C).

    Raises:
        ValueError: if the image is smaller than wanted, or larger by as much as no padding is; with the advice.
    """
    if not fits_padded(image.shape[1:3], (height, width)):
        found, wanted = f"{image.shape[2]}x{image.shape[1]}", f"{width}x{height}"
        raise ValueError(
            f"input generated: found {found} pixels, wanted {wanted} (Encode may add a few pixels at the border); "
            f"{advice or ENCODE}"
        )
    for axis, size in ((1, height), (2, width)):
        image = image.narrow(axis, (image.shape[axis] - size) // 2, size)
    return image
