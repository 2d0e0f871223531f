"""Bytes of the saved picture that differ where they must not: random pictures, masks and settings of every kind."""

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import Tensor

from latent_repaint.checks import check_mask
from latent_repaint.pixels.composite import BLENDS, Blending, Composited, composite
from latent_repaint.pixels.crop_stitch import crop, stitch_crops
from latent_repaint.pixels.latent_grid import mask_to_grid, painted_pixels
from latent_repaint.pixels.pad import pad_to_multiple, unpad
from latent_repaint.pixels.placement import Framing

from ..report import Table

CASES, LONGEST, CELL = 800, 160, 8


class RandomCase:
    """A picture (1 to 3 of them, RGB or RGBA, 8 bits deep as from a file), another one, a mask, and settings."""

    def __init__(self, seed: int) -> None:
        self.rng = rng = np.random.default_rng(seed)
        self.size = tuple(int(n) for n in rng.integers(1, LONGEST, 2))
        batch, channels = int(rng.choice([1, 1, 1, 2, 3])), int(rng.integers(3, 5))
        levels = rng.integers(0, 256, (2, batch, *self.size, channels)).astype(np.float32)
        self.original, self.generated = torch.from_numpy(levels) / 255
        self.mask = torch.cat([self.drawn(self.size) for _ in range(batch)])
        self.blending = Blending(
            int(rng.integers(0, 40)), int(rng.integers(0, 40)), BLENDS[seed % 2], float(rng.random())
        )
        sides = [(0, 0), (64, 64), (96, 0), (0, 40)][rng.integers(4)]
        self.framing = Framing(float(rng.uniform(1, 2)), *sides, int(rng.choice([1, 8, 32])))

    def drawn(self, size: tuple[int, ...]) -> Tensor:
        """Specks, nothing or all, and up to four rectangles, hard or soft: (1, H, W)."""
        mask = torch.from_numpy(self.rng.random((1, *size)) < self.rng.choice([0, 0, 0.001, 0.3, 1])).float()
        for _ in range(self.rng.integers(5)):
            top, left = (int(self.rng.integers(side)) for side in size)
            mask[:, top : top + self.rng.integers(60), left : left + self.rng.integers(60)] = self.rng.choice([1, 0.4])
        return mask


def by_mask(case: RandomCase) -> Composited:
    return composite(case.original, case.generated, case.mask, case.blending)


def by_painted_mask(case: RandomCase) -> Composited:
    padded = pad_to_multiple(case.mask, CELL)
    grid = torch.Size([len(padded), 4, padded.shape[1] // CELL, padded.shape[2] // CELL])
    cells = mask_to_grid(padded, grid, mask_expand_cells=int(case.rng.integers(3)), spatial_ratio=CELL)
    painted = unpad(painted_pixels(cells, CELL, len(padded))[..., None], *case.size)[..., 0]
    return composite(case.original, case.generated, painted, case.blending)


def by_scaled_mask(case: RandomCase) -> Composited:
    zoom = float(case.rng.choice([0.25, 0.5, 2, 3]))
    size = tuple(max(round(side * zoom), 1) for side in case.size)
    mask = torch.cat([case.drawn(size) for _ in case.original])
    try:
        mask = check_mask("mask", mask, case.original)
    except ValueError:  # rounded too far from the picture's aspect
        mask = case.mask
    return composite(case.original, case.generated, mask, case.blending)


def by_stitch(islands: str, case: RandomCase) -> Composited:
    cut, cropped, cropped_mask = crop(case.original, case.mask, case.framing, islands=islands)
    painted = [None, cropped_mask, torch.ones_like(cropped_mask)][case.rng.integers(3)]
    return stitch_crops(cut, 1 - cropped, case.blending, painted)


def levels(picture: Tensor) -> np.ndarray:
    """The bytes that SaveImage makes of a picture (H, W, C); a test of the host tier compares its files."""
    return np.clip(255 * picture.numpy(), 0, 255).astype(np.uint8)


def exactness(cases: int) -> Table:
    kinds: dict[str, Callable[[RandomCase], Composited]] = {
        "Composite, the mask as drawn": by_mask,
        "Composite, painted_mask": by_painted_mask,
        "Composite, a mask of another size": by_scaled_mask,
        "Crop and Stitch, together, with and without painted_mask": partial(by_stitch, "together"),
        "Crop and Stitch, islands each, with and without painted_mask": partial(by_stitch, "each"),
        "Crop and Stitch, a moving box, with and without painted_mask": partial(by_stitch, "moving"),
    }
    rows = []
    for name, put_in in kinds.items():
        differing = pixels = 0
        for seed in range(cases):
            case = RandomCase(seed)
            result = put_in(case)
            for picture, whole, weight in zip(case.original, result.image, result.mask, strict=True):
                outside = (weight == 0).numpy()
                differing += int((levels(whole) != levels(picture))[outside].sum())
                pixels += int(outside.sum())
        rows.append([name, str(cases), str(pixels), str(differing)])
    return Table(
        "Bytes that differ outside the blended mask",
        ["kind", "random cases", "pixels outside", "differing bytes"],
        rows,
        f"Pictures of 1 to {LONGEST - 1} pixels a side, batches of 1 to 3, RGB and RGBA; masks empty, full, specks, "
        "several rectangles, hard and soft; both blends, ramps and expansion of 0 to 39 pixels; crops scaled and not.",
    )
