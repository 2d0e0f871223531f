"""The ComfyUI of one worker: one that already runs, or one that is started here and ends with the worker."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import IO

from .comfyui_api import FOLDER, Client
from .errors import HostFailed, HostGone, Refused

START_SECONDS = 300.0


class RunningHost:
    """A host of someone's own, by its address. It is neither started nor ended here."""

    def __init__(self, address: str):
        self.client = Client(address)

    def start(self) -> None:
        """Find out whether it answers."""
        self.client.version()

    def forget(self, uploads: Iterable[str], results: Iterable[dict[str, str]]) -> None:
        """Its files are its owner's; its API cannot delete them either."""

    def stop(self) -> None:
        self.client.close()


class OwnHost:
    """A host that is started here, on a free port of this machine, with folders that are deleted afterwards.

    Arguments:
        comfyui: The folder of a ComfyUI, with its models and node packs.
        references: Names among its inputs that the workflow loads by itself.
    """

    def __init__(self, comfyui: Path, references: Iterable[str] = ()):
        self.comfyui, self.references = comfyui, list(references)
        self.client: Client
        self._base = Path()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, unless it runs, and wait until it answers.

        Raises:
            HostGone: If it ends before; the message has the end of what it printed.
        """
        if self._answers():
            return
        self.stop()
        self._base = Path(tempfile.mkdtemp(prefix="batch-"))
        port = _free_port()
        self.client = Client(f"http://127.0.0.1:{port}")
        with (self._base / "host.log").open("wb") as log:
            self._process = self._spawn(port, log)
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise HostGone(f"the host ended while it started:\n{self.tail()}")
            try:
                self.client.version()
                return
            except (HostGone, HostFailed):
                time.sleep(0.2)
        raise HostGone(f"the host did not answer within {START_SECONDS:.0f} seconds:\n{self.tail()}")

    def forget(self, uploads: Iterable[str], results: Iterable[dict[str, str]]) -> None:
        """Delete the files of a picture that is done: a million of them would fill the disk."""
        folders = self._files()
        paths = [folders / "input" / FOLDER / name for name in uploads]
        paths += [folders / file["type"] / file["subfolder"] / file["filename"] for file in results]
        for path in paths:
            path.unlink(missing_ok=True)

    def tail(self) -> str:
        """The last lines that it printed."""
        log = self._base / "host.log"
        text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
        return "\n".join("    " + line for line in text.splitlines()[-15:])

    def stop(self) -> None:
        """End it and delete its folder."""
        if self._process and self._process.stdin:
            self._process.stdin.close()
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
            self.client.close()
            shutil.rmtree(self._base, ignore_errors=True)

    def _answers(self) -> bool:
        """Whether it runs. Its process alone does not tell: what starts it may outlive it for a moment."""
        if self._process is None or self._process.poll() is not None:
            return False
        try:
            self.client.version()
            return True
        except (HostGone, HostFailed):
            return False

    def _files(self) -> Path:
        return self._base

    def _spawn(self, port: int, log: IO[bytes]) -> subprocess.Popen[bytes]:
        base = self._files()
        for folder in ("input", "output", "temp", "user"):
            (base / folder).mkdir()
        for name in self.references:
            source = self.comfyui / "input" / name
            if source.is_file() and source.resolve().is_relative_to((self.comfyui / "input").resolve()):
                (base / "input" / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(source, base / "input" / name)
        folders = [part for kind in ("input", "output", "user") for part in (f"--{kind}-directory", str(base / kind))]
        return subprocess.Popen(
            [
                *(str(python_of(self.comfyui)), str(Path(__file__).with_name("launch_comfyui.py"))),
                *(str(self.comfyui / "main.py"), str(base), "--port", str(port), *folders),
                *("--temp-directory", str(base), "--database-url", f"sqlite:///{(base / 'comfyui.db').as_posix()}"),
                *("--disable-auto-launch", "--preview-method", "none"),
            ],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=self.comfyui,
            start_new_session=True,  # so that Ctrl-C lets it finish what it is at
        )


class EmbeddedHost(OwnHost):
    """The ComfyUI that `comfyui_host/` installs by pip, with this pack and the demo model.

    Arguments:
        repository: The folder that has comfyui_host/.
    """

    def _files(self) -> Path:
        return self._furnished

    def _spawn(self, port: int, log: IO[bytes]) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, str(self.comfyui / "comfyui_host"), "--port", str(port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
        )
        for line in process.stdout or ():
            if line.startswith(b"{"):  # what comes before is about its installation
                self._furnished = Path(json.loads(line)["base"])
                # It deletes that folder itself. Were this worker killed, nobody would delete the one with the log.
                shutil.rmtree(self._base, ignore_errors=True)
                break
        return process


def python_of(comfyui: Path) -> Path:
    """The Python that a ComfyUI runs under: COMFYUI_PYTHON, or the one that is installed in or beside its folder.

    Raises:
        Refused: If there is none.
    """
    named = os.environ.get("COMFYUI_PYTHON")
    places = [Path(named)] if named else []
    for venv in (".venv", "venv"):
        places += [comfyui / venv / "bin/python", comfyui / venv / "Scripts/python.exe"]
    places += [comfyui.parent / "python_embeded" / "python.exe"]  # the portable build spells it so
    found = [path for path in places if path.is_file()]
    if not found:
        raise Refused(f"no Python of {comfyui} was found: set COMFYUI_PYTHON to the one that runs it")
    return found[0]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
