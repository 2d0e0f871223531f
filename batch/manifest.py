"""What became of each picture: one JSON line each, in the order of their ends; the last line of a picture counts."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from typing import Any

from .errors import Refused
from .places import Place

NAME = "manifest.jsonl"
FOLDER = "manifest"
LINES_A_FILE, SECONDS_A_FILE = 1000, 5.0


class Manifest:
    """The manifest under OUT. Use it in a `with` statement.

    On a local filesystem each line is in the file before the next picture begins. Others cannot append: there the lines
    are kept in files of a thousand under OUT/manifest/, written anew every few seconds.
    """

    def __init__(self, out: Place):
        self.out = out
        self._lines: list[str] = []
        self._started, self._files, self._saved = time.strftime("%Y%m%d-%H%M%S"), 0, time.monotonic()
        self._file: Any = None

    def __enter__(self) -> Manifest:
        if self.out.local:
            self._file = (self.out.local / NAME).open("a+b")
            self._file.seek(max(self._file.tell() - 1, 0))
            if self._file.read(1) not in (b"", b"\n"):
                self._file.write(b"\n")  # after a line that a power cut left unfinished
        return self

    def __exit__(self, *_: object) -> None:
        if self._file:
            self._file.close()
        elif self._lines:
            self._save()

    def add(self, entry: dict[str, Any]) -> None:
        """Note what became of one picture."""
        line = json.dumps(entry, ensure_ascii=False) + "\n"
        if self._file:
            self._file.write(line.encode())
            self._file.flush()
            os.fsync(self._file.fileno())
            return
        self._lines.append(line)
        if len(self._lines) >= LINES_A_FILE or time.monotonic() - self._saved > SECONDS_A_FILE:
            self._save()

    def entries(self) -> Iterator[dict[str, Any]]:
        """All that earlier runs noted, oldest first. A line that was cut short counts as missing.

        Raises:
            Refused: If it cannot be read.
        """
        try:
            for file in self._found():
                with self.out.filesystem.open_input_stream(self.out.path(file)) as stream:
                    yield from _entries(stream)
        except OSError as error:
            raise Refused(f"cannot read the manifest in {self.out.url}: {error}") from error

    def _found(self) -> list[str]:
        if self.out.local:
            return [NAME] if (self.out.local / NAME).is_file() else []
        import pyarrow.fs

        selector = pyarrow.fs.FileSelector(self.out.path(FOLDER), allow_not_found=True)
        return sorted(f"{FOLDER}/{info.base_name}" for info in self.out.filesystem.get_file_info(selector))

    def _save(self) -> None:
        self.out.write(f"{FOLDER}/{self._started}-{self._files:06d}.jsonl", "".join(self._lines).encode())
        self._saved = time.monotonic()
        if len(self._lines) >= LINES_A_FILE:
            self._lines, self._files = [], self._files + 1


def _entries(stream: Any) -> Iterator[dict[str, Any]]:
    rest = b""
    while chunk := stream.read(1 << 20):
        *lines, rest = (rest + chunk).split(b"\n")
        yield from _good(lines)
    yield from _good([rest])


def _good(lines: list[bytes]) -> Iterator[dict[str, Any]]:
    for line in lines:
        try:
            entry = json.loads(line) if line.strip() else None
        except ValueError:
            continue
        if isinstance(entry, dict) and isinstance(entry.get("name"), str):
            yield entry
