"""One picture, painted by one method and measured; what is measured is kept, and not measured again."""

from __future__ import annotations

import gc
import io
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..report import to_image, write
from ..seam import seam_energy
from . import HOST
from .loading import BadInput, Subject
from .masks import MASKS
from .measures import LEVELS, colour_shift, denoising_loss
from .methods import inpaint, lanpaint_steps

T = TypeVar("T")


class Place(NamedTuple):
    """A cell: which picture under which mask, by which method at which cfg."""

    picture: int
    mask: str
    method: str
    cfg: float

    def __str__(self) -> str:
        return f"{self.picture:03}-{self.mask}-{self.method}-cfg{self.cfg:g}"


@dataclass(frozen=True)
class Case:
    """A picture with all that its cells share, made once."""

    bench: Bench
    number: int
    picture: Tensor
    prompt: str

    @cached_property
    def latent(self) -> Tensor:
        return self.bench.subject.encode(self.picture)

    @cached_property
    def untouched(self) -> Tensor:
        """What the VAE makes of the picture: 1 in every ratio."""
        return self.bench.subject.decode(self.latent)

    @cached_property
    def unknown(self) -> Tensor:
        """(1, h, w), boolean."""
        return MASKS[mask_of(self.number)](*self.latent.shape[-2:])[None]

    @cached_property
    def pixels(self) -> Tensor:
        """The mask on the picture, (H, W), boolean."""
        cell = self.bench.subject.cell
        return self.unknown[0].repeat_interleave(cell, 0).repeat_interleave(cell, 1)

    @cached_property
    def prompts(self) -> tuple[list, list]:
        return self.bench.subject.prompt(self.prompt), self.bench.subject.prompt("")

    @cached_property
    def loss(self) -> Tensor:
        return denoising_loss(self.bench.subject.model, self.latent, self.prompts[0], self.unknown)[0]

    def masked(self) -> Tensor:
        return torch.where(self.pixels[..., None], 0.5, self.picture)


def mask_of(number: int) -> str:
    """The masks come in turn."""
    return tuple(MASKS)[number % len(MASKS)]


class Bench:
    """All cells of one checkpoint, kept in a folder.

    Arguments:
        settings: sampler_name, scheduler, steps.
        folder: where cells and pictures are kept.
        identity: all that a cell depends on beside its place. A folder holds one identity's cells.
    """

    def __init__(
        self, subject: Subject, settings: tuple[str, str, int], size: int, folder: Path, identity: dict[str, Any]
    ) -> None:
        self.subject, self.settings, self.size, self.folder = subject, settings, size, folder
        self.failures: dict[str, str] = {}
        self.walks: dict[float, int] = {}  # LanPaint's steps, by cfg
        try:
            (folder / "cells").mkdir(parents=True, exist_ok=True)
            if not os.access(folder / "cells", os.W_OK):
                raise PermissionError(f"{folder} cannot be written")
        except OSError as error:
            raise BadInput(f"input --out: found {folder}, wanted a folder that can be written: {error}") from error
        found, text = folder / "settings.json", json.dumps(identity, indent=1, sort_keys=True)
        if found.exists() and found.read_text(encoding="utf-8") != text:
            earlier = read_json(found) or {}
            changed = ", ".join(sorted(key for key in {*identity, *earlier} if identity.get(key) != earlier.get(key)))
            raise BadInput(f"input --out: found {folder} with results of another run (other {changed}), wanted a new "
                           "folder: name one, or delete this one")  # fmt: skip
        write(found, text)

    def made(self, number: int, prompt: str, cfg: float) -> Tensor:
        """A picture that the model itself makes of a prompt, (size, size, 3), and keeps in the folder."""
        path = self.folder / "pictures" / f"{number:03}.png"
        if not path.exists():
            name, scheduler, steps = self.settings
            texts = self.subject.prompt(prompt), self.subject.prompt("")
            latent = HOST.nodes.KSampler().sample(
                self.subject.model, number, 2 * steps, cfg, name, scheduler, *texts, self.subject.empty(self.size)
            )[0]
            write(path, png(self.subject.decode(latent["samples"])))
        return read_png(path)

    def kept(self, place: Place) -> dict[str, Any] | None:
        """The figures of a cell that is already measured."""
        return read_json(self.folder / "cells" / f"{place}.json")

    def picture(self, place: Place) -> Tensor:
        return read_png(self.folder / "cells" / f"{place}.png")

    def measure(self, case: Case, place: Place) -> dict[str, Any] | None:
        """The figures of a cell, measured now if they are not kept; None, with the reason kept, if they cannot be."""
        figures = self.kept(place)
        if figures is None:
            try:
                picture, figures = with_room(lambda: self._measured(case, place))
            except NoRoom as error:
                self.failures[str(place)] = str(error)
                return None
            path = self.folder / "cells" / f"{place}.json"
            write(path.with_suffix(".png"), png(picture))  # before its figures: these make the cell count
            write(path, json.dumps(figures))
        return figures

    def _measured(self, case: Case, place: Place) -> tuple[Tensor, dict[str, Any]]:
        latent, cuda = case.latent, torch.cuda.is_available()
        mask = case.unknown[:, None].float()
        given = {"samples": latent, "noise_mask": mask if latent.ndim == 4 else mask[:, :, None]}
        prompts, reference = case.prompts, case.loss
        settings = (*self.settings, place.cfg)
        if place.method == "lanpaint":
            settings = (*self.settings[:2], self.lanpaint_steps(case, place, given), place.cfg)
        if cuda:
            torch.cuda.reset_peak_memory_stats()
            torch.cuda.synchronize()
        start = time.perf_counter()
        samples, passes = inpaint(self.subject.model, place.method, given, prompts, settings, place.picture)
        if cuda:
            torch.cuda.synchronize()
        seconds = time.perf_counter() - start
        vram = torch.cuda.max_memory_allocated() / 2**20 if cuda else None
        picture = self.subject.decode(samples)
        loss = denoising_loss(self.subject.model, samples, prompts[0], case.unknown)[0]
        images = [image.movedim(-1, 0)[None] for image in (picture, case.untouched)]
        return picture, {
            "passes": passes,
            "seam": seam_energy(*images, case.pixels.float()[None, None]),
            "loss": (loss / reference).mean().item(),
            **{f"loss at {level:g}": value for level, value in zip(LEVELS, (loss / reference).tolist(), strict=True)},
            "colour": colour_shift(picture, case.untouched, case.pixels, 2 * self.subject.cell),
            "finite": bool(samples.isfinite().all()),
            "seconds": seconds,
            "vram": vram,
        }

    def lanpaint_steps(self, case: Case, place: Place, given: dict[str, Any]) -> int:
        """As many as the passes of the others allow, found once for each cfg."""
        name, scheduler, steps = self.settings

        def passes(walk: int) -> int:
            settings = (name, scheduler, walk, place.cfg)
            return inpaint(self.subject.model, "lanpaint", given, case.prompts, settings, place.picture)[1]

        if place.cfg not in self.walks:
            self.walks[place.cfg] = lanpaint_steps(passes, 2 * steps * (1 if place.cfg == 1 else 2))
        return self.walks[place.cfg]


class NoRoom(Exception):
    """There was not enough memory, although all other models were unloaded."""


def with_room(work: Callable[[], T]) -> T:
    """Do the work; if memory runs out, do it once more with every model unloaded first.

    Pictures are painted one at a time, so there is no batch to make smaller; with more memory free the host splits the
    conditional and the unconditional pass by itself where it must.

    Raises:
        NoRoom: if it runs out again.
    """
    for last in (False, True):
        try:
            return work()
        except (RuntimeError, MemoryError) as error:
            text = str(error) or "out of memory"
            if not isinstance(error, MemoryError) and "memory" not in text.lower():
                raise
            if last:
                raise NoRoom(text.splitlines()[0]) from error
        management = HOST.comfy.model_management  # past the handler, so that the failed run's tensors are free
        management.unload_all_models()
        gc.collect()
        management.soft_empty_cache()
    raise AssertionError


def read_json(path: Path) -> dict[str, Any] | None:
    """None where there is no file, or no whole one."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def png(picture: Tensor) -> bytes:
    file = io.BytesIO()
    to_image(picture.nan_to_num()).save(file, "PNG")
    return file.getvalue()


def read_png(path: Path) -> Tensor:
    with Image.open(path) as image:
        return torch.from_numpy(np.asarray(image.convert("RGB"), np.float32) / 255)
