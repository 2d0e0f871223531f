"""Folders on any filesystem that Ray Data reads: local, s3://, gs:// and what fsspec knows."""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow
import pyarrow.fs

from .errors import BadPicture, Refused

PARTS = ".batch"
"""The folder under OUT of files that are being written; one rename brings each to its place."""


class Place:
    """A folder, by path or by URL. It can be sent to another machine, which must be able to reach it too.

    Attributes:
        url: As the user wrote it.
        local: The folder as a path, if it is on this machine's filesystem.

    Raises:
        Refused: If no filesystem is known for the URL.
    """

    def __init__(self, url: str):
        self.url = url
        self.local: Path | None = None
        if "://" in url:
            self.filesystem, self.root = _remote(url)
        else:
            self.local = Path(url).expanduser().resolve()
            self.filesystem, self.root = pyarrow.fs.LocalFileSystem(), self.local.as_posix()

    def path(self, name: str) -> str:
        """Where the filesystem has a file of this folder."""
        return f"{self.root}/{name}" if name else self.root

    def link(self, name: str) -> str:
        """A path or URL that a person can open."""
        if self.local:
            return str(self.local / name)
        base, mark, query = self.url.partition("?")
        return f"{base.rstrip('/')}/{name}{mark}{query}"

    def sizes_and_times(self, names: Sequence[str]) -> list[str]:
        """The text "size:nanoseconds" of each file as it was last written, or "" where there is none."""
        infos = self.filesystem.get_file_info([self.path(name) for name in names])
        return [f"{info.size}:{info.mtime_ns or 0}" if info.is_file else "" for info in infos]

    def names(self) -> list[str]:
        """Every file below this folder, relative to it, in order of name.

        Raises:
            Refused: If there is no such folder.
        """
        try:
            infos = self.filesystem.get_file_info(pyarrow.fs.FileSelector(self.root, recursive=True))
        except (OSError, pyarrow.ArrowException) as error:
            raise Refused(f"cannot list {self.url}: {error}") from error
        start = len(self.root.rstrip("/")) + 1
        return sorted(info.path[start:] for info in infos if info.is_file)

    def open(self, name: str) -> Any:
        """The file for reading at any position, without fetching all of it."""
        return self.filesystem.open_input_file(self.path(name))

    def read(self, name: str) -> bytes:
        with self.filesystem.open_input_stream(self.path(name)) as stream:
            return stream.read()

    def write(self, name: str, content: bytes) -> None:
        """Write a file so that whoever looks finds all of it or nothing of it, also after a power cut.

        Raises:
            OSError: If the disk is full or the folder may not be written.
        """
        part = f"{PARTS}/{hashlib.sha256(name.encode()).hexdigest()[:32]}.part"
        if self.local:
            target = self.local / name
            (self.local / PARTS).mkdir(parents=True, exist_ok=True)
            target.parent.mkdir(parents=True, exist_ok=True)
            with (self.local / part).open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(self.local / part, target)
            return
        for path in (part, name):
            self.filesystem.create_dir(str(PurePosixPath(self.path(path)).parent), recursive=True)
        with self.filesystem.open_output_stream(self.path(part)) as stream:
            stream.write(content)
        self.filesystem.move(self.path(part), self.path(name))

    def check_writable(self, name: str) -> None:
        """Write a file and delete it.

        Raises:
            OSError: If that cannot be done.
        """
        self.write(f"{PARTS}/{name}", b"")
        self.filesystem.delete_file(self.path(f"{PARTS}/{name}"))

    def tidy(self) -> None:
        """Delete what writes that were cut off have left."""
        try:
            self.filesystem.delete_dir(self.path(PARTS))
        except OSError:
            return  # there is none, as on filesystems without folders

    def holds(self, other: Place) -> bool:
        """Whether the other folder is this one or lies below it."""
        if (self.local is None) != (other.local is None):
            return False
        mine, theirs = PurePosixPath(self.root), PurePosixPath(other.root)
        return self.filesystem.type_name == other.filesystem.type_name and (mine == theirs or mine in theirs.parents)

    def check_inside(self, name: str) -> str:
        """A name from a table, cleaned.

        Raises:
            BadPicture: If it leads out of this folder, by "..", by an absolute path, or by a symbolic link.
        """
        clean = PurePosixPath(name.replace("\\", "/"))
        if "://" in name or clean.is_absolute() or ".." in clean.parts or clean.drive or Path(name).is_absolute():
            raise BadPicture(f"'{name}' leads out of {self.url}: give a path below it")
        if self.local and not _real(self.local / clean).is_relative_to(self.local):
            raise BadPicture(f"'{name}' is a link that leads out of {self.url}")
        return clean.as_posix()


def _real(path: Path) -> Path:
    """Where a file really is. A folder is looked up once for all of its files."""
    real = _real_folder(path.parent) / path.name
    return real.resolve() if real.is_symlink() else real


@functools.lru_cache(4096)
def _real_folder(folder: Path) -> Path:
    return folder.resolve()


def _remote(url: str) -> tuple[Any, str]:
    try:
        try:
            filesystem, root = pyarrow.fs.FileSystem.from_uri(url)
        except pyarrow.ArrowInvalid:  # a scheme that Arrow leaves to fsspec
            import fsspec

            found, root = fsspec.core.url_to_fs(url)
            filesystem = pyarrow.fs.PyFileSystem(pyarrow.fs.FSSpecHandler(found))
    except (OSError, ValueError, ImportError, pyarrow.ArrowException) as error:
        raise Refused(f"cannot open {url}: {error}") from error
    return filesystem, root.rstrip("/")
