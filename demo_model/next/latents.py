"""The latents of the drawn scenes on disk, in shards, each scene as it is and mirrored; and their captions."""

from pathlib import Path

import numpy as np
import torch

from ..networks import tokenize
from .autoencoder import Autoencoder
from .pictures import SHARD, shards
from .scenes import choose, describe

CAPTIONS = 4  # of a scene, each naming other parts of it


def encode_shards(folder: Path, model: Autoencoder, batch: int = 16) -> None:
    """Writes latents_*.npy, (SHARD, 2, 4, 32, 32) float16, for each file of pictures; files that exist stay."""
    for i, pixels in enumerate(shards(folder)):
        path = folder / f"latents_{i * SHARD:06}.npy"
        if not path.exists():
            latents = torch.cat([encoded(some, model).half().cpu() for some in pixels.split(batch)])
            with path.with_suffix(".new").open("wb") as file:
                np.save(file, latents.numpy())
            path.with_suffix(".new").replace(path)


@torch.inference_mode()
def encoded(pixels: torch.Tensor, model: Autoencoder) -> torch.Tensor:
    """(B, 256, 256, 3) uint8 -> (B, 2, 4, 32, 32): the latents of the pictures, and of their mirror images."""
    device = next(model.parameters()).device
    x = pixels.to(device).permute(0, 3, 1, 2).float() / 255
    both = torch.cat([x, x.flip(-1)]).contiguous(memory_format=torch.channels_last)
    with torch.autocast(device.type, torch.bfloat16):
        z = model.encode(both)
    return torch.stack(z.float().chunk(2), dim=1)


def captions(scenes: int) -> torch.Tensor:
    """The tokens of the captions of the seeds 0 to scenes - 1: (scenes, CAPTIONS, 77)."""
    texts = []
    for seed in range(scenes):
        attributes = choose(np.random.default_rng(seed))
        texts += [describe(np.random.default_rng((seed, k)), attributes) for k in range(CAPTIONS)]
    return tokenize(texts).view(scenes, CAPTIONS, -1)


def vocabulary() -> torch.Tensor:
    """Every token that captions hold, ascending: a few hundred captions name all that there is."""
    return captions(512).unique()


def load_latents(folder: Path) -> torch.Tensor:
    """All latents that there are so far: (scenes, 2, 4, 32, 32) float16."""
    return torch.from_numpy(np.concatenate([np.load(path) for path in sorted(folder.glob("latents_*.npy"))]))
