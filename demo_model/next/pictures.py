"""The drawn scenes on disk, in shards: drawn once, read often and in any order."""

from pathlib import Path

import numpy as np

from .scenes import draw

SHARD = 1024  # pictures a file


def draw_shards(folder: Path, count: int) -> None:
    """Draws the scenes of the seeds 0 to count - 1, each a row of a file pictures_*.npy; files that exist stay."""
    for first in range(0, count, SHARD):
        path = folder / f"pictures_{first:06}.npy"
        if not path.exists():
            pixels = np.stack(
                [np.rint(255 * draw(seed).image).astype(np.uint8) for seed in range(first, first + SHARD)]
            )
            with path.with_suffix(".new").open("wb") as file:
                np.save(file, pixels)
            path.with_suffix(".new").replace(path)


def shards(folder: Path) -> list[np.ndarray]:
    """The shards that there are so far, by their seeds, each (SHARD, 256, 256, 3) uint8, on disk."""
    return [np.load(path, mmap_mode="r") for path in sorted(folder.glob("pictures_*.npy"))]
