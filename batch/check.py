"""Rows of the table become jobs: names cleaned, masks paired, settings understood, files looked at: the head of a
picture, and all of a mask, since one that paints nothing is to be known before the run. This runs in Ray tasks."""

import functools
import hashlib
import json
import re
import tempfile
import unicodedata
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from comfyui_host.client import clean
from comfyui_host.prompt import MOST_SEED, converted

from . import BadPicture, pictures
from .pictures import Picture
from .places import PARTS, Folder, digest
from .table import OWN, PICTURES, Row, Source
from .workflow import Workflow

THREADS = 8  # far filesystems answer slowly, and several requests at a time
LARGEST = 1 << 30  # bytes of one file
_masks: dict[Any, Any] = {}  # of a process of Ray: their sizes or errors, since often many pictures have one mask
WHOLE = re.compile(r"\s*(\d{1,20})(?:\.0)?\s*", re.ASCII)  # 7.0 is what pandas makes of a 7 above an empty cell


@dataclass
class Job:
    """A row of the table, checked."""

    name: str  # the picture, relative to PICTURES, with "/" between folders
    result: str = ""  # relative to OUT
    mask: str = ""  # relative to MASKS if `in_masks`, else to PICTURES; empty if the picture's alpha is the mask
    in_masks: bool = False
    seed: int | None = None  # None if the workflow has none that could be set
    settings: dict[str, Any] = field(default_factory=dict)  # values by "node.input"
    error: str = ""  # why it cannot be done, as far as is known
    kind: str = ""  # the same in a few words
    image_at: str = ""  # size and time of the files, to see quickly that nothing changed
    mask_at: str = ""
    result_at: str = ""
    recipe: str = ""  # a hash of all that decides the result but the pictures
    before: dict[str, Any] = field(default_factory=dict)  # the last entry of the manifest for this picture
    loses: list[str] = field(default_factory=list)  # what of the picture the result does not have
    tried: list[int] = field(default_factory=list)  # the workers that did not bring it to its end

    def to_json(self) -> str:
        return json.dumps({key: value for key, value in vars(self).items() if value or value == 0})

    @staticmethod
    def from_json(text: str) -> "Job":
        return Job(**json.loads(text))

    def facts(self) -> dict[str, Any]:
        """What the manifest says of it, however it ends."""
        keys = ("name", "result", "seed", "recipe", "image_at", "mask_at")
        return {key: getattr(self, key) for key in keys}

    def unchanged(self) -> bool:
        """Whether the last entry of the manifest is about just this, as far as sizes and times tell."""
        return all(self.before.get(key) == getattr(self, key) for key in ("recipe", "image_at", "mask_at"))

    def fail(self, error: BadPicture) -> None:
        self.error, self.kind = clean(str(error)), error.kind


class Jobs:
    """Jobs in a file without a name, which goes with this process however that ends: a million cost no memory."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile("w+")
        self._count, self.bytes = 0, 0  # the size of their pictures

    def __len__(self) -> int:
        return self._count

    def add(self, job: Job) -> None:
        self._file.write(job.to_json() + "\n")
        self._count += 1
        self.bytes += int(job.image_at.partition(":")[0] or 0)

    def __iter__(self) -> Iterator[Job]:
        """All of them, in order; none is to be added meanwhile."""
        self._file.seek(0)
        for line in self._file:
            yield Job.from_json(line)
        self._file.seek(0, 2)


def seed_of(name: str, seed: int) -> int:
    """seed = first 48 bits of SHA-256(seed / name): the same on every machine and in every order, and exact in JSON."""
    spelled = unicodedata.normalize("NFC", name)  # some filesystems take accents apart
    return int.from_bytes(hashlib.sha256(f"{seed}/{spelled}".encode()).digest()[:6], "big")


@dataclass
class Task:
    """All that the rows and the pictures of a run have in common; `jobs` turns rows into jobs."""

    workflow: Workflow
    source: Source
    masks: Folder | None  # the folder of masks with equal names, if the user gave one
    out: Folder
    addresses: dict[str, str] = field(default_factory=dict)  # where each column of the table goes, "node.input"
    seed: int = 0  # what the seeds of all pictures follow from, beside their names
    own_format: bool = False  # results in the picture's own format, not in PNG
    comfyui: str = ""  # a ComfyUI's folder; empty for the embedded one
    repository: str = ""  # the folder that has the embedded one's comfyui_host/

    def rows(self) -> Iterator[Row]:
        """Every row; in a folder, `name_mask.png` is a mask and not a picture, and so is what lies in `masks`."""
        return self.source.rows(self.workflow.wants_mask, self.masks)

    def jobs(self, rows: Iterable[Row]) -> list[Job]:
        with ThreadPoolExecutor(THREADS) as threads:
            return list((map if self.source.root.local else threads.map)(self._job, rows))

    def mask(self, job: Job, content: bytes, picture: Picture) -> Any:
        """What is to be painted of a picture, at its size; None if the workflow takes no mask. Raises BadPicture."""
        if not self.workflow.wants_mask:
            return None
        if not job.mask:
            return pictures.mask_of(picture, job.name)
        return pictures.scaled(pictures.read_mask(content, job.mask), picture.pixels.size, job.mask)

    def mask_place(self, job: Job) -> Folder:
        return self.masks if job.in_masks and self.masks else self.source.root

    def _job(self, row: Row) -> Job:
        """Whatever a row raises sets that row aside, and no other."""
        job = Job(clean(str(row.get("image") or "")) if isinstance(row, dict) else "")
        try:
            if isinstance(row, BadPicture):
                raise row
            mask = self._read_row(job, row)
            self._find_files(job, mask)
            self._look(job)
        except BadPicture as error:
            job.fail(error)
        except Exception as error:
            job.fail(BadPicture("rows that cannot be used", f"{job.name}: {type(error).__name__}: {error}"))
        return job

    def _read_row(self, job: Job, row: dict[str, Any]) -> str:
        """Take in all that a row says; the mask that it names is returned."""
        given, mask = ("" if row.get(key) is None else row[key] for key in ("image", "mask"))
        if not (isinstance(given, str) and isinstance(mask, str) and given):
            raise BadPicture("rows without a picture", "a row of the table names no image, or no mask that is a name")
        if given != given.encode("utf-8", "replace").decode():
            raise BadPicture("names that are not UTF-8", f"'{clean(given)}' is not a name in UTF-8: rename the file")
        root = self.source.root
        job.name = given if self.source.kind == "folder" else root.check_inside(given)
        path = PurePosixPath(job.name)
        if path.suffix.lower() not in PICTURES:
            raise BadPicture("files of another kind", f"'{given}' is no picture: wanted {', '.join(PICTURES)}")
        job.result = job.name if self.own_format else path.with_suffix(".png").as_posix()
        self._keep_out(root, job.name)
        job.settings, job.seed = self._settings(row), self._seed(row, job.name)
        job.recipe = digest(_json([self._base, job.settings, job.seed, self.own_format]))
        return (self.masks or root).check_inside(mask) if mask and self.workflow.wants_mask else ""

    def _keep_out(self, place: Folder, name: str) -> None:
        if PARTS in PurePosixPath(name).parts or self.out.contains(place, name):
            raise BadPicture("pictures in OUT", f"{name} lies in {self.out.shown}, where results could replace it")

    @functools.cached_property
    def _base(self) -> str:
        flow = self.workflow
        return digest(_json([flow.prompt, flow.image, flow.mask, flow.result, sorted(flow.fixed)]))

    def _settings(self, row: dict[str, Any]) -> dict[str, Any]:
        if unknown := sorted(set(row) - set(self.addresses) - set(OWN)):
            said = f"the first row of the table has no '{unknown[0]}': give every row the same keys"
            raise BadPicture("rows with other columns", said)
        given = {at: row[key] for key, at in self.addresses.items() if row.get(key) not in ("", None)}
        try:
            return {at: converted(self.workflow.prompt, at, value) for at, value in given.items()}
        except ValueError as error:
            raise BadPicture("values that cannot be set", str(error)) from None

    def _seed(self, row: dict[str, Any], name: str) -> int | None:
        given = row.get("seed")
        if given in ("", None):
            return seed_of(name, self.seed) if self.workflow.seeds else None
        whole = WHOLE.fullmatch(str(given))
        seed = int(whole[1]) if whole else -1
        if not 0 <= seed <= MOST_SEED:
            said = f"seed: found {str(given)[:80]!r}, wanted a whole number from 0 to {MOST_SEED}"
            raise BadPicture("seeds that cannot be", said)
        return seed

    def _find_files(self, job: Job, mask: str) -> None:
        """Find a picture, its mask and its result."""
        root = self.source.root
        (job.image_at,), (job.result_at,) = root.sizes_and_times([job.name]), self.out.sizes_and_times([job.result])
        if not job.image_at:
            raise BadPicture("pictures that are not there", f"there is no {root.link(job.name)}")
        if not self.workflow.wants_mask:
            return
        for place, names in self._candidates(job, mask):
            there = [(name, at) for name, at in zip(names, place.sizes_and_times(names), strict=True) if at]
            if len(there) > 1:
                raise BadPicture("pictures with two masks", f"which is the mask: {there[0][0]} or {there[1][0]}?")
            if mask and not there:
                raise BadPicture("masks that are not there", f"there is no mask {place.link(mask)}")
            if there:
                (job.mask, job.mask_at), job.in_masks = there[0], place is self.masks
                if place.path(job.mask) == root.path(job.name):
                    raise BadPicture("masks that are pictures", f"{job.name} is named as its own mask")
                place.check_inside(job.mask)
                return self._keep_out(place, job.mask)

    def _candidates(self, job: Job, mask: str) -> Iterator[tuple[Folder, list[str]]]:
        """Where the mask of a picture may lie, and what it may be called there: the first place that has it counts."""
        path, root = PurePosixPath(job.name), self.source.root
        if mask:
            yield self.masks or root, [mask]
            return
        if self.masks:
            suffixed = (path.with_suffix(suffix).as_posix() for suffix in PICTURES)
            yield self.masks, list(dict.fromkeys([job.name, *suffixed]))
        yield root, [path.with_name(f"{path.stem}_mask{suffix}").as_posix() for suffix in PICTURES]

    def _look(self, job: Job) -> None:
        """Compare the sizes of picture and mask, and see what the mask paints."""
        root = self.source.root
        if max(int(at.partition(":")[0] or 0) for at in (job.image_at, job.mask_at)) > LARGEST:
            raise BadPicture("files that are too large", f"{job.name}: its file or its mask has more than 1 GiB")
        try:
            with root.open(job.name) as file:
                head = pictures.look(file, job.name)
            job.loses = head.loses
            if job.mask:
                pictures.check_size(self._look_at_mask(job), head.size, job.mask, head.turned)
            elif self.workflow.wants_mask and not head.has_alpha:
                looked = ", ".join(name for _, names in self._candidates(job, "") for name in names[:2])
                raise BadPicture("no mask", f"no mask: there is no {looked}, ... and the picture has no alpha")
            elif self.workflow.wants_mask:
                pictures.mask_of(pictures.read(root.read(job.name), job.name), job.name)
        except OSError as error:
            raise BadPicture("files that cannot be read", f"{job.name} cannot be read: {error}") from None

    def _look_at_mask(self, job: Job) -> tuple[int, int]:
        key = self.mask_place(job).path(job.mask), job.mask_at
        if (found := _masks.get(key)) is None:
            try:
                found = pictures.read_mask(self.mask_place(job).read(job.mask), job.mask).size
            except BadPicture as error:
                found = error
            if len(_masks) > 10_000:
                _masks.clear()
            _masks[key] = found
        if isinstance(found, BadPicture):
            raise found
        return found


def _json(content: Any) -> bytes:
    return json.dumps(content, sort_keys=True).encode("utf-8", "replace")
