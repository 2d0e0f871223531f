"""The pictures: a folder, a pattern, or a table, as rows that are not checked yet: dictionaries of strings (CSV) or
JSON values (JSONL) with the key "image". What is no row comes as a BadPicture in its place."""

import csv
import fnmatch
import io
import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from comfyui_host.client import clean

from . import BadPicture, Refused
from .manifest import FOLDER, NAME
from .places import STRIPS, Folder

PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
TABLES = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
OWN = ("image", "mask", "prompt", "negative", "seed")  # columns; every other one is "node.input"
LONGEST_LINE = 1 << 20  # characters; a longer line is no row
NOT_A_ROW = "lines of the table that are no row"
OUR_MANIFEST = re.compile(rf"(|.*/)(?:{NAME}|{FOLDER}/\d{{20}}-\d{{6}}\.jsonl)")
OUR_STRIP = re.compile(rf"(|.*/){STRIPS}/[0-9a-f]{{32}}\.jpg")
Row = dict[str, Any] | BadPicture


class Counts:
    """How many there are of each kind, and the first three of each."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.first: dict[str, list[str]] = {}

    def add(self, kind: str, what: str) -> None:
        self.counts[kind] += 1
        if self.counts[kind] <= 3:
            self.first.setdefault(kind, []).append(clean(what, 400))

    def lines(self, said: str) -> Iterator[str]:
        for kind, count in sorted(self.counts.items()):
            yield from [f"{said} ({count}): {kind}", *(f"    {what}" for what in self.first[kind])]
            yield from ["    ..."] if count > 3 else []


@dataclass
class Source:
    """Where the pictures are named."""

    root: Folder  # the folder that their names are relative to
    kind: str  # "folder", "csv" or "jsonl"
    file: str = ""  # the table's name in the root
    pattern: str = "**"  # what names must match in a folder
    columns: tuple[str, ...] = ("image",)  # of a table; those of a JSONL table are those of its first row
    left_out: Counts = field(default_factory=Counts)  # of a folder, once its rows have been read

    def rows(self, masks_beside: bool, masks: Folder | None = None) -> Iterator[Row]:
        """Every row, in order; in a folder, `name_mask.*` may be the mask of `name.*`, and what lies in `masks` is no
        picture. Raises Refused if there is none, or the table cannot be read."""
        if self.kind == "folder":
            yield from self._pictures(masks_beside, masks)
            return
        with _reading(self.root, self.file) as lines:
            yield from _csv_rows(lines, self.columns) if self.kind == "csv" else _json_rows(lines)

    def _pictures(self, masks_beside: bool, masks: Folder | None) -> Iterator[Row]:
        pattern, files = self.pattern.split("/"), self.root.names()
        results = {at[1] for name, _ in files if (at := OUR_MANIFEST.fullmatch(name))}  # the folders that were an OUT
        files = [(name, why) for name, why in files if matches(name.split("/"), pattern)]
        if masks and not masks.holds(self.root):
            files = [(name, why) for name, why in files if not masks.contains(self.root, name)]
        stems, found = {name.rpartition(".")[0] for name, why in files if not why}, False
        for name, why in files:
            path, stem = PurePosixPath(name), name.rpartition(".")[0]
            is_mask = masks_beside and stem.endswith("_mask") and f"{stem}_mask" not in stems
            if not why and any(part.startswith(".") for part in path.parts):
                why = "hidden files"
            elif not why and path.suffix.lower() not in PICTURES:
                why = f"files of another kind than {', '.join(PICTURES)}"
            elif not why and (strip := OUR_STRIP.fullmatch(name)) and strip[1] in results:
                why = "contact sheets of this tool"
            elif not why and is_mask and stem.removesuffix("_mask") in stems:
                continue
            elif not why and is_mask:
                why = "masks without a picture of their name"
            if why:
                self.left_out.add(why, name)
            else:
                found = True
                yield {"image": name}
        if not found:
            raise Refused("\n".join([f"no picture in {self.root.shown}", *self.left_out.lines("left out")]))


def find(url: str) -> Source:
    """What the user means by PICTURES. Raises Refused if there is no such folder, or no table with a column "image"."""
    kind = TABLES.get(PurePosixPath(url.partition("?")[0]).suffix.lower())
    if kind and not Folder(url).filesystem.get_file_info(Folder(url).path("")).is_file:
        raise Refused(f"there is no table {Folder(url).shown}")
    if kind:
        base, mark, query = url.partition("?") if "://" in url else (Path(url).as_posix(), "", "")
        folder, slash, file = base.rpartition("/")
        root = Folder((folder or slash or ".") + mark + query)
        return Source(root, kind, file, columns=_columns(root, file, kind))
    if any(mark in url for mark in "*?[") and "://" not in url and not Path(url).exists():
        parts = PurePosixPath(Path(url).as_posix()).parts
        first = next(i for i, part in enumerate(parts) if any(mark in part for mark in "*?["))
        return Source(Folder(str(PurePosixPath(".", *parts[:first]))), "folder", pattern="/".join(parts[first:]))
    place = Folder(url)
    if place.local and not place.local.is_dir():
        raise Refused(f"{place.shown} is neither a folder, nor a pattern, nor a table (.csv, .jsonl)")
    return Source(place, "folder")


def matches(parts: Sequence[str], wanted: Sequence[str]) -> bool:
    """Whether a path fits a pattern: `*` stands for a part of one name, `**` for any number of folders."""
    if wanted[:1] == ["**"]:
        return len(wanted) == 1 or any(matches(parts[start:], wanted[1:]) for start in range(len(parts) + 1))
    if not parts or not wanted:
        return not parts and not wanted
    return fnmatch.fnmatchcase(parts[0], wanted[0]) and matches(parts[1:], wanted[1:])


class Lines:
    """The lines of a table, none longer than it may be; with the number of the last one, and whether any was cut."""

    def __init__(self, stream: Any):
        self.text = io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")
        self.number, self.cut = 0, False

    def __iter__(self) -> Iterator[str]:
        while line := self.text.readline(LONGEST_LINE):
            self.number += 1
            rest = line
            while len(rest) == LONGEST_LINE and not rest.endswith("\n"):
                self.cut, line, rest = True, line[:80] + "\n", self.text.readline(LONGEST_LINE)
            yield line


@contextmanager
def _reading(root: Folder, file: str) -> Iterator[Lines]:
    try:
        with root.open(file) as stream:
            yield Lines(stream)
    except UnicodeDecodeError:
        raise Refused(f"the table {file} is not UTF-8: save it as CSV UTF-8") from None
    except (OSError, csv.Error) as error:
        raise Refused(f"cannot read {root.link(file)}: {error}") from error


def _csv_rows(lines: Lines, columns: Sequence[str]) -> Iterator[Row]:
    reader, first = csv.reader(lines, strict=True), True
    while True:
        lines.cut, number = False, lines.number + 1
        try:
            cells = next(reader)
            if lines.cut:
                raise csv.Error(f"it has more than {LONGEST_LINE} characters")
            if cells and len(cells) != len(columns):
                counts = f"{len(cells)} cells, the first line {len(columns)}"
                raise csv.Error(f"it has {counts}: put a text with commas between quotes")
            if cells and not first:
                yield dict(zip(columns, cells, strict=True))
        except StopIteration:
            return
        except csv.Error as error:
            yield BadPicture(NOT_A_ROW, f"line {number} of the table is no row: {error}")
        first = False


def _json_rows(lines: Lines) -> Iterator[Row]:
    for line in filter(str.strip, lines):
        try:
            row = json.loads(line)
            wanted = "" if isinstance(row, dict) else "an object"
        except (ValueError, RecursionError) as error:
            row, wanted = None, f"JSON ({error})"
        said = f"line {lines.number} of the table is not {wanted}: {clean(line, 80)}"
        yield BadPicture(NOT_A_ROW, said) if wanted else row


def _columns(root: Folder, file: str, kind: str) -> tuple[str, ...]:
    with _reading(root, file) as lines:
        if kind == "csv":
            columns = next(csv.reader(lines), [])
        else:
            first: Any = next(_json_rows(lines), {})
            columns = [] if isinstance(first, BadPicture) else list(first)
    if not lines.number:
        raise Refused(f"{file} is empty")
    if "image" not in columns:
        has = f"{file} has no column 'image'; it has: {clean(', '.join(columns), 300) or 'none'}"
        raise Refused(f"{has}. Columns are separated by commas; a JSONL table has one object a line")
    if len(set(columns)) != len(columns):
        raise Refused(f"{file} has two columns of one name: {', '.join(columns)}")
    return tuple(columns)
