"""The mask as the model sees it, drawn for a person."""

import torch
from torch import Tensor
from torch.nn import functional

REGENERATED = (0.90, 0.20, 0.25)
FRACTIONAL = (0.95, 0.75, 0.15)
OPACITY = 0.55


def draw_mask(cells: Tensor, picture: Tensor) -> Tensor:
    """Kept cells show the picture, fractional ones are amber, regenerated ones red; each of those in a thin frame.

    Arguments:
        cells: (N, h, w), values in [0, 1].
        picture: (M, H, W, 3 or 4), values in [0, 1]. If M differs from N, the nearest picture in time is shown.

    Returns:
        (N, H, W, 3).
    """
    count, (height, width) = len(cells), picture.shape[1:3]
    shown = torch.linspace(0, len(picture) - 1, count).round().long() if len(picture) != count else torch.arange(count)
    canvas = picture[shown.to(picture.device), ..., :3].float().cpu()
    large = functional.interpolate(cells[:, None].float().cpu(), (height, width), mode="nearest-exact")[:, 0, ..., None]
    colour = torch.where(large >= 1, canvas.new_tensor(REGENERATED), canvas.new_tensor(FRACTIONAL))
    opacity = torch.where(_frames(height, width, cells.shape[-2:])[..., None], 1.0, OPACITY)
    return torch.where(large > 0, torch.lerp(canvas, colour, opacity), canvas)


def _frames(height: int, width: int, grid: torch.Size) -> Tensor:
    """(H, W), true on the first row and column of every cell; nowhere if cells are too small to be told apart."""
    rows, columns = torch.arange(height) * grid[0] // height, torch.arange(width) * grid[1] // width
    if height < 4 * grid[0] or width < 4 * grid[1]:
        return torch.zeros(height, width, dtype=torch.bool)
    before = torch.tensor([-1])
    return (rows.diff(prepend=before) > 0)[:, None] | (columns.diff(prepend=before) > 0)[None, :]
