"""The masks of the quality benchmark, drawn on the latent's grid so that only the samplers are compared."""

from __future__ import annotations

import torch
from torch import Tensor

GRID = 16  # cells a side: 128 pixels at 8 pixels a cell


def half() -> Tensor:
    """The right half."""
    unknown = torch.zeros(GRID, GRID, dtype=torch.bool)
    unknown[:, GRID // 2 :] = True
    return unknown


def box() -> Tensor:
    """The middle quarter of the area."""
    unknown = torch.zeros(GRID, GRID, dtype=torch.bool)
    unknown[GRID // 4 : -GRID // 4, GRID // 4 : -GRID // 4] = True
    return unknown


def strokes() -> Tensor:
    """Three strokes, two cells wide, across the picture."""
    row, column = torch.meshgrid(torch.arange(GRID), torch.arange(GRID), indexing="ij")
    lines = ((row - column) % 32, (row + column - 11) % 32, row + 1 - GRID // 2)
    return torch.stack([line.abs() < 2 for line in lines]).any(0) & (column > 0) & (column < GRID - 1)


def outpaint() -> Tensor:
    """All but the middle quarter of the area."""
    return ~box()


MASKS = {"half": half, "box": box, "strokes": strokes, "outpaint": outpaint}
