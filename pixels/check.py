"""Pictures and masks as they come in: shapes, ranges and batches, refused in words that a user can act on.

Everywhere in `pixels` an image is float (B, H, W, C) in 0..1 with 3 or 4 channels, and a mask float (B, H, W) in
0..1 with 1 = regenerate. Messages name the input, what was found and what is wanted; the node puts its id in front.
"""

from collections.abc import Sequence
from math import prod

import torch
from torch import Tensor

LARGEST = 2**28
"""Pixels of all pictures of a batch that may be made out of smaller ones; as RGB in float32 they take 3 GB."""


def check_image(name: str, image: Tensor) -> Tensor:
    """The image in float32, which holds every half-precision value exactly.

    Raises:
        ValueError: for an image that is not (B, H, W, C) with 3 or 4 channels and at least one pixel, that is not
            made of floats, or is not finite.
    """
    shape = tuple(image.shape)
    if image.ndim != 4 or shape[-1] not in (3, 4) or 0 in shape:
        raise ValueError(
            f"input {name}: found shape {shape}, wanted (batch, height, width, channels) "
            "with 3 or 4 channels and no empty dimension"
        )
    if not image.is_floating_point():
        raise ValueError(f"input {name}: found {image.dtype} values, wanted floats from 0 to 1")
    _check_finite(name, image)
    return image.float()


def check_mask(name: str, mask: Tensor, image: Tensor) -> Tensor:
    """The mask in float32, clamped to 0..1, at the size of the image (B, H, W, C).

    An empty mask may have any size: the host's Load Image hands out one of 64x64 for every picture without alpha. Any
    other must have the picture's.

    Raises:
        ValueError: for a mask that is not (B, H, W) or (H, W), is not finite, or has another size than the image.
    """
    mask = mask[None] if mask.ndim == 2 else mask
    shape, size = tuple(mask.shape), tuple(image.shape[1:3])
    if mask.ndim != 3 or 0 in shape:
        raise ValueError(f"input {name}: found shape {shape}, wanted (batch, height, width), none of them 0")
    _check_finite(name, mask)
    mask = mask.float().clamp(0, 1)
    if shape[1:] == size:
        return mask
    if not mask.any():
        return mask[:, :1, :1].expand(-1, *size)
    raise ValueError(
        f"input {name}: found {_pixels(shape[1:])}, wanted {_pixels(size)}, the size of the image; "
        "scale the mask together with the picture"
    )


def match_batches(**batches: Tensor) -> tuple[Tensor, ...]:
    """All tensors repeated to the largest batch: item k of the result is item k mod B of a tensor with batch B.

    Raises:
        ValueError: if a batch does not divide the largest one, or would be repeated beyond `LARGEST` pixels and beyond
            what came as pictures: one mask for all frames of a long video is no more than the video itself.
    """
    largest = max(len(x) for x in batches.values())
    given = max((x[..., 0].numel() for x in batches.values() if x.ndim == 4 and len(x) == largest), default=0)
    for name, x in batches.items():
        if len(x) < largest:
            check_pixels(f"input {name}", largest, x.shape[1:3], given)
        if largest % len(x):
            raise ValueError(
                f"input {name}: found a batch of {len(x)}, wanted one that divides {largest}, "
                "the largest batch among the inputs"
            )
    return tuple(x.repeat(largest // len(x), *[1] * (x.ndim - 1)) if len(x) < largest else x for x in batches.values())


def check_pixels(what: str, pictures: int, size: Sequence[int], given: int = 0) -> None:
    """Raises ValueError if so many pictures of that size, (H, W), have more than `LARGEST` pixels in all, and more than
    twice the pixels that were given."""
    if pictures * prod(size) > max(LARGEST, 2 * given):
        raise ValueError(
            f"{what}: found a need for {pictures} pictures of {_pixels(size)}, wanted {LARGEST} pixels at most; "
            "take fewer or smaller pictures at a time"
        )


def _check_finite(name: str, x: Tensor) -> None:
    if not torch.isfinite(x).all():
        raise ValueError(f"input {name}: found NaN or infinite values, wanted numbers from 0 to 1")


def _pixels(size: Sequence[int]) -> str:
    return f"{size[1]}x{size[0]} pixels"
