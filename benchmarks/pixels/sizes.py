"""What Crop, Stitch and Composite cost by size, beside CropAndStitch where a copy of it is given."""

import gc
import importlib.util
import resource
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from latent_repaint.nodes.composite import Composite
from latent_repaint.nodes.crop_stitch import Crop, Stitch

from ..report import Table
from .pictures import square

SIDES, MASKS = (1024, 2048, 4096, 8192), (256, 1536)
BLEND = (0, 16)
FEWER_RUNS, MAX_BESIDE = 4096, 4096
"""Pixels a side from which on everything runs once, and up to which CropAndStitch runs: it takes minutes at 8192."""


def sizes(crop_and_stitch: Path | None) -> Table:
    beside = CropAndStitch(crop_and_stitch) if crop_and_stitch else None
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    rows = [row(side, masked, beside) for side in SIDES for masked in (*MASKS, side) if masked <= side]
    torch.set_num_threads(threads)
    return Table(
        "Cost by size",
        [
            "picture", "mask", "crop", "stitch", "stitch, feather", "crop + stitch", "CropAndStitch: crop", "stitch",
            "together", "composite", "most memory of composite, pictures", "of stitch",
        ],
        rows,
        "Seconds of one processor on one thread, the shortest of three runs (of one from 4096 pixels on, and for "
        "CropAndStitch), with the crop scaled to 512x512. Mask: a square in the middle, its side in pixels. "
        "CropAndStitch at its own defaults, on its CPU path. Most memory: the most taken beside what was there before, "
        "results included, in float32 pictures of that size.",
    )  # fmt: skip


def row(side: int, masked: int, beside: "CropAndStitch | None") -> list[str | float]:
    small = torch.rand(1, 3, side // 8, side // 8, generator=torch.Generator().manual_seed(0))
    picture = functional.interpolate(small, scale_factor=8, mode="bilinear").movedim(1, -1).contiguous()
    generated, mask, repeats = 0.97 * picture, square(side, masked), 3 if side < FEWER_RUNS else 1
    crop, (cut, cropped, _mask) = seconds(lambda: Crop.execute(picture, mask, 1.2, 512, 512, 32).args, repeats)
    stitch, _ = seconds(lambda: Stitch.execute(cut, cropped, *BLEND, "multiband", 1.0), repeats)
    feather, _ = seconds(lambda: Stitch.execute(cut, cropped, *BLEND, "feather", 1.0), repeats)
    composite, _ = seconds(lambda: Composite.execute(picture, generated, mask, *BLEND, "multiband", 1.0), repeats)
    theirs: list[str | float] = ["", "", ""]
    if beside is not None and side <= MAX_BESIDE:
        crop_there, (stitcher, cropped_there) = seconds(lambda: beside.crop(picture, mask), 1)
        stitch_there, _ = seconds(lambda: beside.stitch(stitcher, cropped_there), 1)
        theirs = [crop_there, stitch_there, crop_there + stitch_there]
    size = picture.numel() * picture.element_size()
    most = [
        peak_memory(work) / size
        for work in (
            lambda: Composite.execute(picture, generated, mask, *BLEND, "multiband", 1.0),
            lambda: Stitch.execute(cut, cropped, *BLEND, "multiband", 1.0),
        )
    ]
    return [
        f"{side}x{side}", "whole" if masked == side else str(masked), crop, stitch, feather, crop + stitch, *theirs,
        composite, *most,
    ]  # fmt: skip


def seconds(work: Callable[[], Any], repeats: int) -> tuple[float, Any]:
    """The least processor time of several runs, and the last result."""
    spent = []
    for _ in range(repeats):
        start = time.process_time()
        result = work()
        spent.append(time.process_time() - start)
    return min(spent), result


def peak_memory(work: Callable[[], Any]) -> int:
    """Bytes that the process grows by at most while it works, looked at every few milliseconds."""
    gc.collect()
    statm, page = Path("/proc/self/statm"), resource.getpagesize()

    def resident() -> int:
        return int(statm.read_text().split()[1]) * page

    before = most = resident()
    done = threading.Event()

    def watch() -> None:
        nonlocal most
        while not done.wait(0.003):
            most = max(most, resident())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        result = work()
        most = max(most, resident())
        del result
    finally:
        done.set()
        watcher.join()
    return most - before


class CropAndStitch:
    """Its two nodes, at their own defaults.

    Arguments:
        folder: holds `inpaint_cropandstitch.py`.
    """

    def __init__(self, folder: Path) -> None:
        spec = importlib.util.spec_from_file_location("crop_and_stitch", folder / "inpaint_cropandstitch.py")
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        self._crop, self._stitch = module.InpaintCropImproved(), module.InpaintStitchImproved()
        described = self._crop.INPUT_TYPES()["required"]
        self._settings = {name: options[1]["default"] for name, options in described.items() if len(options) > 1}
        self._settings["device_mode"] = "cpu (compatible)"

    def crop(self, image: Tensor, mask: Tensor) -> tuple[Any, Tensor]:
        return self._crop.inpaint_crop(image, mask=mask, **self._settings)[:2]

    def stitch(self, stitcher: Any, cropped: Tensor) -> Any:
        return self._stitch.inpaint_stitch(stitcher, cropped)
