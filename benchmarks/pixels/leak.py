"""How wrong the known latents are for what was under the mask when the picture was encoded."""

from collections.abc import Callable
from pathlib import Path

import torch
from comfy.ldm.models.autoencoder import AutoencoderKL
from comfy.taesd.taesd import TAESD
from scipy import ndimage
from torch import Tensor
from torch.nn import functional

from latent_repaint.pixels.fill import FILLS, fill_masked

from ..report import Table
from .pictures import scene, square

SIZE, FARTHEST, MAX_GROWTH = 256, 8, 3
KL = {
    "double_z": True,
    "z_channels": 4,
    "resolution": 256,
    "in_channels": 3,
    "out_ch": 3,
    "ch": 64,
    "ch_mult": [1, 2, 4, 4],
    "num_res_blocks": 2,
    "attn_resolutions": [],
    "dropout": 0.0,
}


def leak(_: Path) -> Table:
    encoders = (("TAESD", _taesd(), 8), ("AutoencoderKL", _kl(), 2))
    rows = [
        [encoder, method, *figures]
        for encoder, encode, scenes in encoders
        for method, figures in _errors(encode, scenes).items()
    ]
    return Table(
        "Error of known latents, by distance to the mask",
        [
            "encoder",
            "fill",
            *(f"{d} cells" for d in range(1, FARTHEST + 1)),
            "farther",
            *(f"left beyond {d}" for d in range(1, MAX_GROWTH + 1)),
        ],
        rows,
        "A loud object of 64x64 pixels is to be removed from a scene of 256x256. Root mean square difference of the "
        "latents encoded with the fill from those of the scene without the object, in standard deviations of the "
        "latter, by distance to the mask in cells of 8 pixels. Both encoders are the host's, with random weights, the "
        "second half as wide as SD 1.5's: this shows how far traces reach through the architecture, and not how strong "
        "they are after training. The demo's own encoder sees nothing beyond its cell and has no such error. "
        "Left beyond n: the share of the squared error of all known cells that stays where the mask is grown by n "
        "cells. `diffuse` is the default fill because it is the least in every column of distance. `mask_expand_cells` "
        "is 1 by default: the first cell takes the most away, each further one takes less and costs more of the known "
        "picture.",
    )


def _errors(encode: Callable[[Tensor], Tensor], scenes: int) -> dict[str, list[float]]:
    mask = square(SIZE, 64)
    masked_cells = functional.max_pool2d(mask, 8)[0].numpy() > 0
    distance = torch.from_numpy(ndimage.distance_transform_cdt(~masked_cells, "chessboard")).long()
    distance = distance.clamp(max=FARTHEST + 1).flatten()
    squares = {method: torch.zeros(FARTHEST + 2) for method in FILLS}
    for seed in range(scenes):
        clean = scene(seed, SIZE)
        with_object = torch.where(mask[..., None] > 0, _loud(seed), clean)
        truth = encode(clean)
        for method in FILLS:
            error = (encode(fill_masked(with_object, mask, method)) - truth) / truth.std()
            squares[method].index_add_(0, distance, error.square().mean((0, 1)).flatten() / scenes)
    return {
        method: [
            *(total / distance.bincount()).sqrt()[1:].tolist(),
            *((total[1 + grown :].sum() / total[1:].sum()).item() for grown in range(1, MAX_GROWTH + 1)),
        ]
        for method, total in squares.items()
    }


def _loud(seed: int) -> Tensor:
    """Tiles of 16 pixels in random full colours, (1, SIZE, SIZE, 3)."""
    tiles = torch.rand(1, SIZE // 16, SIZE // 16, 3, generator=torch.Generator().manual_seed(seed)).round()
    return tiles.repeat_interleave(16, 1).repeat_interleave(16, 2)


def _taesd() -> Callable[[Tensor], Tensor]:
    model = _with_random_weights(TAESD())
    return lambda image: model.encode(2 * image.movedim(-1, 1) - 1)


def _kl() -> Callable[[Tensor], Tensor]:
    model = _with_random_weights(AutoencoderKL(ddconfig=KL, embed_dim=4))
    return lambda image: model.quant_conv(model.encoder(2 * image.movedim(-1, 1) - 1)).chunk(2, dim=1)[0]


def _with_random_weights(model: torch.nn.Module) -> torch.nn.Module:
    """Every layer keeps the variance of what it is given."""
    generator = torch.Generator().manual_seed(0)
    for name, weight in model.named_parameters():
        if weight.ndim > 1:
            weight.data = torch.randn(weight.shape, generator=generator) * (2 / weight[0].numel()) ** 0.5
        else:
            weight.data = torch.full(weight.shape, 0.0 if name.endswith("bias") else 1.0)
    return model.eval()
