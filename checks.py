"""Tensors that come from a workflow are checked here: "input X: found A, wanted B".

Numbers and choices are held against their limits in nodes/schema.py, samplers in samplers/solvers.py.
`naming` puts the node's id in front. An image is float (B, H, W, C) in 0..1 with 3 or 4 channels; a mask is float
(B, H, W) in 0..1, 1 is regenerated, and what is not above `FLOOR` is black.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import prod
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

FLOOR = 0.1
"""What is no more than this in a mask is black: a video's black is 16 of 255, a resaved picture's 1 to 3."""

MAX_PIXELS = 2**28
"""Pixels of all pictures of a batch that may be made out of smaller ones; as RGB in float32 they take 3 GB."""

SAMPLE = 2**16
"""Pixels of a mask by which it is judged."""

MAX_PLACES = 100_000
"""The highest place in a batch that an image may have come from: the host draws the noise of all before it."""


@contextmanager
def naming(node: str) -> Iterator[None]:
    """Puts the node's id in front of every ValueError raised inside."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{node}: {error}") from error


def check_sigmas(sigmas: Tensor, least: int = 2) -> None:
    """Raises ValueError unless sigmas are (n,), n >= `least`, finite, not negative, and never rise."""
    if not isinstance(sigmas, Tensor) or sigmas.ndim != 1 or len(sigmas) < least:
        found = list(sigmas.shape) if isinstance(sigmas, Tensor) else type(sigmas).__name__
        raise ValueError(
            f"input sigmas: found shape {found}, wanted at least two sigmas in one row; use a scheduler node"
        )
    check_finite("sigmas", sigmas)
    values = sigmas.tolist()
    if values[-1] < 0:
        raise ValueError(f"input sigmas: found {values[-1]:.4g}, wanted numbers from 0 up; use a scheduler node")
    for here, after in zip(values, values[1:], strict=False):
        if after > here:
            raise ValueError(
                f"input sigmas: found {after:.4g} after {here:.4g}, wanted sigmas that never rise; use a scheduler node"
            )


def check_plain(name: str, tensor: Tensor) -> None:
    """Raises ValueError if `tensor`, the input `name`, is not made of numbers in memory that torch computes with."""
    kind = "empty (meta)" if tensor.is_meta else "sparse" if tensor.layout != torch.strided else ""
    if tensor.is_floating_point() and tensor.dtype.itemsize == 1:
        kind = str(tensor.dtype).removeprefix("torch.")
    if kind:
        raise ValueError(f"input {name}: found a tensor that is {kind}, wanted one of float32; look at the node before")


def check_finite(name: str, tensor: Tensor) -> None:
    """Raises ValueError if `tensor`, the input `name`, holds NaN or infinity, or is no plain tensor."""
    check_plain(name, tensor)
    # NaN and infinity come through as extremes, and a large picture needs no second one for that
    extremes = torch.stack(tensor.aminmax()) if tensor.is_floating_point() and tensor.numel() else tensor
    if not torch.isfinite(extremes).all():
        raise ValueError(f"input {name}: found NaN or infinity, wanted finite numbers; look at the node before")


def check_latent(samples: Any, name: str) -> Tensor:
    """The tensor of a LATENT, (B, C, h, w), of a video (B, C, T, h, w), or of sound (B, C, L).

    Raises:
        ValueError: if there is none, if it is nested, has another rank, no extent, or is not finite.
    """
    if not isinstance(samples, dict) or "samples" not in samples:
        found = sorted(samples) if isinstance(samples, dict) else type(samples).__name__
        raise ValueError(f"input {name}: found {found}, wanted a LATENT with samples; connect Encode")
    latent = samples["samples"]
    if getattr(latent, "is_nested", False):
        raise ValueError(
            f"input {name}: found nested latents (video and sound), wanted one picture or video; separate them first"
        )
    if not isinstance(latent, Tensor) or latent.ndim not in (3, 4, 5) or 0 in latent.shape:
        found = list(latent.shape) if isinstance(latent, Tensor) else type(latent).__name__
        raise ValueError(
            f"input {name}: found shape {found}, wanted (batch, channels, [frames,] height, width), or for sound "
            "(batch, channels, length)"
        )
    if not latent.is_floating_point():
        raise ValueError(f"input {name}: found a latent of {latent.dtype} values, wanted floats; connect Encode")
    check_finite(name, latent)
    return latent


def check_masked_latent(samples: Any, name: str) -> Tensor:
    """The same, of a LATENT that is to be sampled: with what its noise_mask and batch_index must be.

    Raises:
        ValueError: also if these are something else.
    """
    latent = check_latent(samples, name)
    mask, places = samples.get("noise_mask"), samples.get("batch_index")
    if mask is not None and (not isinstance(mask, Tensor) or mask.ndim < 2):
        found = list(mask.shape) if isinstance(mask, Tensor) else type(mask).__name__
        raise ValueError(f"input {name}: found {found} for its noise_mask, wanted a mask (height, width)")
    if places is not None:
        whole = isinstance(places, (list, tuple)) and all(type(k) is int and 0 <= k <= MAX_PLACES for k in places)
        if not whole or len(places) != len(latent):
            raise ValueError(
                f"input {name}: found {places!r:.80} for its batch_index, wanted {len(latent)} whole numbers from 0 to "
                f"{MAX_PLACES}, one for each image"
            )
    return latent


def check_dimensions(latent: Tensor, dimensions: int) -> None:
    """Raises ValueError if the latent, (B, C, ...), is sound and the model's have 2 or 3 dimensions (pictures, video).

    Nested latents, which the host packs to (B, 1, N), are let through.
    """
    if latent.ndim == 3 and latent.shape[1] > 1 and dimensions > 1:
        raise ValueError(
            f"input latent_image: found sound, {list(latent.shape)}, wanted a picture or a video; take a model for "
            "sound, or another latent"
        )


def check_run(sigmas: Tensor, noise: Tensor, latent_image: Tensor | None, denoise_mask: Tensor | None) -> None:
    """Raises ValueError unless a sampler can run on these; latents as the host hands them to a sampler."""
    check_sigmas(sigmas, least=1)  # SplitSigmas at an end: no step to make
    if latent_image is None or latent_image.ndim < 3:
        found = None if latent_image is None else list(latent_image.shape)
        raise ValueError(f"input latent_image: found {found}, wanted one picture, video or sound")
    nested = latent_image.ndim == 3 and latent_image.shape[1] == 1  # the host packs them to (B, 1, N)
    if nested and denoise_mask is not None and denoise_mask.shape != latent_image.shape:
        raise ValueError(
            "input noise_mask: found one mask for nested latents (video and sound), wanted one for each; "
            "mask them before they are joined, on ComfyUI 0.6 or newer"
        )
    check_finite("latent_image", latent_image)
    check_finite("noise", noise)
    if denoise_mask is not None:
        check_finite("noise_mask", denoise_mask)


def check_window(start_percent: float, end_percent: float) -> None:
    """Raises ValueError unless 0 <= start_percent <= end_percent <= 1."""
    if not 0.0 <= start_percent <= end_percent <= 1.0:
        raise ValueError(
            f"inputs start_percent, end_percent: found {start_percent}, {end_percent}, "
            "wanted 0 <= start_percent <= end_percent <= 1"
        )


def check_choice(name: str, value: str, options: Sequence[str]) -> None:
    """Raises ValueError unless `value`, the input `name`, is one of `options`: not every host checks a combo."""
    if value not in options:
        raise ValueError(f"input {name}: found {value!r}, wanted one of {', '.join(options)}")


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
    check_finite(name, image)
    return image.float()


CUT_ALIKE = "cut the mask as the picture was cut (Crop Mask), or paint it on this picture in Load Image"


def check_mask(name: str, mask: Tensor, image: Tensor, advice: str = CUT_ALIKE) -> Tensor:
    """The mask in float32, clamped to 0..1, black up to `FLOOR`, at the size of the image (B, H, W, C).

    An empty mask may have any size: the host's Load Image hands out one of 64x64 for every picture without alpha. One
    of the picture's aspect is scaled, see `scale_mask`; any other must have the picture's size.

    Raises:
        ValueError: for a mask that is not (B, H, W) or (H, W), is not finite, or has another aspect than the image; the
            last with the advice.
    """
    mask = mask[None] if mask.ndim == 2 else mask
    shape, size = tuple(mask.shape), tuple(image.shape[1:3])
    if mask.ndim != 3 or 0 in shape:
        raise ValueError(f"input {name}: found shape {shape}, wanted (batch, height, width), none of them 0")
    check_finite(name, mask)
    mask = floored(mask)
    if shape[1:] == size:
        return mask
    if not mask.any():
        return mask[:, :1, :1].expand(-1, *size)
    if not same_aspect(shape[1:], size):
        raise ValueError(
            f"input {name}: found {_pixels(shape[1:])}, wanted {_pixels(size)}, the size of the picture, or the same "
            f"proportions; {advice}"
        )
    check_pixels(f"input {name}", len(mask), size, image[..., 0].numel())
    return scale_mask(mask, size)


def floored(mask: Tensor) -> Tensor:
    """The mask in float32, clamped to 0..1, and 0 where it is not above `FLOOR`."""
    mask = mask.float()
    low, high = mask.aminmax()
    if low < 0 or high > 1:  # rarely: no second mask in memory for nothing
        mask = mask.clamp(0, 1)
    faint = (mask > 0).logical_and_(mask <= FLOOR)
    return mask.masked_fill(faint, 0.0) if faint.any() else mask


def scale_mask(mask: Tensor, size: Sequence[int]) -> Tensor:
    """(B, H, W) to another size: one of 0 and 1 stays that, and loses no stroke; a soft one is averaged over areas."""
    size = list(size)
    if not ((mask == 0) | (mask == 1)).all():
        return functional.interpolate(mask[:, None], size, mode="area")[:, 0]
    if mask.shape[1] <= size[0] and mask.shape[2] <= size[1]:
        return functional.interpolate(mask[:, None], size, mode="nearest-exact")[:, 0]
    return functional.adaptive_max_pool2d(mask, size)


def scaling_note(name: str, mask: Tensor, image: Tensor) -> str:
    """What `check_mask` did to the size of a mask, for the person; empty if it is as it was."""
    shape, size = tuple(mask.shape[-2:]), tuple(image.shape[1:3])
    if shape == size or not (mask > FLOOR).any():
        return ""
    return f"The {name} was scaled from {_pixels(shape)} to {_pixels(size)}, the size of the picture."


def grey_note(mask: Tensor) -> str:
    """What a person should hear whose mask is grey for the most part, and is painted whole; empty for any other."""
    painted = mask[mask > FLOOR]
    painted = painted[:: -(-len(painted) // SAMPLE)] if len(painted) else painted
    value = float(painted.float().median()) if len(painted) else 1.0
    if value > 0.99:
        return ""
    return f"The mask is grey ({value:.2g}): it is painted whole. Switch on soft_mask for a gradual change."


def same_aspect(shape: tuple[int, ...], size: tuple[int, ...]) -> bool:
    """Whether the smaller of two sizes is the larger one, scaled by some factor and rounded to whole pixels."""
    small, large = sorted((shape, size))
    least = max(there / (here + 0.5) for here, there in zip(small, large, strict=True))
    most = min(there / (here - 0.5) for here, there in zip(small, large, strict=True))
    return least < most


def match_batches(**batches: Tensor) -> tuple[Tensor, ...]:
    """All tensors repeated to the largest batch: item k of the result is item k mod B of a tensor with batch B.

    Raises:
        ValueError: if a batch does not divide the largest one, or would be repeated beyond `MAX_PIXELS` pixels and
            beyond what came as pictures: one mask for all frames of a long video is no more than the video itself.
    """
    largest = max(len(x) for x in batches.values())
    given = max((x[..., 0].numel() for x in batches.values() if x.ndim == 4 and len(x) == largest), default=0)
    for name, x in batches.items():
        if len(x) < largest:
            check_pixels(f"input {name}", largest, x.shape[1:3], given)
        if largest % len(x):
            raise ValueError(
                f"input {name}: found a batch of {len(x)}, wanted one that divides {largest}, "
                "the largest batch among the inputs; use one for all, or one for each"
            )
    return tuple(x.repeat(largest // len(x), *[1] * (x.ndim - 1)) if len(x) < largest else x for x in batches.values())


def check_pixels(what: str, pictures: int, size: Sequence[int], given: int = 0) -> None:
    """Raises ValueError if so many pictures of that size, (H, W), have more than `MAX_PIXELS` pixels in all, and more
    than twice the pixels that were given."""
    if pictures * prod(size) > max(MAX_PIXELS, 2 * given):
        raise ValueError(
            f"{what}: found {pictures} pictures of {_pixels(size)} to make, wanted at most {MAX_PIXELS} pixels in all; "
            "take fewer or smaller pictures at a time"
        )


def _pixels(size: Sequence[int]) -> str:
    return f"{size[1]}x{size[0]} pixels"
