"""What comes from a stranger's workflow is checked before the first model evaluation.

Every message says which input, what was found and what is wanted; `naming` puts the node's id in front.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor


@contextmanager
def naming(node: str) -> Iterator[None]:
    """Puts the node's id in front of every ValueError raised inside."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{node}: {error}") from error


def check_sigmas(sigmas: Tensor) -> None:
    """Raises ValueError unless sigmas are (n,), n >= 2, finite, not negative, and never rise."""
    if not isinstance(sigmas, Tensor) or sigmas.ndim != 1 or len(sigmas) < 2:
        found = list(sigmas.shape) if isinstance(sigmas, Tensor) else type(sigmas).__name__
        raise ValueError(f"input sigmas: found shape {found}, wanted at least two sigmas in one row")
    check_finite("sigmas", sigmas)
    values = sigmas.tolist()
    if values[-1] < 0:
        raise ValueError(f"input sigmas: found {values[-1]:.4g}, wanted numbers from 0 up")
    for here, after in zip(values, values[1:], strict=False):
        if after > here:
            raise ValueError(f"input sigmas: found {after:.4g} after {here:.4g}, wanted sigmas that never rise")


def check_finite(name: str, tensor: Tensor) -> None:
    """Raises ValueError if `tensor`, the input `name`, holds NaN or infinity."""
    if not torch.isfinite(tensor).all():
        raise ValueError(f"input {name}: found NaN or infinity, wanted finite numbers")


def check_latent(samples: Any, name: str) -> Tensor:
    """The tensor of a LATENT, (B, C, h, w) or (B, C, T, h, w).

    Raises:
        ValueError: if there is none, if it is nested, has another rank, no extent, or is not finite.
    """
    if not isinstance(samples, dict) or "samples" not in samples:
        found = sorted(samples) if isinstance(samples, dict) else type(samples).__name__
        raise ValueError(f"input {name}: found {found}, wanted a LATENT with samples")
    latent = samples["samples"]
    if getattr(latent, "is_nested", False):
        raise ValueError(f"input {name}: found nested (audio and video) latents, wanted one picture or video")
    if not isinstance(latent, Tensor) or latent.ndim not in (4, 5) or 0 in latent.shape:
        found = list(latent.shape) if isinstance(latent, Tensor) else type(latent).__name__
        raise ValueError(f"input {name}: found shape {found}, wanted (batch, channels, [frames,] height, width)")
    check_finite(name, latent)
    return latent


def check_run(sigmas: Tensor, noise: Tensor, latent_image: Tensor | None, denoise_mask: Tensor | None) -> None:
    """Raises ValueError unless a sampler can run on these; latents as the host hands them to a sampler."""
    check_sigmas(sigmas)
    if latent_image is None or latent_image.ndim < 3:
        found = None if latent_image is None else list(latent_image.shape)
        raise ValueError(f"input latent_image: found {found}, wanted one picture, video or sound")
    nested = latent_image.ndim == 3 and latent_image.shape[1] == 1  # the host packs them to (B, 1, N)
    if nested and denoise_mask is not None and denoise_mask.shape != latent_image.shape:
        raise ValueError(
            "input noise_mask: found one mask for nested latents (audio and video), wanted one for each, "
            "which ComfyUI knows from 0.6"
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
