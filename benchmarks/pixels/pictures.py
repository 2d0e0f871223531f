"""What the measurements look at: scenes, masks, a decoder's faults, and files as the host writes them."""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from demo_model import scenes

from . import host


def scene(seed: int, size: int) -> Tensor:
    """A picture that the demo model was not trained on, 8 bits deep as from a file, (1, size, size, 3)."""
    image = torch.from_numpy(scenes.draw(scenes.HELD_OUT + seed, size).image)
    return (image * 255).round().div(255)[None]


def ellipse(seed: int, size: int, radius: float) -> Tensor:
    """A mask somewhere in the picture, (1, size, size)."""
    rng = np.random.default_rng(seed)
    u, v = rng.uniform(0.3, 0.7, 2) * size
    a, b = rng.uniform(0.6, 1.2, 2) * radius
    y, x = np.mgrid[:size, :size]
    return torch.from_numpy((((x - u) / a) ** 2 + ((y - v) / b) ** 2 < 1).astype(np.float32))[None]


def square(size: int, side: int) -> Tensor:
    """A mask in the middle of the picture, (1, size, size)."""
    mask, start = torch.zeros(1, size, size), (size - side) // 2
    mask[:, start : start + side, start : start + side] = 1
    return mask


def shifted(image: Tensor) -> Tensor:
    """A decoder's colour error, exaggerated: 8 levels of 255 brighter, contrast 0.95."""
    return (0.5 + 0.95 * (image - 0.5) + 8 / 255).clamp(0, 1)


@cache
def demo() -> tuple[Any, Any, Any]:
    """The demo model: MODEL, CLIP, VAE."""
    return host.nodes.CheckpointLoaderSimple().load_checkpoint(host.demo_checkpoint)


def saved(image: Tensor) -> np.ndarray:
    """The bytes that the host's SaveImage writes into a PNG."""
    file = host.nodes.SaveImage().save_images(image, "pixels")["ui"]["images"][0]
    with Image.open(Path(host.folder_paths.get_output_directory()) / file["filename"]) as picture:
        return np.asarray(picture)
