"""Encode and Composite as a test calls them, with pictures and masks for them."""

import numpy as np
import torch

from comfyui_host import in_process

in_process.start()

from latent_repaint.nodes.composite import Composite  # noqa: E402
from latent_repaint.nodes.encode import Encode  # noqa: E402


def picture(height: int, width: int, seed: int = 0, batch: int = 1) -> torch.Tensor:
    """A smooth 8-bit picture, as Load Image would give it."""
    rng = np.random.default_rng(seed)
    small = torch.from_numpy(rng.random((batch, 3, 6, 6), np.float32))
    smooth = torch.nn.functional.interpolate(small, (height, width), mode="bicubic").clamp(0, 1)
    return (smooth.movedim(1, -1) * 255).round().div(255)


def square(height: int, width: int, top: int, left: int, side: int) -> torch.Tensor:
    mask = torch.zeros(1, height, width)
    mask[:, top : top + side, left : left + side] = 1
    return mask


def encode(image, mask, vae, fill="diffuse", spatial_method="max", mask_expand_cells=1, soft_mask=False):
    return Encode.execute(image, mask, vae, fill, spatial_method, mask_expand_cells, soft_mask).args


def composite(original, generated, mask, expand=0, width=16, blend="multiband", match_colour=1.0):
    return Composite.execute(original, generated, mask, expand, width, blend, match_colour).args
