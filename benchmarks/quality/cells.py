"""One picture, painted by one method and measured; what is measured is kept, and not measured again."""

from __future__ import annotations

import gc
import io
import json
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from latent_repaint.samplers.methods import Blend, Match, RePaintBudget

from ..host import HOST
from ..report import to_image, write
from ..seam import seam_energy
from .checkpoint import Checkpoint
from .measures import MASKS, colour_shift, denoising_loss
from .sampling import LANPAINT, inpaint

METHODS = ("host", "blend", "repaint", "match")


class CellName(NamedTuple):
    """Which picture under which mask, by which method at which cfg."""

    picture: int
    mask: str
    method: str
    cfg: float

    def __str__(self) -> str:
        return f"{self.picture:03}-{self.mask}-{self.method}-cfg{self.cfg:g}"


@dataclass(frozen=True)
class PictureToPaint:
    """A picture with all that its cells share, made once."""

    checkpoint: Checkpoint
    number: int
    picture: Tensor
    prompt: str

    def cell(self, method: str, cfg: float) -> CellName:
        return CellName(self.number, self.mask, method, cfg)

    @property
    def mask(self) -> str:
        """The masks come in turn."""
        return tuple(MASKS)[self.number % len(MASKS)]

    @cached_property
    def latent(self) -> Tensor:
        return self.checkpoint.encode(self.picture)

    @cached_property
    def untouched(self) -> Tensor:
        """What the VAE makes of the picture: 1 in every ratio."""
        return self.checkpoint.decode(self.latent)

    @cached_property
    def unknown(self) -> Tensor:
        """(1, h, w), boolean."""
        return MASKS[self.mask](*self.latent.shape[-2:])[None]

    @cached_property
    def pixels(self) -> Tensor:
        """The mask on the picture, (H, W), boolean."""
        cell = self.checkpoint.cell
        return self.unknown[0].repeat_interleave(cell, 0).repeat_interleave(cell, 1)

    @cached_property
    def prompts(self) -> tuple[list, list]:
        return self.checkpoint.prompt(self.prompt), self.checkpoint.prompt("")

    @cached_property
    def losses(self) -> Tensor:
        """Of the untouched picture."""
        return self.losses_of(self.latent)

    def losses_of(self, latent: Tensor) -> Tensor:
        """Of the painted cells and of the kept ones, (2, levels)."""
        parts = torch.stack([self.unknown, ~self.unknown])
        return denoising_loss(self.checkpoint.model, latent, self.prompts[0], parts)[:, 0]

    def masked(self) -> Tensor:
        return torch.where(self.pixels[..., None], 0.5, self.picture)


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
            texts = self.checkpoint.prompt(prompt), self.checkpoint.prompt("")
            latent = HOST.nodes.KSampler().sample(
                self.checkpoint.model, number, 2 * steps, cfg, name, scheduler, *texts, self.checkpoint.empty(self.size)
            )[0]
            write(path, png(self.checkpoint.decode(latent["samples"])))
        return read_png(path)

    def kept(self, cell: CellName) -> dict[str, Any] | None:
        """The figures of a cell that is already measured; None where there is no file, or no whole one."""
        try:
            return json.loads((self.folder / "cells" / f"{cell}.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    def picture(self, cell: CellName) -> Tensor:
        return read_png(self.folder / "cells" / f"{cell}.png")

    def measure(self, painting: PictureToPaint, cell: CellName) -> str:
        """Measures the cell if it is not kept; what is to be said of it.

        If memory runs out, it is tried once more with every model unloaded first. Pictures are painted one at a time,
        so there is no batch to make smaller.
        """
        figures, path = self.kept(cell), self.folder / "cells" / f"{cell}.json"
        for again in (True, False) if figures is None else ():
            try:
                picture, figures = self.measured(painting, cell)
            except (torch.OutOfMemoryError, MemoryError) as error:
                self.failures[cell] = (str(error) or "out of memory").splitlines()[0]
            else:
                self.failures.pop(cell, None)
                write(path.with_suffix(".png"), png(picture))  # before its figures: these make the cell count
                write(path, json.dumps(figures))
                break
            if again:  # past the handler, so that the failed run's tensors are free
                HOST.comfy.model_management.unload_all_models()
                gc.collect()
                HOST.comfy.model_management.soft_empty_cache()
        return f"seam {figures['seam']:.3f}, loss {figures['loss']:.3f}" if figures else self.failures[cell]

    def measured(self, painting: PictureToPaint, cell: CellName) -> tuple[Tensor, dict[str, Any]]:
        mask, cuda = painting.unknown[:, None].float(), torch.cuda.is_available()
        latent = {"samples": painting.latent, "noise_mask": mask if painting.latent.ndim == 4 else mask[:, :, None]}
        prompts, reference = painting.prompts, painting.losses
        way = self.way(cell.method, cell.cfg, painting, latent)
        if cuda:
            torch.cuda.reset_peak_memory_stats()
            torch.cuda.synchronize()
        start = time.perf_counter()
        samples, passes = inpaint(self.checkpoint.model, *way, prompts, latent, cell.picture)
        if cuda:
            torch.cuda.synchronize()
        seconds = time.perf_counter() - start
        picture = self.checkpoint.decode(samples)
        loss, kept = (painting.losses_of(samples) / reference).mean(1).tolist()
        images = [image.movedim(-1, 0)[None] for image in (picture, painting.untouched)]
        return picture, {
            "passes": sum(passes),
            "seam": seam_energy(*images, painting.pixels.float()[None, None]),
            "loss": loss,
            "kept": kept,
            "colour": colour_shift(picture, painting.untouched, painting.pixels, 2 * self.checkpoint.cell),
            "finite": bool(samples.isfinite().all()),
            "seconds": seconds,
            "vram": torch.cuda.max_memory_allocated() / 2**20 if cuda else None,
        }

    def way(self, method: str, cfg: float, painting: PictureToPaint, latent: dict[str, Tensor]) -> tuple[Any, tuple]:
        """What `inpaint` needs for this method, so that all have equal passes: of 2 * steps, guided ones twice."""
        name, scheduler, steps = self.settings
        guided = 1 if cfg == 1 else 2
        if method == LANPAINT:  # how often it thinks, it decides as it goes: a first run tells how many steps fit
            if cfg not in self.lanpaint:
                few = max(1, steps // 3)
                run = inpaint(self.checkpoint.model, LANPAINT, (name, scheduler, few, cfg), painting.prompts, latent, 0)
                self.lanpaint[cfg] = max(1, few * 2 * steps * guided // sum(run[1]))
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
