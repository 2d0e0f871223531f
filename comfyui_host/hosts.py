"""A ComfyUI for another program: one that runs already, or one that is started here and ends with that program."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from .client import Client, HostFailed, HostGone
from .prompt import Prompt

FOLDER = Path(__file__).resolve().parent


class RunningHost:
    """A host of someone's own, by its address. It is neither started nor ended here, and its files are its owner's."""

    def __init__(self, address: str):
        self.client = Client(address)

    def start(self, prompt: Prompt) -> None:
        """Find out whether it answers."""
        self.client.version()

    def forget(self, uploads: Iterable[str], results: Iterable[dict[str, str]]) -> None:
        """Its API could not delete them either."""

    def stop(self) -> None:
        """It goes on."""


class StartedHost:
    """A host as a process, with folders that are deleted afterwards; it ends with this process, however that ends.

    Arguments:
        comfyui: The folder of a ComfyUI, with its models and node packs; empty for the embedded one.
        folder: The folder comfyui_host/ of the repository that has the embedded one.
    """

    def __init__(self, comfyui: str = "", folder: Path = FOLDER):
        self.comfyui, self.folder = comfyui, FOLDER if comfyui else folder
        self.client: Client
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, prompt: Prompt) -> None:
        """Start it, unless it runs, wait until it answers, and give it those of its inputs that a prompt loads.

        Raises:
            HostGone: If it ends before; the message has the end of what it printed.
        """
        if self._answers():
            return
        self.stop()
        own = ["--own", self.comfyui] if self.comfyui else []
        said = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            [sys.executable, str(self.folder), *own], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said,
            start_new_session=True,  # so that Ctrl-C lets it finish what it is at
        )  # fmt: skip
        for line in self._process.stdout or ():
            if line.startswith(b"{"):  # what comes before is about its installation
                found = json.loads(line)
                self.client, self.base = Client(found["address"]), Path(found["base"]).resolve()
                self._copy_inputs(prompt)
                return
        said.seek(0)
        raise HostGone(said.read().decode(errors="replace").strip()[-3000:])

    def forget(self, uploads: Iterable[str], results: Iterable[dict[str, str]]) -> None:
        """Delete files of the host's that are done with: a million of them would fill the disk.

        Arguments:
            uploads: Names among its inputs.
            results: Files as its answers name them.
        """
        paths = [self.base / "input" / name for name in uploads]
        paths += [self.base / file["type"] / file["subfolder"] / file["filename"] for file in results]
        for path in paths:
            if path.resolve().is_relative_to(self.base) and path.is_file():  # an answer may name any file
                path.unlink(missing_ok=True)

    def stop(self) -> None:
        """End it; it deletes its folder."""
        if self._process and self._process.stdin:
            self._process.stdin.close()
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._process = None

    def _answers(self) -> bool:
        """Whether it runs. Its process alone does not tell: what starts it may outlive it for a moment."""
        try:
            return self._process is not None and self._process.poll() is None and bool(self.client.version())
        except (HostGone, HostFailed):
            return False

    def _copy_inputs(self, prompt: Prompt) -> None:
        there, here = (Path(self.comfyui) / "input").resolve(), self.base / "input"
        for node in prompt.values():
            name = node["inputs"].get("image")
            if self.comfyui and isinstance(name, str):
                source, target = (there / name).resolve(), (here / name).resolve()
                if source.is_relative_to(there) and target.is_relative_to(here) and source.is_file():
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(source, target)
