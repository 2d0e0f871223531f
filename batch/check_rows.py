"""Rows of the table become jobs: names cleaned, masks paired, settings understood, files looked at.

This runs in Ray tasks, many rows at a time, near the pictures; nothing is decoded but the heads of the files.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from .errors import BadPicture
from .job import Job, digest, seed_of
from .pictures import size_of
from .places import Place
from .table import OWN, PICTURES, Source
from .workflow import Workflow

THREADS = 8  # far filesystems answer slowly, and several requests at a time
MAX_SEED = 2**64 - 1


@dataclass
class Checker:
    """Turns one block of the dataset into one of jobs.

    Attributes:
        masks: The folder of masks with equal names, if the user gave one.
        addresses: Where each column of the table goes, "node.input", by column.
        seed: What the seeds of all pictures follow from, beside their names.
        own_format: Results in the picture's own format, not in PNG.
    """

    source: Source
    masks: Place | None
    out: Place
    workflow: Workflow
    addresses: dict[str, str]
    seed: int
    own_format: bool

    @property
    def masks_beside(self) -> bool:
        """In a folder, `name_mask.png` is a mask and not a picture."""
        return self.masks is None and self.workflow.wants_mask

    def __call__(self, batch: Any) -> Any:
        import pyarrow

        jobs = self.jobs(self.source.rows(batch))
        return pyarrow.table({"job": pyarrow.array([job.to_json() for job in jobs], pyarrow.string())})

    def jobs(self, rows: Iterable[dict[str, Any] | BadPicture]) -> list[Job]:
        drafts = [self._draft(row) for row in rows]
        self._pair(drafts)
        good = [job for job, _ in drafts if not job.error]
        if self.source.root.local:
            for job in good:
                self._look(job)
        else:
            with ThreadPoolExecutor(THREADS) as threads:
                list(threads.map(self._look, good))
        return [job for job, _ in drafts]

    def _draft(self, row: dict[str, Any] | BadPicture) -> tuple[Job, str]:
        """A job without a look at any file, and the mask that the row names."""
        if isinstance(row, BadPicture):
            return Job("", error=str(row)), ""
        given = str(row.get("image") or "")
        job = Job(given)
        try:
            if not given:
                raise BadPicture("a row of the table names no image")
            job.name = self.source.root.check_inside(given) if self.source.kind != "folder" else given
            path = PurePosixPath(job.name)
            if path.suffix.lower() not in PICTURES:
                raise BadPicture(f"'{given}' is no picture: wanted {', '.join(PICTURES)}")
            job.result = job.name if self.own_format else path.with_suffix(".png").as_posix()
            job.settings = self._settings(row)
            job.seed = self._seed(row, job.name)
            job.recipe = digest([self._base(), job.settings, job.seed, self.own_format])
            mask = str(row.get("mask") or "")
            return job, (self.masks or self.source.root).check_inside(mask) if mask else ""
        except (BadPicture, ValueError) as error:
            job.error = str(error)
            return job, ""

    def _base(self) -> str:
        if not hasattr(self, "_digest"):
            flow = self.workflow
            self._digest = digest([flow.prompt, flow.image, flow.mask, flow.result, sorted(flow.fixed)])
        return self._digest

    def _settings(self, row: dict[str, Any]) -> dict[str, Any]:
        if unknown := set(row) - set(self.addresses) - set(OWN):
            raise BadPicture(f"the first row of the table has no '{sorted(unknown)[0]}': give every row the same keys")
        return {
            self.addresses[key]: self.workflow.converted(self.addresses[key], value)
            for key, value in row.items()
            if key in self.addresses and value not in ("", None)
        }

    def _seed(self, row: dict[str, Any], name: str) -> int:
        given = row.get("seed")
        if given in ("", None):
            return seed_of(name, self.seed)
        try:
            seed = int(str(given))
        except ValueError:
            seed = -1
        if not 0 <= seed <= MAX_SEED:
            raise BadPicture(f"seed: found {given!r}, wanted a whole number from 0 to {MAX_SEED}")
        return seed

    def _pair(self, drafts: list[tuple[Job, str]]) -> None:
        """Find each picture, its mask and its result, with one question to each filesystem."""
        good = [(job, mask) for job, mask in drafts if not job.error]
        times = self.source.root.sizes_and_times([job.name for job, _ in good])
        results = self.out.sizes_and_times([job.result for job, _ in good])
        for (job, _), at, result in zip(good, times, results, strict=True):
            job.image_at, job.exists = at, bool(result)
            if not at:
                job.error = f"there is no {self.source.root.link(job.name)}"
        if not self.workflow.wants_mask:
            return
        place, candidates = self.masks or self.source.root, [self._candidates(job, mask) for job, mask in good]
        found = iter(place.sizes_and_times([name for names in candidates for name in names]))
        for (job, mask), names in zip(good, candidates, strict=True):
            there = [(name, at) for name, at in [(name, next(found)) for name in names] if at]
            if there:
                job.mask, job.mask_at = there[0]
                job.in_masks = self.masks is not None
            elif mask and not job.error:
                job.error = f"there is no mask {place.link(mask)}"

    def _candidates(self, job: Job, mask: str) -> list[str]:
        """What the mask of a picture may be called, best first."""
        if mask:
            return [mask]
        path = PurePosixPath(job.name)
        if self.masks:
            return list(dict.fromkeys([job.name, *(path.with_suffix(suffix).as_posix() for suffix in PICTURES)]))
        return [path.with_name(f"{path.stem}_mask{suffix}").as_posix() for suffix in (".png", ".jpg")]

    def _look(self, job: Job) -> None:
        """Compare the sizes of picture and mask, from the heads of their files."""
        try:
            size, has_alpha = self._size(self.source.root, job.name)
            if job.mask:
                place = self.masks if job.in_masks and self.masks else self.source.root
                mask_size, _ = self._size(place, job.mask)
                if mask_size != size:
                    raise BadPicture(f"the mask {job.mask} has {_by(mask_size)} pixels, the picture {_by(size)}")
            elif self.workflow.wants_mask and not has_alpha:
                looked = ", ".join(self._candidates(job, "")[:2])
                raise BadPicture(f"no mask: there is no {looked}, and the picture has no alpha")
        except BadPicture as error:
            job.error = str(error)

    def _size(self, place: Place, name: str) -> tuple[tuple[int, int], bool]:
        try:
            with place.open(name) as file:
                return size_of(file, name)
        except OSError as error:
            raise BadPicture(f"{name} cannot be read: {error}") from None


def _by(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]}"
