"""Where pictures are painted: masks on the latent's own grid, (height, width), True where a cell is unknown."""

import torch
from torch import Tensor


def half(height: int, width: int) -> Tensor:
    """The right half."""
    unknown = torch.zeros(height, width, dtype=torch.bool)
    unknown[:, width // 2 :] = True
    return unknown


def box(height: int, width: int) -> Tensor:
    """The middle quarter of the area."""
    unknown = torch.zeros(height, width, dtype=torch.bool)
    unknown[height // 4 : -(height // 4), width // 4 : -(width // 4)] = True
    return unknown


def strokes(height: int, width: int) -> Tensor:
    """Three strokes across the picture, an eighth of it wide."""
    row, column = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    thick = max(1, min(height, width) // 8)
    lines = ((row - column) % (2 * height), (row + column - 11 * height // 16) % (2 * height), row + 1 - height // 2)
    return torch.stack([line.abs() < thick for line in lines]).any(0) & (column > 0) & (column < width - 1)


def outpaint(height: int, width: int) -> Tensor:
    """All but the middle quarter of the area."""
    return ~box(height, width)


MASKS = {"half": half, "box": box, "strokes": strokes, "outpaint": outpaint}
