"""One picture, painted by one method and measured; what is measured is kept, and not measured again."""

from __future__ import annotations

import io
import json
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from latent_repaint.samplers.methods import Blend, Match, RePaintBudget

from ..host import HOST
from ..report import to_image, write
from .checkpoint import Checkpoint
from .sampling import LANPAINT, inpaint
from .scenes import Scenes, decoded

METHODS = ("host", "blend", "repaint", "match")


class CellName(NamedTuple):
    """Which picture under which mask, by which method at which cfg."""

    picture: int
    mask: str
    method: str
    cfg: float

    def __str__(self) -> str:
        return f"{self.picture:03}-{self.mask}-{self.method}-cfg{self.cfg:g}"


def cell_of(scene: Scenes, method: str, cfg: float) -> CellName:
    return CellName(scene.first, scene.mask, method, cfg)


class KeptFigures:
    """All cells of one checkpoint, kept in a folder.

    Arguments:
        settings: sampler_name, scheduler, steps of two evaluations each.
        folder: where cells and pictures are kept; of this code and these settings alone.
    """

    def __init__(self, checkpoint: Checkpoint, settings: tuple[str, str, int], size: int, folder: Path) -> None:
        self.checkpoint, self.settings, self.size, self.folder = checkpoint, settings, size, folder
        self.failures: dict[CellName, str] = {}
        self.lanpaint: dict[float, int] = {}  # its steps, by cfg

    def made(self, number: int, prompt: str, cfg: float) -> Tensor:
        """A picture that the model itself makes of a prompt, (size, size, 3), and keeps in the folder."""
        path = self.folder / "pictures" / f"{number:03}.png"
        if not path.exists():
            name, scheduler, steps = self.settings
            latent = HOST.nodes.KSampler().sample(
                self.checkpoint.model, number, 2 * steps, cfg, name, scheduler, *self.checkpoint.prompts(prompt),
                self.checkpoint.empty(self.size),
            )[0]  # fmt: skip
            write(path, png(decoded(self.checkpoint.vae, latent["samples"])[0]))
        return read_png(path)

    def kept(self, cell: CellName) -> dict[str, Any] | None:
        """The figures of a cell that is already measured; None where there is no file, or no whole one."""
        try:
            return json.loads((self.folder / "cells" / f"{cell}.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    def picture(self, cell: CellName) -> Tensor:
        return read_png(self.folder / "cells" / f"{cell}.png")

    def measure(self, scene: Scenes, cell: CellName) -> str:
        """Measures the cell if it is not kept; what is to be said of it. If memory runs out, the others go on."""
        figures, path = self.kept(cell), self.folder / "cells" / f"{cell}.json"
        if figures is None:
            try:
                picture, figures = self.measured(scene, cell)
            except (torch.OutOfMemoryError, MemoryError) as error:
                self.failures[cell] = (str(error) or "out of memory").splitlines()[0]
                return self.failures[cell]
            write(path.with_suffix(".png"), png(picture))  # before its figures: these make the cell count
            write(path, json.dumps(figures))
        return f"seam {figures['seam']:.3f}, loss {figures['loss']:.3f}"

    def measured(self, scene: Scenes, cell: CellName) -> tuple[Tensor, dict[str, Any]]:
        cuda = torch.cuda.is_available()
        way, _real = self.way(cell.method, cell.cfg, scene), scene.real_losses  # prepared before the clock starts
        if cuda:
            torch.cuda.reset_peak_memory_stats()
            torch.cuda.synchronize()
        start = time.perf_counter()
        samples, passes = inpaint(self.checkpoint.model, *way, scene.prompts, scene.given, scene.first)
        if cuda:
            torch.cuda.synchronize()
        seconds = time.perf_counter() - start
        vram = torch.cuda.max_memory_allocated() / 2**20 if cuda else None
        pictures, numbers = scene.measured(samples)
        return pictures[0], {
            **{name: values.item() for name, values in numbers.items()},
            "passes": sum(passes),
            "finite": bool(samples.isfinite().all()),
            "seconds": seconds,
            "vram": vram,
        }

    def way(self, method: str, cfg: float, scene: Scenes) -> tuple[Any, tuple]:
        """What `inpaint` needs for this method, so that all have equal passes: of 2 * steps, guided ones twice."""
        name, scheduler, steps = self.settings
        guided = 1 if cfg == 1 else 2
        if method == LANPAINT:  # how often it thinks, it decides as it goes: a first run tells how many steps fit
            if cfg not in self.lanpaint:
                few = max(1, steps // 3)
                settings = (name, scheduler, few, cfg)
                passes = inpaint(self.checkpoint.model, LANPAINT, settings, scene.prompts, scene.given, scene.first)[1]
                self.lanpaint[cfg] = max(1, few * 2 * steps * guided // sum(passes))
            return LANPAINT, (name, scheduler, self.lanpaint[cfg], cfg)
        way, walk = {
            "host": (None, 2 * steps),
            "blend": (Blend(), 2 * steps),
            "repaint": (RePaintBudget(evaluations_per_step=2.0), steps),
            "match": (Match(inner_steps=float(guided)), steps),  # its extra evaluations take one pass at any cfg
        }[method]
        return way, (name, scheduler, walk, cfg)


def png(picture: Tensor) -> bytes:
    file = io.BytesIO()
    to_image(picture.nan_to_num()).save(file, "PNG")
    return file.getvalue()


def read_png(path: Path) -> Tensor:
    with Image.open(path) as image:
        return torch.from_numpy(np.asarray(image.convert("RGB"), np.float32) / 255)
