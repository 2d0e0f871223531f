"""Trained autoencoders on photographs: what leaks, what is kept, what is left of a seam."""

from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from latent_repaint.nodes import encode
from latent_repaint.pixels.composite import Blending, ColourShift, composite_into, measure
from latent_repaint.pixels.crop_stitch import scale
from latent_repaint.pixels.pad import pad_to_multiple, unpad
from latent_repaint.pixels.region import HERE, Box
from latent_repaint.pixels.report import compare_kept

from ..report import Table
from ..seam import seam_energy
from . import host
from .pictures import saved

CELL, REACH = 8, 12
LATENT_NOTICED, PIXEL_NOTICED = 0.1, 2 / 255
"""A change of a latent's standard deviation, and of a pixel, from which on it counts as one."""


def real(vae_approx: Path, pictures: Path) -> Table:
    host.folder_paths.add_model_folder_path("vae_approx", str(vae_approx))
    loader = host.nodes.VAELoader()
    offered = loader.INPUT_TYPES()["required"]["vae_name"][0]
    names = [name for name in offered if (vae_approx / f"{name}_encoder.safetensors").is_file()]
    photographs = [photograph(path, n) for n, path in enumerate(sorted(pictures.glob("*.[pj][np]g")))]
    rows = []
    for name in names:
        vae = loader.load_vae(name)[0]
        found = np.array([measured(vae, photographs, n) for n in range(len(photographs))])
        worst, mean = found.max(0), found.mean(0)
        rows.append([
            name, mean[0], mean[1], worst[2], str(int(found[:, 3].sum())), *mean[4:8], mean[8], str(int(worst[8])),
            mean[9], str(int(worst[9])), f"{int(found[:, 10].sum())} of {len(found)}",
            worst[11], found[:, 12].min(), *(f"{int((found[:, k] > 0).sum())} of {len(found)}" for k in (13, 14, 15)),
        ])  # fmt: skip
    return Table(
        "Trained autoencoders on photographs",
        [
            "autoencoder", "PSNR of the round trip, dB", "leak, fill original", "leak, fill diffuse",
            "bytes changed outside", "colour shift before, of 255", "after", "seam pasted", "seam blended",
            "encoder reaches, cells", "encoder, farthest", "decoder reaches, cells", "decoder, farthest",
            "report says cut", "kept part differs, of 255, farthest", "correlation, least", "doubted",
            "a crop, doubted", "another picture, doubted",
        ],
        rows,
        f"{len(photographs)} photographs, each cut to another odd size, a rectangle of it masked; the host's own "
        "loader and VAE. Leak: the masked content is changed for that of another photograph, and the latents of the "
        "kept cells are compared, mask_expand_cells 1; the largest difference in standard deviations of the latent, "
        "the mean over the photographs (for diffuse the worst of all). The painted cells are then filled with those of "
        "the other photograph, decoded, and put back with painted_mask at the defaults: bytes of the PNG that differ "
        "where the blended mask is 0, colour shift and seam as in the report, and whether the report says that the "
        "picture was cut, which it was not. Reach: the farthest cell from the change in which a latent differs by "
        f"more than {LATENT_NOTICED:g} standard deviations (encoder, fill original), or a pixel by more than 2 of 255 "
        "(decoder); mean over the photographs, then the farthest of all. With diffuse nothing of the old content "
        "reaches the kept cells at any mask_expand_cells; with fill original, as many cells are needed as the encoder "
        "reaches. What the decoder spreads into kept cells is put back by Composite. The kept part differs, and its "
        "correlation: what the report looks at before it asks whether the generated picture belongs to this original, "
        "see `Kept`. Doubted: of the right pictures; of crops around the mask, 3/4 as wide and high and scaled to "
        "the size of the whole, decoded and taken for the whole; and of other photographs, decoded.",
    )  # fmt: skip


def photograph(path: Path, number: int) -> Tensor:
    """(1, H, W, 3), cut to an odd size of its own."""
    with Image.open(path) as image:
        pixels = torch.from_numpy(np.asarray(image.convert("RGB")).astype(np.float32) / 255)
    height, width = 241 + 2 * number, 331 - 2 * number
    return pixels[None, 40 : 40 + height, 60 : 60 + width]


def measured(vae: Any, photographs: list[Tensor], number: int) -> list[float]:
    """The figures of one photograph: PSNR, leak with fill original and diffuse, bytes changed outside, colour shift
    before and after, seam pasted and blended, reach of encoder and decoder, whether the report says cut, by how
    much the kept part differs, its correlation, and the doubt: of the right picture, of a crop, and of another one."""
    original, other = photographs[number], photographs[(number + 1) % len(photographs)]
    height, width = original.shape[1:3]
    other = functional.interpolate(other.movedim(-1, 1), (height, width), mode="bilinear").movedim(1, -1)
    mask = torch.zeros(1, height, width)
    mask[:, 90:151, 110 : 181 - number % 9] = 1
    changed = torch.where(mask[..., None] > 0, other, original)

    latents, leaks = {}, {}
    for fill in ("original", "diffuse"):
        with patch.object(encode.ui, "PreviewImage"):  # written for the page alone
            (before, _, painted), (after, _, _) = (
                encode.Encode.execute(picture, mask, vae, fill, "max", 1).args for picture in (original, changed)
            )
        difference = (after["samples"] - before["samples"]).abs().amax(1)[0] / before["samples"].std()
        cells = before["noise_mask"][0, 0] > 0
        leaks[fill] = float(difference[~cells].max())
        latents[fill] = before["samples"], difference
    encoder = reach(latents["original"][1] > LATENT_NOTICED, tight_cells(mask))

    kept = vae.encode(pad_to_multiple(original, CELL))
    error = (unpad(vae.decode(kept), height, width) - original).square().mean()
    painted_cells = torch.where(cells, vae.encode(pad_to_multiple(other, CELL)), latents["diffuse"][0])
    plain, generated = (vae.decode(latent) for latent in (kept, painted_cells))
    step = (generated - plain).abs().amax(-1)[0]
    spread = functional.max_pool2d(step[None], CELL)[0] > PIXEL_NOTICED
    decoder = reach(spread, cells)

    image, blended = original[0].clone(), torch.zeros(height, width)
    back = unpad(generated, height, width)[0]
    made = composite_into(image, blended, original[0], back, painted[0], Blending(), HERE)
    assert made is not None  # there is a mask
    everywhere = Box(0, 0, *made.masked.shape)
    left = ColourShift(made.original, made.matched(everywhere), made.masked, 0, everywhere)
    result = measure(made, image, blended)
    pasted = torch.where(painted[0, ..., None] > 0, back, original[0])
    seams = [
        seam_energy(one.movedim(-1, 0)[None], original.movedim(-1, 1), weight[None, None])
        for one, weight in ((pasted, painted[0]), (image, blended))
    ]
    wrong = [unpad(vae.decode(vae.encode(pad_to_multiple(x, CELL))), height, width)[0] for x in (crop(original), other)]
    right, *others = (compare_kept(original[0], picture, mask[0]) for picture in (back, *wrong))
    outside = (blended == 0).numpy()
    bytes_changed = int((saved(image[None]) != saved(original))[outside].sum())
    return [
        float(-10 * error.log10()), leaks["original"], leaks["diffuse"], bytes_changed, result.shift,
        left.size, *seams, encoder, decoder, result.cut,
        *right, right.doubt, *(found.doubt for found in others),
    ]  # fmt: skip


def crop(picture: Tensor) -> Tensor:
    """The part around the mask, 3/4 as wide and high, at the size of the whole picture (1, H, W, C)."""
    height, width = picture.shape[1:3]
    part = picture[:, height // 8 : -(height // 8), width // 8 : -(width // 8)]
    return scale(part, height, width)


def tight_cells(mask: Tensor) -> Tensor:
    """The cells that a mask (1, H, W) touches, (h, w), bool, of the padded picture."""
    return functional.max_pool2d(pad_to_multiple(mask, CELL), CELL)[0] > 0


def reach(changed: Tensor, cells: Tensor) -> int:
    """How many cells away from these cells (h, w), bool, the farthest changed one lies; at most `REACH`."""
    for far in range(REACH, 0, -1):
        near = functional.max_pool2d(cells[None].float(), 2 * far - 1, 1, far - 1)[0] > 0
        if (changed & ~near).any():
            return far
    return 0
