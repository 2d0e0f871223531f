"""What it costs: sampling on a crop against the whole picture, and the pixel work itself."""

import time
from collections.abc import Callable
from pathlib import Path

import torch

from latent_repaint.pixels.composite import Blending, composite
from latent_repaint.pixels.crop_stitch import crop, stitch_crops
from latent_repaint.pixels.fill import fill_masked
from latent_repaint.pixels.placement import Framing

from ..report import Table
from . import host
from .pictures import demo, scene, square

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
    cropped = crop(torch.zeros(1, SIZE, SIZE, 3), square(SIZE, SIDE), Framing(1.2, 512, 512, 32))[1]

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
    cut, cropped, _mask = crop(picture, mask, Framing(1.2, 512, 512, 32))
    rows = [
        [f"{SIZE}x{SIZE}, mask {SIDE}x{SIDE}", name, *seconds(work)]
        for name, work in {
            "crop": lambda: crop(picture, mask, Framing(1.2, 512, 512, 32)),
            "stitch (composites, too)": lambda: stitch_crops(cut, cropped, Blending()),
            "composite alone": lambda: composite(picture, generated, mask, Blending()),
            "fill for encoding": lambda: fill_masked(picture, mask, "diffuse"),
        }.items()
    ]
    return Table(
        "Speed of the pixel work",
        ["picture", "work", "seconds", "of the processors"],
        rows,
        f"The shortest of several runs on {torch.get_num_threads()} threads; crop and stitch scale by 1.67.",
    )
