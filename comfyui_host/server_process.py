"""The host as a server process, with this pack and the demo model, in a folder that is deleted afterwards."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from .install import ROOT, HostFiles

NOT_THE_PACK = (".*", "__pycache__", "batch", "comfyui_host", "demo", "demo_model", "tests", "benchmarks")
START_SECONDS = 240.0
PACK = "latent-repaint"  # its folder in custom_nodes, if nobody wants another


class HostError(Exception):
    """The host cannot start, or ended before it should; the message says why."""


@dataclass
class Server:
    """A running host.

    Attributes:
        address: "http://127.0.0.1:8188".
        base: Its folder of models, inputs, outputs and settings.
        process: The process, for whoever wants to know whether it still lives; what stands here at the end is ended.
    """

    address: str
    base: Path
    process: subprocess.Popen[bytes]

    def log(self) -> str:
        """All that the host has printed."""
        return (self.base / "server.log").read_text(encoding="utf-8", errors="replace")

    def tail(self) -> str:
        """The end of it, for a message about a host that died."""
        text = self.log()
        full = "    the disk is full: free some space and try again\n" if "No space left" in text else ""
        return full + "\n".join("    " + line for line in text.splitlines()[-15:])


@contextmanager
def serve(
    host: HostFiles,
    port: int | None = None,
    pack_name: str = PACK,
    previews: bool = False,
    plugin: Path | None = None,
    arguments: Sequence[str] = (),
) -> Iterator[Server]:
    """Start a host, wait until it answers, and end it with all its children on leaving.

    Arguments:
        host: Which ComfyUI, and which Python.
        port: Its port; None takes a free one.
        pack_name: The pack's folder in custom_nodes; any name works.
        previews: Whether the picture is shown while it is sampled, which takes a little time at every evaluation.
        plugin: A folder of nodes to load beside the pack.
        arguments: More of the host's own, such as "--lowvram".

    Raises:
        HostError: If the port is taken, the disk is full, or the host ends before it answers.
    """
    port = _free_port(port)
    with tempfile.TemporaryDirectory(prefix="latent-repaint-", ignore_cleanup_errors=True) as folder:
        base = Path(folder)
        try:
            _furnish(base, pack_name)
            if plugin:
                shutil.copytree(plugin, base / "custom_nodes" / plugin.name)
        except OSError as error:
            raise HostError(f"cannot prepare a folder for the host: {error}; is the disk full?") from error
        command = [
            *(str(host.python), "-m", "comfyui_host.launch", str(host.tree), "--port", str(port)),
            *("--base-directory", str(base), "--database-url", f"sqlite:///{(base / 'comfyui.db').as_posix()}"),
            *("--disable-api-nodes", "--disable-auto-launch"),
            *("--preview-method", "latent2rgb" if previews else "none"),
            *arguments,
        ]
        # The demo model is too small to gain from more threads; beside other work, every operation waits for them.
        environment = {"OMP_NUM_THREADS": "1", **os.environ, "PYTHONUNBUFFERED": "1"}
        with (base / "server.log").open("wb") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
                cwd=ROOT,  # where Python finds the launcher's package
                start_new_session=True,
            )
        server = Server(f"http://127.0.0.1:{port}", base, process)
        try:
            _wait_until_ready(server)
            yield server
        finally:
            _end_tree(server.process)


def _free_port(port: int | None) -> int:
    """The port itself if nothing listens there; for None, one that the system chooses."""
    with socket.socket() as probe:
        if os.name == "posix":  # else a port whose last user left a minute ago counts as taken
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port or 0))
        except OSError as error:
            raise HostError(f"port {port} is taken, perhaps by another ComfyUI: choose another one") from error
        return int(probe.getsockname()[1])


def _furnish(base: Path, pack_name: str) -> None:
    """Put the pack, the plug-in that knows the demo model's size, and the demo model where the host looks for them."""
    nodes, models = base / "custom_nodes", base / "models" / "checkpoints"
    shutil.copytree(ROOT, nodes / pack_name, ignore=shutil.ignore_patterns(*NOT_THE_PACK))
    shutil.copytree(ROOT / "demo_model" / "plugin", nodes / "latent-repaint-demo-model")
    shutil.copytree(ROOT / "demo_model" / "weights", models)


def _wait_until_ready(server: Server) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if server.process.poll() is not None:
            raise HostError(f"the host ended while it started:\n{server.tail()}")
        try:
            with urllib.request.urlopen(f"{server.address}/system_stats", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise HostError(f"the host did not answer within {START_SECONDS:.0f} seconds:\n{server.tail()}")


def _end_tree(process: subprocess.Popen[bytes]) -> None:
    """End a process and all that it started."""
    try:
        tree = psutil.Process(process.pid)
        members = [*tree.children(recursive=True), tree]
    except psutil.NoSuchProcess:
        members = []
    for member in members:
        try:
            member.kill()
        except psutil.NoSuchProcess:
            continue
    process.wait()
    if process.stdin:
        process.stdin.close()
