"""Folders on any filesystem that Arrow and fsspec know: local, s3://, gs:// ... What a user had is never overwritten:
`write` makes a new file, or replaces just the one that this tool is known to have written."""

import functools
import hashlib
import os
import re
import socket
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pyarrow
import pyarrow.fs

from . import BadPicture, Refused

PARTS = ".latent-repaint-parts"  # under OUT, for files that are being written; one rename brings each to its place
STRIPS = "report"  # under OUT, for the small pictures of the report


class Folder:
    """A folder, by path or by URL; Refused is raised if no filesystem is known for that. It can be sent to another
    machine, which must be able to reach it too. `shown` is how a person may see it, without keys."""

    def __init__(self, url: str):
        self.local: Path | None = None  # the folder as a path, if it is on this machine's filesystem
        self.shown, path = _without_keys(url), url
        if "://" in url or url.startswith("file:"):
            self.filesystem, self.root = _remote(url)
            path = self.root if self.filesystem.type_name == "local" else ""
        if path:
            self.local = Path(path).expanduser().resolve()
            self.filesystem, self.root = pyarrow.fs.LocalFileSystem(), self.local.as_posix()

    def path(self, name: str) -> str:
        """Where the filesystem has a file of this folder."""
        return f"{self.root.rstrip('/')}/{name}" if name else self.root

    def link(self, name: str) -> str:
        """A path or URL that a person can open."""
        return str(self.local / name) if self.local else f"{self.shown.rstrip('/')}/{name}"

    def sizes_and_times(self, names: Sequence[str]) -> list[str]:
        """The text "size:nanoseconds" of each file as it was last written, or "" where there is none."""
        if self.local:
            return [_size_and_time(self.path(name)) for name in names]
        infos = self.filesystem.get_file_info([self.path(name) for name in names])
        return [f"{info.size}:{info.mtime_ns or 0}" if info.is_file else "" for info in infos]

    def taken(self, name: str) -> bool:
        """Whether anything at all has this name, a broken link too."""
        if self.local:
            return os.path.lexists(self.local / name)
        return self.filesystem.get_file_info(self.path(name)).type != pyarrow.fs.FileType.NotFound

    def names(self) -> list[tuple[str, str]]:
        """Every file below this folder, relative to it, in order of name; with each why it is left out, or ""."""
        if self.local:
            return sorted(self._walk(self.local, "", {self.local}))
        try:
            infos = self.filesystem.get_file_info(pyarrow.fs.FileSelector(self.root, recursive=True))
        except (OSError, pyarrow.ArrowException) as error:
            raise Refused(f"cannot list {self.shown}: {error}") from error
        start = len(self.root.rstrip("/")) + 1
        return sorted((info.path[start:], "") for info in infos if info.is_file)

    def _walk(self, folder: Path, below: str, seen: set[Any]) -> Iterator[tuple[str, str]]:
        """Each real folder is looked into once, under its own name before that of a link to it."""
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: (entry.is_symlink(), entry.name))
        except OSError as error:
            yield below.rstrip("/"), f"folders that cannot be read ({error.strerror})"
            return
        for entry in entries:
            path, name = folder / entry.name, below + entry.name
            if entry.is_symlink() and not (_lies_in(f"{folder}/{entry.name}", self.root) and path.exists()):
                yield name, "links that lead nowhere, or out of the folder"
            elif not entry.is_dir():
                yield name, ""
            elif path.resolve() in seen:
                yield name, "links to a folder that is looked into already"
            else:
                seen.add(path.resolve())
                yield from self._walk(path, name + "/", seen)

    def open(self, name: str) -> Any:
        """The file for reading at any position, without fetching all of it."""
        if self.local:
            return (self.local / name).open("rb")
        return self.filesystem.open_input_file(self.path(name))

    def read(self, name: str) -> bytes:
        with self.open(name) as file:
            return file.read()

    def write(self, name: str, content: bytes, replaces: str = "") -> None:
        """Write a file so that whoever looks finds all of it or nothing, also after a power cut. Raises BadPicture if
        there is one of that name already whose digest is not `replaces`, OSError if it cannot be written."""
        there = self.taken(name)
        if there and not (replaces and digest(self.read(name)) == replaces):
            raise self.occupied(name)
        part = f"{PARTS}/{digest(name.encode())}.part"
        for path in (part, name):
            self.filesystem.create_dir(str(PurePosixPath(self.path(path)).parent), recursive=True)
        if not self.local:
            with self.filesystem.open_output_stream(self.path(part)) as stream:
                stream.write(content)
            self.filesystem.move(self.path(part), self.path(name))
            return
        (self.local / part).unlink(missing_ok=True)
        with (self.local / part).open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if not there:
            try:
                os.link(self.local / part, self.local / name)  # unlike a rename, it never replaces
                return (self.local / part).unlink()
            except FileExistsError:
                raise self.occupied(name) from None
            except OSError:  # a filesystem without hard links
                if self.taken(name):
                    raise
        os.replace(self.local / part, self.local / name)

    def write_own(self, name: str, content: bytes, mark: bytes) -> None:
        """Write a file that has a mark in its first bytes, over an older one that has it too. Raises Refused if a file
        without the mark has this name, or it cannot be written."""
        try:
            old = self.read(name) if self.taken(name) else b""
            if old and mark not in old[:1000]:
                raise Refused(f"{self.link(name)} was not written by this tool: move it, or choose another OUT")
            self.write(name, content, digest(old) if old else "")
        except (OSError, BadPicture) as error:
            raise Refused(f"cannot write {self.link(name)}: {error}") from error

    def occupied(self, name: str) -> BadPicture:
        why = "it was changed since it was painted, or is not a result of this picture"
        said = f"{self.link(name)} is there already: {why}. Move it, or choose another OUT"
        return BadPicture("files of yours with the name of a result", said)

    def check_writable(self) -> None:
        """Write a file and delete it. Raises Refused if that cannot be done."""
        name = f"{PARTS}/{os.urandom(16).hex()}.part"
        try:
            self.write(name, b"")
            self.filesystem.delete_file(self.path(name))
        except OSError as error:
            raise Refused(f"{socket.gethostname()} cannot write to {self.shown}: {error}") from error

    def tidy(self, parts: bool = True) -> None:
        """Delete what writes that were cut off have left, and nothing else."""
        try:
            for info in self.filesystem.get_file_info(pyarrow.fs.FileSelector(self.path(PARTS))):
                if parts and info.is_file and re.fullmatch(r"[0-9a-f]{32}\.part", info.base_name):
                    self.filesystem.delete_file(info.path)
            if self.local:
                (self.local / PARTS).rmdir()
        except OSError:
            return  # there is none, or something of someone else's is in it

    def holds(self, other: "Folder") -> bool:
        """Whether the other folder is this one or lies below it, by whatever name."""
        if self.local and other.local:
            there = [at for at in (other.local, *other.local.parents) if at.exists() and self.local.exists()]
            return any(at.samefile(self.local) for at in there)
        return not (self.local or other.local) and self.contains(other, "")

    def contains(self, place: "Folder", name: str) -> bool:
        """Whether a file of another folder lies in this one."""
        if self.local and place.local:
            return _lies_in(place.path(name), self.root)
        same = self.filesystem.type_name == place.filesystem.type_name
        return same and PurePosixPath(place.path(name)).is_relative_to(PurePosixPath(self.root))

    def check_inside(self, name: str) -> str:
        """A name from a table, cleaned. Raises BadPicture if it leads out of this folder, by "..", by an absolute path,
        or by a symbolic link."""
        clean = PurePosixPath(name.replace("\\", "/"))
        if any(ord(sign) < 32 for sign in name):
            raise BadPicture("names that cannot be", f"{name!r} has control characters in it")
        if "://" in name or clean.is_absolute() or ".." in clean.parts or Path(name).is_absolute():
            raise BadPicture("names that lead out of the folder", f"'{name}' leads out of {self.shown}")
        if self.local and not _lies_in(self.path(clean.as_posix()), self.root):
            raise BadPicture("names that lead out of the folder", f"'{name}' is a link that leads out of {self.shown}")
        return clean.as_posix()


def strip_name(result: str) -> str:
    """Where the small pictures of a result lie under OUT."""
    return f"{STRIPS}/{digest(result.encode())}.jpg"


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]


def _size_and_time(path: str) -> str:
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return ""
    return f"{found.st_size}:{found.st_mtime_ns}" if stat.S_ISREG(found.st_mode) else ""


def _lies_in(path: str, folder: str) -> bool:
    """Whether a file really lies in a folder. A folder is looked up once for all of its files."""
    real = os.path.join(_real_folder(os.path.dirname(path)), os.path.basename(path))
    real = os.path.realpath(real) if os.path.islink(real) else real
    return f"{real}/".replace(os.sep, "/").startswith(folder.rstrip("/") + "/")


@functools.lru_cache(4096)
def _real_folder(folder: str) -> str:
    return os.path.realpath(folder)


def _remote(url: str) -> tuple[Any, str]:
    if url.startswith("file:"):
        return pyarrow.fs.LocalFileSystem(), url2pathname(urlsplit(url).path)
    if "::" in url:
        raise Refused(f"{_without_keys(url)}: one filesystem behind another is not supported")
    try:
        try:
            filesystem, root = pyarrow.fs.FileSystem.from_uri(url)
        except pyarrow.ArrowInvalid:  # a scheme that Arrow leaves to fsspec
            import fsspec

            found, root = fsspec.core.url_to_fs(url)
            if isinstance(found, fsspec.implementations.local.LocalFileSystem):
                return pyarrow.fs.LocalFileSystem(), root
            filesystem = pyarrow.fs.PyFileSystem(pyarrow.fs.FSSpecHandler(found))
    except (OSError, ValueError, ImportError, pyarrow.ArrowException) as error:
        raise Refused(f"cannot open {_without_keys(url)}: {str(error).replace(url, _without_keys(url))}") from None
    return filesystem, root.rstrip("/")


def _without_keys(url: str) -> str:
    """s3://KEY:SECRET@bucket/in?endpoint_override=x is s3://bucket/in."""
    if "://" not in url:
        return url
    scheme, mark, rest = url.partition("?")[0].partition("://")
    host, slash, path = rest.partition("/")
    return scheme + mark + host.rpartition("@")[2] + slash + path
