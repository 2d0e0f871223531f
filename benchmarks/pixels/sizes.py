"""What Crop, Stitch and Composite cost by size, beside CropAndStitch where a copy of it is given."""

import ctypes
import gc
import importlib.util
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from latent_repaint.nodes.composite import Composite
from latent_repaint.nodes.crop_stitch import Crop, Stitch

from ..report import Table
from .pictures import square

SIDES, MASKS = (1024, 2048, 4096, 8192), (256, 1536)
BLENDING = (0, 16, "multiband", 1.0)
REPEATS, FEWER_BESIDE = 3, 4096
"""Runs of which the median counts, and the pixels a side from which on CropAndStitch runs once: it takes a minute."""


def sizes(crop_and_stitch: Path | None) -> Table:
    beside = CropAndStitch(crop_and_stitch) if crop_and_stitch else None
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    rows = [row(side, masked, beside) for side in SIDES for masked in (*MASKS, side) if masked <= side]
    torch.set_num_threads(threads)
    return Table(
        "Cost by size",
        [
            "picture", "mask", "crop", "stitch", "crop + stitch", "CropAndStitch: crop", "stitch", "together",
            "composite", "most memory, pictures: crop", "stitch", "composite",
        ],
        rows,
        f"Seconds, the median of {REPEATS} runs on one thread (CropAndStitch from {FEWER_BESIDE} pixels on: of one), "
        "with the crop scaled to 512x512, the blend `multiband` and a ramp of 16 pixels. Mask: a square in the middle, "
        "its side in pixels. CropAndStitch at its own defaults, on its CPU path, in the same process. Most memory: by "
        "how much the process grew at most, results included, in pictures of that size in float32. Settled once on "
        "512x512, so that nobody tries it again: SciPy's distance transform takes 0.018 s and kornia's 1.8; the "
        "multiband blend as long as kornia's Laplacian pyramid, 0.17; the membrane 0.15 and SciPy's conjugate "
        "gradients 1.0; torch scales in 0.03 and kornia in 0.05.",
    )  # fmt: skip


def row(side: int, masked: int, beside: "CropAndStitch | None") -> list[str | float]:
    small = torch.rand(1, 3, side // 8, side // 8, generator=torch.Generator().manual_seed(0))
    picture = functional.interpolate(small, scale_factor=8, mode="bilinear").movedim(1, -1).contiguous()
    generated, mask = 0.97 * picture, square(side, masked)
    cut, cropped, _mask = Crop.execute(picture, mask, 1.2, 512, 512, 32).args
    ours = {
        "crop": lambda: Crop.execute(picture, mask, 1.2, 512, 512, 32),
        "stitch": lambda: Stitch.execute(cut, cropped, *BLENDING),
        "composite": lambda: Composite.execute(picture, generated, mask, *BLENDING),
    }
    crop, stitch, composite = (seconds(work, REPEATS) for work in ours.values())
    theirs: list[str | float] = ["", "", ""]
    if beside is not None:
        repeats = REPEATS if side < FEWER_BESIDE else 1
        crop_there = seconds(lambda: beside.crop(picture, mask), repeats)
        back = beside.crop(picture, mask)
        stitch_there = seconds(lambda: beside.stitch(*back), repeats)
        theirs = [crop_there, stitch_there, crop_there + stitch_there]
    size = picture.numel() * picture.element_size()
    most = [peak_memory(work) / size for work in ours.values()]
    name = "whole" if masked == side else str(masked)
    return [f"{side}x{side}", name, crop, stitch, crop + stitch, *theirs, composite, *most]


def seconds(work: Callable[[], Any], repeats: int) -> float:
    """The median wall time of several runs."""
    spent = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        spent.append(time.perf_counter() - start)
    return median(spent)


def peak_memory(work: Callable[[], Any]) -> int:
    """Bytes that the process grows by at most while it works: the kernel's own high-water mark, so Linux alone."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # or what was freed before would be taken again, and not be counted
    Path("/proc/self/clear_refs").write_text("5")  # the mark begins anew
    before = _high_water()
    result = work()
    most = _high_water()
    del result
    return most - before


def _high_water() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return 1024 * int(line.split()[1])
    raise RuntimeError("/proc/self/status has no VmHWM, which tells the most memory: run this on Linux")


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
