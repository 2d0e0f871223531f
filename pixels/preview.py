"""The mask as the model sees it, drawn for a person."""

import torch
from torch import Tensor
from torch.nn import functional

REGENERATED = (0.90, 0.20, 0.25)
FRACTIONAL = (0.95, 0.75, 0.15)
OPACITY = 0.55
MAX_PIXELS, MAX_FRAMES = 2**20, 8


def draw_mask(cells: Tensor, picture: Tensor) -> Tensor:
    """Kept cells show the picture, fractional ones are amber, regenerated ones red; each of those in a thin frame.

    What is drawn is bounded, whatever is given: `MAX_FRAMES` evenly spaced ones, and `MAX_PIXELS` in each.

    Arguments:
        cells: (N, h, w), values in [0, 1].
        picture: (M, H, W, 3 or 4), values in [0, 1]. If M differs from N, the nearest picture in time is shown.

    Returns:
        (n, H', W', 3), n = N and H', W' = H, W where that is few enough.
    """
    drawn = torch.linspace(0, len(cells) - 1, min(len(cells), MAX_FRAMES)).round().long()
    shown = (drawn * (len(picture) - 1) / max(len(cells) - 1, 1)).round().long()
    zoom = min((MAX_PIXELS / picture[0, ..., 0].numel()) ** 0.5, 1)
    height, width = (max(int(side * zoom), 1) for side in picture.shape[1:3])
    canvas = torch.stack([_resized(picture[k, ..., :3], height, width) for k in shown.tolist()])
    large = _cells_at(cells[drawn.to(cells.device)].float().cpu(), height, width)[..., None]
    colour = torch.where(large >= 1, canvas.new_tensor(REGENERATED), canvas.new_tensor(FRACTIONAL))
    opacity = torch.where(_frames(height, width, cells.shape[-2:])[..., None], 1.0, OPACITY)
    return torch.where(large > 0, torch.lerp(canvas, colour, opacity), canvas)


def _resized(picture: Tensor, height: int, width: int) -> Tensor:
    """(H, W, 3) -> (height, width, 3), by the nearest pixels: a large picture is not even read as a whole."""
    rows, columns = (
        torch.arange(new, device=picture.device) * old // new
        for new, old in zip((height, width), picture.shape[:2], strict=True)
    )
    return picture[rows[:, None], columns].float().cpu()


def _cells_at(cells: Tensor, height: int, width: int) -> Tensor:
    """(N, h, w) -> (N, height, width); where there are more cells than pixels, the largest of those on one."""
    if height >= cells.shape[1] and width >= cells.shape[2]:
        return functional.interpolate(cells[:, None], (height, width), mode="nearest-exact")[:, 0]
    return functional.adaptive_max_pool2d(cells, (height, width))


def _frames(height: int, width: int, grid: torch.Size) -> Tensor:
    """(H, W), true on the first row and column of every cell; nowhere if cells are too small to be told apart."""
    rows, columns = torch.arange(height) * grid[0] // height, torch.arange(width) * grid[1] // width
    if height < 4 * grid[0] or width < 4 * grid[1]:
        return torch.zeros(height, width, dtype=torch.bool)
    before = torch.tensor([-1])
    return (rows.diff(prepend=before) > 0)[:, None] | (columns.diff(prepend=before) > 0)[None, :]
