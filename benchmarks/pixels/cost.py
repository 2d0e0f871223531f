"""What it costs to sample on a crop against the whole picture; the pixel work itself is in `sizes`."""

import time
from collections.abc import Callable
from pathlib import Path

import torch

from latent_repaint.pixels.crop_stitch import crop
from latent_repaint.pixels.placement import Framing

from ..report import Table
from . import host
from .pictures import demo, square

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
