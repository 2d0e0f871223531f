"""What became of each picture: one JSON line each, in the order of their ends; the last line of a picture counts. It is
the only memory of a run: what has no line here is not done yet."""

import hashlib
import json
import os
import tempfile
import time
from array import array
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow.fs

from . import Refused
from .places import Folder, digest

DONE, FAILED = "done", "failed"
NAME, FOLDER = "manifest.jsonl", "manifest"
LINES_A_FILE, SECONDS_A_FILE = 1000, 5.0


class Manifest:
    """The manifest under OUT, in a `with` statement. Raises Refused if it cannot be read, is someone else's, or is to
    be written while another run does so. Far filesystems cannot append: there it is files of a thousand lines under
    OUT/manifest/, the last of which is written anew every few seconds."""

    def __init__(self, out: Folder, write: bool):
        self.out, self.write = out, write
        self._lines: list[str] = []
        self._start, self._number = f"{time.time_ns():020}", 0
        self._saved, self._saved_digest = time.monotonic(), ""
        self._file: Any = None

    def __enter__(self) -> "Manifest":
        try:
            if self.out.local and self.write:
                self._file = (self.out.local / NAME).open("a+b")
                _lock(self._file, self.out)
            elif self.out.local and (self.out.local / NAME).is_file():
                self._file = (self.out.local / NAME).open("rb")
            elif not self.out.local:
                self._file = self._copied()
            self._read()
            if self.out.local and self.write:
                self._file.seek(max(self._file.seek(0, os.SEEK_END) - 1, 0))
                if self._file.read(1) not in (b"", b"\n"):
                    self._file.write(b"\n")  # after a line that a power cut left unfinished
        except OSError as error:
            raise Refused(f"cannot open the manifest in {self.out.shown}: {error}") from error
        return self

    def __exit__(self, *_: object) -> None:
        if self._lines and not self.out.local:
            self._save()
        if self._file:
            self._file.close()

    def add(self, entry: dict[str, Any]) -> None:
        """Note what became of one picture."""
        line = json.dumps(entry, ensure_ascii=False) + "\n"
        if self.out.local:
            self._file.write(line.encode())
            self._file.flush()
            os.fsync(self._file.fileno())
            return
        self._file.seek(0, os.SEEK_END)
        self._file.write(line.encode())
        self._lines.append(line)
        if len(self._lines) >= LINES_A_FILE or time.monotonic() - self._saved > SECONDS_A_FILE:
            self._save()

    def last(self, name: str) -> dict[str, Any]:
        """What earlier runs noted last of a picture; empty if nothing."""
        at = int(np.searchsorted(self._keys, key_of(name), "right")) - 1
        return self._entry(int(self._offsets[at])) if at >= 0 and self._keys[at] == key_of(name) else {}

    def latest(self) -> Iterator[dict[str, Any]]:
        """The last entry of each picture, this run's too, in the order of their ends."""
        self._read()
        is_last = np.append(self._keys[1:] != self._keys[:-1], True)[: len(self._keys)]
        for offset in np.sort(self._offsets[is_last]):
            yield self._entry(int(offset))

    def _read(self) -> None:
        """Learn where the lines are: by picture, and in order for each. A line that was cut short counts as missing."""
        keys, offsets, at = array("q"), array("q"), 0
        if self._file:
            self._file.seek(0)
            for line in self._file:
                entry = _parsed(line)
                ours = {"state", "recipe"} <= entry.keys() or not entry and line.startswith(b'{"name": "')
                if not (at or ours):
                    raise Refused(f"{self.out.link(NAME)} was not written by this tool: move it, or choose another OUT")
                if entry:
                    keys.append(key_of(entry["name"]))
                    offsets.append(at)
                at += len(line)
        self._keys, self._offsets = np.array(keys, np.int64), np.array(offsets, np.int64)
        order = np.argsort(self._keys, kind="stable")
        self._keys, self._offsets = self._keys[order], self._offsets[order]

    def _entry(self, offset: int) -> dict[str, Any]:
        self._file.seek(offset)
        return _parsed(self._file.readline())

    def _copied(self) -> Any:
        """A manifest from far away, in a file without a name."""
        file = tempfile.TemporaryFile()
        selector = pyarrow.fs.FileSelector(self.out.path(FOLDER), allow_not_found=True)
        for info in sorted(self.out.filesystem.get_file_info(selector), key=lambda info: info.base_name):
            content = self.out.read(f"{FOLDER}/{info.base_name}") if info.is_file else b""
            file.write(content if content.endswith(b"\n") or not content else content + b"\n")
        return file

    def _save(self) -> None:
        content = "".join(self._lines).encode()
        self.out.write(f"{FOLDER}/{self._start}-{self._number:06d}.jsonl", content, self._saved_digest)
        self._saved, self._saved_digest = time.monotonic(), digest(content)
        if len(self._lines) >= LINES_A_FILE:
            self._lines, self._number, self._saved_digest = [], self._number + 1, ""


def was_out(folder: Folder) -> bool:
    """Whether a run has noted something in this folder."""
    try:
        with Manifest(folder, write=False) as manifest:
            return any(manifest.latest())
    except Refused:
        return False


def key_of(name: str) -> int:
    """A name as a number of 64 bits."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)


def _lock(file: Any, out: Folder) -> None:
    """Keep a second run away; the lock goes with this process, however that ends."""
    try:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Refused(f"another run writes to {out.shown}: wait for its end, or choose another OUT") from None
    except (ImportError, OSError):
        return  # Windows, and some filesystems, have no such locks


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        entry = json.loads(line)
        good = isinstance(entry, dict) and isinstance(entry.get("name"), str) and entry["name"].encode()
    except (ValueError, RecursionError):
        return {}
    return entry if good else {}
