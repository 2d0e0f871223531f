"""How a mask in pixels becomes cells of a latent of any rank, without losing a stroke: `mask_to_grid`."""

import torch
from torch import Tensor
from torch.nn import functional

from ..checks import FLOOR, check_finite, floored

SPATIAL_METHODS = ("max", "area", "mean", "nearest", "min")
TEMPORAL_METHODS = ("max", "mean", "min")


def centre_crop(mask: Tensor, ratio: int) -> Tensor:
    """(..., H, W) -> (..., H', W'), the largest multiples of `ratio`, from the middle as the host's VAE encode cuts."""
    height, width = mask.shape[-2:]
    top, left = height % ratio // 2, width % ratio // 2
    return mask[..., top : top + height // ratio * ratio, left : left + width // ratio * ratio]


def pixels_per_cell(size: tuple[int, int], grid: tuple[int, int], ratio: int | None) -> int | None:
    """The VAE's ratio by which a mask of `size` pixels falls on `grid` cells, after a centre crop.

    Arguments:
        ratio: the VAE's own, if it is known; else the largest whole one that fits.

    Returns:
        The ratio, or None if the mask was drawn at another size than the picture.
    """
    fitting = min(size[0] // grid[0], size[1] // grid[1]) if ratio is None else ratio
    return fitting if fitting > 0 and (size[0] // fitting, size[1] // fitting) == grid else None


def pool(mask: Tensor, grid: tuple[int, int], method: str) -> Tensor:
    """(N, H, W) -> (N, h, w): each cell takes the max, mean or min of all the pixels it touches; area is the mean under
    the name of torch's interpolation, nearest reads the pixel in the middle of the cell."""
    mask = mask[:, None]
    if method == "max":
        cells = functional.adaptive_max_pool2d(mask, grid)
    elif method == "min":
        cells = -functional.adaptive_max_pool2d(-mask, grid)
    elif method in ("area", "mean"):
        cells = functional.adaptive_avg_pool2d(mask, grid)
    else:
        cells = functional.interpolate(mask, grid, mode="nearest-exact")
    return cells[:, 0]


def pool_frames(mask: Tensor, frames: int, ratio: int | None, method: str) -> Tensor:
    """(F, H, W) -> (T, H, W): latent frame 0 sees frame 0 alone, latent frame k sees frames r(k-1)+1 .. rk, as a causal
    video VAE encodes them. A single frame serves all.

    Arguments:
        frames: T.
        ratio: r, the VAE's temporal compression; None reads it off F and T.

    Raises:
        ValueError: if F frames cannot become T.
    """
    given = len(mask)
    if given == 1:
        return mask.expand(frames, -1, -1)
    if given == frames:
        return mask
    if ratio is None and frames > 1 and (given - 1) % (frames - 1) == 0:
        ratio = (given - 1) // (frames - 1)
    if not ratio or (given - 1) // ratio + 1 != frames:
        wanted = f"1, {frames}" + (f" or {(frames - 1) * ratio + 1}" if ratio else " or 4k+1 of a causal video VAE")
        raise ValueError(
            f"input mask: found {given} frames for {frames} latent frames, wanted {wanted}; "
            "use one mask for all frames, or one for each frame of the video"
        )
    groups = mask[1 : (frames - 1) * ratio + 1].unflatten(0, (frames - 1, ratio))
    later = groups.mean(1) if method == "mean" else groups.amax(1) if method == "max" else groups.amin(1)
    return torch.cat([mask[:1], later])


def expand(cells: Tensor, by: int) -> Tensor:
    """(N, h, w): every cell takes the largest value within `by` cells, diagonals included."""
    for kernel, padding in (((2 * by + 1, 1), (by, 0)), ((1, 2 * by + 1), (0, by))):  # rows, then columns
        cells = functional.max_pool2d(cells[:, None], kernel, stride=1, padding=padding)[:, 0]
    return cells


def mask_to_grid(
    mask: Tensor,
    latent_shape: torch.Size,
    spatial_method: str = "max",
    mask_expand_cells: int = 0,
    mask_hipass_filter: float = 0.0,
    temporal_method: str = "max",
    spatial_ratio: int | None = None,
    temporal_ratio: int | None = None,
    soft_mask: bool = False,
) -> Tensor:
    """The mask as the sampler sees it.

    A cell is painted or not, as people mean it who draw: every pixel above `FLOOR` counts as white, and so does a cell
    of which that share is white. With `soft_mask` its value is what became of the pixels' own values.

    Arguments:
        mask: (H, W) or (N, H, W), 1 = regenerate; N counts images, or frames if the latent is a video.
        latent_shape: (B, C, h, w) or (B, C, T, h, w); of sound (B, C, L), where a mask's width is the time.
        spatial_method: one of SPATIAL_METHODS.
        mask_expand_cells: growth of the regenerated part, in cells.
        mask_hipass_filter: values below it count as 0; so do those that are not above `FLOOR`.
        temporal_method: one of TEMPORAL_METHODS.
        spatial_ratio, temporal_ratio: the VAE's; None reads them off the sizes.
        soft_mask: keep values between 0 and 1.

    Returns:
        (N, h, w), or (T, h, w) if the latent is a video, or (N, 1, L) if it is sound, values in [0, 1]. Latents of five
        dimensions and one frame are pictures if the masks go with their batch.

    Raises:
        ValueError: if the mask has another rank, no extent, is not finite, or does not go with the latent's batch or
            frames.
    """
    if mask.ndim not in (2, 3) or 0 in mask.shape:
        raise ValueError(f"input mask: found shape {list(mask.shape)}, wanted (batch, height, width)")
    check_finite("mask", mask)
    mask = floored(mask.reshape(-1, *mask.shape[-2:]))
    mask = torch.where(mask < mask_hipass_filter, 0.0, mask)
    if not soft_mask:
        mask = (mask > 0).float()
    if len(latent_shape) == 3:  # a picture of one row
        latent_shape = torch.Size((*latent_shape[:2], 1, latent_shape[2]))
    batch = latent_shape[0]
    single_frames = len(latent_shape) == 5 and latent_shape[2] == 1 and batch > 1  # as Qwen Image has its pictures
    pictures = len(latent_shape) == 4 or (single_frames and batch % len(mask) == 0)
    if pictures and batch % len(mask):
        raise ValueError(
            f"input mask: found a batch of {len(mask)}, wanted one that divides {batch}, the latent's batch; "
            "use one mask for all pictures, or one for each"
        )
    grid = (latent_shape[-2], latent_shape[-1])
    ratio = pixels_per_cell((mask.shape[-2], mask.shape[-1]), grid, spatial_ratio)
    cells = pool(mask if ratio is None else centre_crop(mask, ratio), grid, spatial_method)
    if not pictures:
        cells = pool_frames(cells, latent_shape[2], temporal_ratio, temporal_method)
    if not soft_mask:
        cells = (cells > FLOOR).float()
    return expand(cells, mask_expand_cells)


def of_latent_rank(cells: Tensor, latent_shape: torch.Size) -> Tensor:
    """The cells (N, h, w) in the rank that the host takes through untouched: (N, 1, h, w), (N, 1, 1, h, w) of pictures
    with one frame, (B, 1, T, h, w), or (N, 1, L)."""
    if len(latent_shape) == 3:
        return cells
    if len(latent_shape) == 4:
        return cells[:, None]
    if latent_shape[2] == 1:
        return cells[:, None, None]
    return cells[None, None].expand(latent_shape[0], -1, -1, -1, -1).contiguous()


def painted_pixels(cells: Tensor, ratio: int, frames: int, temporal_ratio: int | None = None) -> Tensor:
    """Every pixel of every cell that is regenerated, be it in part: (N, h, w) -> (F, r h, r w), values 0 and 1.

    Arguments:
        cells: of N pictures, or of N frames of a latent video.
        ratio: r, pixels a cell.
        frames: F, of the pictures or the video.
        temporal_ratio: of a causal video VAE, see `pool_frames`; None for pictures, N = F.
    """
    if temporal_ratio is not None:
        cells = cells[(torch.arange(frames) + temporal_ratio - 1) // temporal_ratio]
    return (cells > 0).float().repeat_interleave(ratio, 1).repeat_interleave(ratio, 2)
