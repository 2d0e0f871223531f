"""The drawn scenes on disk, in shards: drawn once, read often and in any order."""

from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import torch

from .scenes import draw

SHARD = 1024  # pictures a file


def draw_shards(folder: Path, count: int, processes: int = 1) -> None:
    """Draws the scenes of the seeds 0 to count - 1, each a row of a file pictures_*.npy; files that exist stay."""
    paths = {first: folder / f"pictures_{first:06}.npy" for first in range(0, count, SHARD)}
    missing = [first for first, path in paths.items() if not path.exists()]
    with ProcessPoolExecutor(processes) as pool:
        list(pool.map(draw_shard, [paths[first] for first in missing], missing))


def draw_shard(path: Path, first: int) -> None:
    pixels = np.stack([np.rint(255 * draw(seed).image).astype(np.uint8) for seed in range(first, first + SHARD)])
    with path.with_suffix(".new").open("wb") as file:
        np.save(file, pixels)
    path.with_suffix(".new").replace(path)


def shards(folder: Path, device: torch.device | str = "cpu") -> list[torch.Tensor]:
    """The shards that there are so far, each (SHARD, 256, 256, 3) uint8; on the CPU they stay on disk."""
    stored = [np.load(path, mmap_mode="c") for path in sorted(folder.glob("pictures_*.npy"))]
    return [torch.from_numpy(pixels).to(device) for pixels in stored]
