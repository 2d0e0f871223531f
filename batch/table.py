"""The pictures: a folder, a pattern, or a table, as a Ray dataset of rows that are not checked yet.

Rows are dictionaries of strings (CSV) or JSON values (JSONL) with the key "image".
"""

from __future__ import annotations

import csv
import fnmatch
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from .errors import BadPicture, Refused
from .places import Place

PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
TABLES = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
OWN = ("image", "mask", "prompt", "negative", "seed")
"""Columns with a meaning of their own; every other one is "node.input"."""
LISTED_AT_ONCE = 10_000


@dataclass
class Source:
    """Where the pictures are named.

    Attributes:
        root: The folder that their names are relative to.
        kind: "folder", "csv" or "jsonl".
        file: The table's name in the root.
        pattern: What names must match in a folder.
        columns: The table's columns; those of a JSONL table are those of its first row.
    """

    root: Place
    kind: str
    file: str = ""
    pattern: str = "**"
    columns: tuple[str, ...] = ("image",)

    def dataset(self, masks_beside: bool) -> Any:
        """A Ray dataset of rows, read as they are wanted.

        Arguments:
            masks_beside: In a folder, files called `name_mask.*` are masks and not pictures.
        """
        import pyarrow
        import pyarrow.csv
        import ray.data

        if self.kind == "csv":
            as_text = pyarrow.csv.ConvertOptions(
                column_types={name: pyarrow.string() for name in self.columns}, strings_can_be_null=False
            )
            quoted = pyarrow.csv.ParseOptions(newlines_in_values=True)
            return ray.data.read_csv(
                self.root.path(self.file), filesystem=self.root.filesystem, file_extensions=None,
                convert_options=as_text, parse_options=quoted,
            )  # fmt: skip
        if self.kind == "jsonl":
            return ray.data.read_text(
                self.root.path(self.file), filesystem=self.root.filesystem, file_extensions=None,
                drop_empty_lines=True,
            )  # fmt: skip
        names = [name for name in self.root.names() if self._is_picture(name, masks_beside)]
        if not names:
            raise Refused(f"no picture in {self.root.url}: wanted {', '.join(PICTURES)}")
        chunks = [names[start : start + LISTED_AT_ONCE] for start in range(0, len(names), LISTED_AT_ONCE)]
        return ray.data.from_arrow([pyarrow.table({"image": chunk}) for chunk in chunks])

    def rows(self, batch: Any) -> Iterator[dict[str, Any] | BadPicture]:
        """The rows of one block of the dataset; an error in place of one that is no row."""
        for row in batch.to_pylist():
            yield _parsed(row["text"]) if self.kind == "jsonl" else row

    def _is_picture(self, name: str, masks_beside: bool) -> bool:
        path = PurePosixPath(name)
        hidden = any(part.startswith(".") for part in path.parts)
        mask = masks_beside and path.stem.endswith("_mask")
        return path.suffix.lower() in PICTURES and not hidden and not mask and matches(path.parts, self.pattern)


def find(url: str) -> Source:
    """What the user means by PICTURES.

    Raises:
        Refused: If there is no such folder or table, or the table has no column "image".
    """
    kind = TABLES.get(PurePosixPath(url.partition("?")[0]).suffix.lower())
    if kind:
        folder, file = _split(url)
        root = Place(folder)
        return Source(root, kind, file, columns=_columns(root, file, kind))
    if any(mark in url for mark in "*?[") and "://" not in url and not Path(url).exists():
        parts = PurePosixPath(Path(url).as_posix()).parts
        first = next(i for i, part in enumerate(parts) if any(mark in part for mark in "*?["))
        return Source(
            Place(str(PurePosixPath(*parts[:first])) if first else "."), "folder", pattern="/".join(parts[first:])
        )
    place = Place(url)
    if place.local and not place.local.is_dir():
        raise Refused(f"{url} is neither a folder, nor a pattern, nor a table (.csv, .jsonl)")
    return Source(place, "folder")


def matches(parts: Sequence[str], pattern: str) -> bool:
    """Whether a path fits a pattern: `*` stands for a part of one name, `**` for any number of folders."""

    def fit(parts: Sequence[str], wanted: Sequence[str]) -> bool:
        if not wanted:
            return not parts
        if wanted[0] == "**":
            return len(wanted) == 1 or any(fit(parts[start:], wanted[1:]) for start in range(len(parts) + 1))
        return bool(parts) and fnmatch.fnmatchcase(parts[0], wanted[0]) and fit(parts[1:], wanted[1:])

    return fit(parts, pattern.split("/"))


def _split(url: str) -> tuple[str, str]:
    base, mark, query = url.partition("?") if "://" in url else (url, "", "")
    path = PurePosixPath(base) if "://" in url else Path(base)
    return (base[: -len(path.name)].rstrip("/") + mark + query if "://" in url else str(path.parent)), path.name


def _columns(root: Place, file: str, kind: str) -> tuple[str, ...]:
    try:
        with root.filesystem.open_input_stream(root.path(file)) as stream:
            head = stream.read(1 << 16).decode("utf-8-sig", errors="replace")
    except OSError as error:
        raise Refused(f"cannot read {root.link(file)}: {error}") from error
    if not head.strip():
        raise Refused(f"{file} is empty")
    if kind == "csv":
        columns = next(csv.reader(head.splitlines(keepends=True)))
    else:
        first = _parsed(next(line for line in head.splitlines() if line.strip()))
        columns = [] if isinstance(first, BadPicture) else list(first)
    if "image" not in columns:
        raise Refused(
            f"{file} has no column 'image'; it has: {', '.join(columns) or 'none'}. Columns are separated by commas; "
            "a JSONL table has one object a line"
        )
    if len(set(columns)) != len(columns):
        raise Refused(f"{file} has two columns of one name: {', '.join(columns)}")
    return tuple(columns)


def _parsed(line: str) -> dict[str, Any] | BadPicture:
    try:
        row = json.loads(line)
    except ValueError as error:
        return BadPicture(f"a line of the table is not JSON ({error}): {line[:80]}")
    if not isinstance(row, dict):
        return BadPicture(f"a line of the table is not an object: {line[:80]}")
    return row
