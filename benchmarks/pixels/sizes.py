"""What Crop, Stitch and Composite cost by size, beside CropAndStitch where a copy of it is given."""

import ctypes
import gc
import importlib.util
import multiprocessing
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

SIDES, MASKS = (1024, 2048, 4096, 8192), (256, 1536)
BLENDING = (0, 16, "multiband", 1.0)
REPEATS, FEWER_BESIDE = 3, 4096
"""Runs of which the median counts, and the pixels a side from which on CropAndStitch runs once: it takes a minute."""
WARM_UP = 256
M_MMAP_THRESHOLD = -3
"""glibc's number for the bytes from which on a block is handed back as soon as it is freed."""


def sizes(crop_and_stitch: Path | None) -> Table:
    beside = CropAndStitch(crop_and_stitch) if crop_and_stitch else None
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    cells = [(side, masked) for side in SIDES for masked in (*MASKS, side) if masked <= side]
    with multiprocessing.get_context("fork").Pool(1, maxtasksperchild=1) as children:  # a new process for each
        most = children.starmap(most_memory, cells, chunksize=1)
    warm_up()
    rows = [[*row(*cell, beside), *memory] for cell, memory in zip(cells, most, strict=True)]
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
        "how much the process grew at most, results included, in pictures of that size in float32; each cell in a new "
        f"process, after a first run on {WARM_UP}x{WARM_UP}, since the first use of each library takes 13 MB whatever "
        "the size, and with malloc set to hand back at once what is freed. Left to itself it keeps some of that for "
        "later, up to half a picture at 1024x1024. Settled once on "
        "512x512, so that nobody tries it again: SciPy's distance transform takes 0.018 s and kornia's 1.8; the "
        "multiband blend as long as kornia's Laplacian pyramid, 0.17; the membrane 0.15 and SciPy's conjugate "
        "gradients 1.0; torch scales in 0.03 and kornia in 0.05.",
    )  # fmt: skip


class Ours:
    """Crop, Stitch and Composite with a picture and a mask of some size, each without arguments."""

    def __init__(self, side: int, masked: int) -> None:
        small = torch.rand(1, 3, side // 8, side // 8, generator=torch.Generator().manual_seed(0))
        large = functional.interpolate(small, scale_factor=8, mode="bilinear")
        self.picture, self.mask = large.movedim(1, -1).contiguous(), square(side, masked)
        self._generated = 0.97 * self.picture
        self._cut, self._cropped, _mask = self.crop().args

    @property
    def nodes(self) -> tuple[Callable[[], Any], ...]:
        return self.crop, self.stitch, self.composite

    def crop(self) -> Any:
        return Crop.execute(self.picture, self.mask, 1.2, 512, 512, 32)

    def stitch(self) -> Any:
        return Stitch.execute(self._cut, self._cropped, *BLENDING)

    def composite(self) -> Any:
        return Composite.execute(self.picture, self._generated, self.mask, *BLENDING)


def square(size: int, side: int) -> Tensor:
    """A mask in the middle of the picture, (1, size, size)."""
    mask, start = torch.zeros(1, size, size), (size - side) // 2
    mask[:, start : start + side, start : start + side] = 1
    return mask


def warm_up() -> None:
    for work in Ours(WARM_UP, WARM_UP // 2).nodes:
        work()


def row(side: int, masked: int, beside: "CropAndStitch | None") -> list[str | float]:
    ours = Ours(side, masked)
    crop, stitch, composite = (seconds(work, REPEATS) for work in ours.nodes)
    theirs: list[str | float] = ["", "", ""]
    if beside is not None:
        repeats = REPEATS if side < FEWER_BESIDE else 1
        crop_there = seconds(lambda: beside.crop(ours.picture, ours.mask), repeats)
        back = beside.crop(ours.picture, ours.mask)
        stitch_there = seconds(lambda: beside.stitch(*back), repeats)
        theirs = [crop_there, stitch_there, crop_there + stitch_there]
    name = "whole" if masked == side else str(masked)
    return [f"{side}x{side}", name, crop, stitch, crop + stitch, *theirs, composite]


def seconds(work: Callable[[], Any], repeats: int) -> float:
    """The median wall time of several runs."""
    spent = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        spent.append(time.perf_counter() - start)
    return median(spent)


@torch.inference_mode()
def most_memory(side: int, masked: int) -> list[float]:
    """The most memory that Crop, Stitch and Composite take, in pictures; to be called in a process of its own."""
    ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, 2**16)
    warm_up()
    ours = Ours(side, masked)
    size = ours.picture.numel() * ours.picture.element_size()
    return [peak_memory(work) / size for work in ours.nodes]


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
