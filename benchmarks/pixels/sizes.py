"""What Crop, Stitch and Composite cost by size."""

import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from latent_repaint.nodes.composite import Composite
from latent_repaint.nodes.crop_stitch import Crop, Stitch

from ..report import Table

SIDES, MASKS = (1024, 2048, 4096, 8192), (256, 1536)
BLENDING = (0, 16, "multiband", 1.0)
REPEATS = 3


def sizes(sides: Sequence[int]) -> Table:
    torch.set_num_threads(1)
    cells = [(side, masked) for side in sides for masked in (*MASKS, side) if masked <= side]
    row(256, 128)  # warms up
    return Table(
        "Cost by size",
        ["picture", "mask", "crop", "stitch", "crop + stitch", "composite"],
        [row(*cell) for cell in cells],
        f"Seconds, the median of {REPEATS} runs on one thread, with the crop scaled to 512x512, the blend `multiband` "
        "and a ramp of 16 pixels. Mask: a square in the middle, its side in pixels.",
    )


def row(side: int, masked: int) -> list[str | float]:
    small = torch.rand(1, 3, side // 8, side // 8, generator=torch.Generator().manual_seed(0))
    picture = functional.interpolate(small, scale_factor=8, mode="bilinear").movedim(1, -1).contiguous()
    mask, generated = square(side, masked), 0.97 * picture

    def crop() -> Any:
        return Crop.execute(picture, mask, 1.2, 512, 512, 32)

    cut, cropped, _mask = crop().args
    spent = [
        seconds(crop),
        seconds(lambda: Stitch.execute(cut, cropped, *BLENDING)),
        seconds(lambda: Composite.execute(picture, generated, mask, *BLENDING)),
    ]
    name = "whole" if masked == side else str(masked)
    return [f"{side}x{side}", name, *spent[:2], sum(spent[:2]), spent[2]]


def square(size: int, side: int) -> Tensor:
    """A mask in the middle of the picture, (1, size, size)."""
    mask, start = torch.zeros(1, size, size), (size - side) // 2
    mask[:, start : start + side, start : start + side] = 1
    return mask


def seconds(work: Callable[[], Any]) -> float:
    """The median wall time of several runs."""
    spent = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        work()
        spent.append(time.perf_counter() - start)
    return median(spent)
