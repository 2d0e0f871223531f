"""What it costs: sampling on a crop against the whole picture, and the pixel work itself."""

import time
from collections.abc import Callable
from pathlib import Path

import kornia
import numpy as np
import torch
from scipy import sparse
from scipy.sparse.linalg import cg
from torch import Tensor
from torch.nn import functional

from latent_repaint.pixels.composite import composite
from latent_repaint.pixels.crop_stitch import crop, scale, stitch
from latent_repaint.pixels.fill import fill, membrane
from latent_repaint.pixels.multiband import multiband
from latent_repaint.pixels.pad import pad_to_multiple
from latent_repaint.pixels.region import distance_to_mask

from . import host
from .pictures import demo, scene, square
from .table import Table

SIZE, SIDE = 2048, 256


def seconds(work: Callable[[], object], repeats: int = 5) -> tuple[float, float]:
    """The shortest wall time of several runs, and the least processor time, so that other work counts less."""
    wall, processor = [], []
    for _ in range(repeats):
        start, start_processor = time.perf_counter(), time.process_time()
        work()
        wall.append(time.perf_counter() - start)
        processor.append(time.process_time() - start_processor)
    return min(wall), min(processor)


def sampling(_: Path) -> Table:
    """One step of the demo model on the whole picture and on the crop."""
    model, clip, _vae = demo()
    prompt = host.nodes.CLIPTextEncode().encode(clip, "a green hill")[0]
    cropped = crop(torch.zeros(1, SIZE, SIZE, 3), square(SIZE, SIDE), 1.2, 512, 512, 32, False)[1]

    def step(height: int, width: int) -> Callable[[], object]:
        latent = {"samples": torch.zeros(1, 4, height // 8, width // 8)}
        return lambda: host.nodes.common_ksampler(model, 0, 1, 1.0, "euler", "normal", prompt, prompt, latent)

    step(*cropped.shape[1:3])()  # the first run loads the model
    whole, part = seconds(step(SIZE, SIZE), 1), seconds(step(*cropped.shape[1:3]), 3)
    rows = [
        ["whole picture", f"{SIZE}x{SIZE}", SIZE**2 / 1e6, *whole],
        ["crop", f"{cropped.shape[2]}x{cropped.shape[1]}", cropped[0, ..., 0].numel() / 1e6, *part],
    ]
    ratios = [rows[0][i] / rows[1][i] for i in (2, 3, 4)]
    return Table(
        "Sampling on the whole picture and on the crop",
        ["", "pixels", "megapixels", "seconds a step", "of the processors"],
        [*rows, ["times less", "", *ratios]],
        f"A mask of {SIDE}x{SIDE} pixels; the crop shows it 1.67 times enlarged.",
    )


def speed(_: Path) -> Table:
    picture = scene(0, 512).repeat_interleave(4, 1).repeat_interleave(4, 2)
    mask, generated = square(SIZE, SIDE), 1 - picture
    cut, cropped, _mask = crop(picture, mask, 1.2, 512, 512, 32, False)
    rows = [
        [f"{SIZE}x{SIZE}, mask {SIDE}x{SIDE}", name, *seconds(work)]
        for name, work in {
            "crop": lambda: crop(picture, mask, 1.2, 512, 512, 32, False),
            "stitch (composites, too)": lambda: stitch(cut, cropped, 0, 16, "multiband", 1.0),
            "composite alone": lambda: composite(picture, generated, mask, 0, 16, "multiband", 1.0),
            "fill for encoding": lambda: fill(picture, mask, "diffuse"),
        }.items()
    ]
    small, hole = scene(0, 512).movedim(-1, 1), square(512, SIDE)[:, None]
    distance = distance_to_mask(hole[:, 0])[:, None]
    rows += [
        [f"512x512, mask {SIDE}x{SIDE}", name, *seconds(work, 3)]
        for name, work in {
            "distance: SciPy, as used": lambda: distance_to_mask(hole[:, 0]),
            "distance: kornia.contrib": lambda: kornia.contrib.distance_transform(hole),
            "multiband: ours": lambda: multiband(small, 1 - small, distance, 0, 16),
            "multiband: kornia's Laplacian pyramid": lambda: _kornia_pyramid(small, 1 - small, hole),
            "membrane: ours": lambda: membrane(small, hole == 0),
            "membrane: SciPy, conjugate gradients": lambda: _scipy_membrane(small, hole == 0),
            "scaling to 1024: torch, as used": lambda: scale(small.movedim(1, -1), 1024, 1024),
            "scaling to 1024: kornia": lambda: kornia.geometry.resize(small, (1024, 1024), "bicubic", antialias=True),
            "padding to 544: ours": lambda: pad_to_multiple(small.movedim(1, -1), 544),
            "padding to 544: torch": lambda: functional.pad(small, (16, 16, 16, 16), "reflect"),
        }.items()
    ]
    return Table(
        "Speed of the pixel work",
        ["picture", "work", "seconds", "of the processors"],
        rows,
        f"The shortest of several runs on {torch.get_num_threads()} threads; crop and stitch scale by 1.67.",
    )


def _kornia_pyramid(original: Tensor, generated: Tensor, mask: Tensor, levels: int = 4) -> Tensor:
    """The blend of Burt and Adelson, with decimated pyramids; it has no edge beyond which nothing changes."""
    build = kornia.geometry.transform.build_laplacian_pyramid
    bands = zip(build(original, levels), build(generated, levels), strict=True)
    weights = kornia.geometry.transform.build_pyramid(mask, levels)
    mixed = [x.lerp(y, w) for (x, y), w in zip(bands, weights, strict=True)]
    image = mixed.pop()
    while mixed:
        image = kornia.geometry.transform.pyrup(image) + mixed.pop()
    return image


def _scipy_membrane(values: Tensor, known: Tensor) -> Tensor:
    """Laplace's equation on the unknown pixels (1, C, H, W), each channel to a relative residual of 1e-3."""
    height, width = values.shape[-2:]
    path = [sparse.diags([1.0, 1.0], [-1, 1], shape=(n, n)) for n in (height, width)]
    links = sparse.kronsum(path[1], path[0]).tocsr()
    laplacian = sparse.diags(np.asarray(links.sum(1)).ravel()) - links
    free = ~known.flatten().numpy()
    solved = values.clone().flatten(2)[0]
    for channel in solved.numpy():
        right = -laplacian[free][:, ~free] @ channel[~free]
        channel[free] = cg(laplacian[free][:, free], right, x0=0 * right, rtol=1e-3)[0]
    return solved.view_as(values)
