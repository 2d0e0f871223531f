"""The host as a server process, in a folder that is deleted afterwards: `serve` has this pack and the demo model,
`serve_own` a ComfyUI of someone's own with its models and node packs."""

from __future__ import annotations

import os
import shutil
import signal
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

from .install import DEMO_MODEL, ROOT, HostFiles

NOT_THE_PACK = (".*", "__pycache__", "batch", "comfyui_host", "demo", "demo_model", "tests", "benchmarks")
LAUNCHER = Path(__file__).with_name("launch.py")
START_SECONDS = 300.0
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
    with _folder() as base:
        try:
            _furnish(base, pack_name)
            if plugin:
                shutil.copytree(plugin, base / "custom_nodes" / plugin.name)
        except OSError as error:
            raise HostError(f"cannot prepare a folder for the host: {error}; is the disk full?") from error
        preview = "latent2rgb" if previews else "none"
        options = ["--base-directory", str(base), "--disable-api-nodes", "--preview-method", preview, *arguments]
        with _running(host, port, base, options) as server:
            yield server


@contextmanager
def serve_own(host: HostFiles, port: int | None = None) -> Iterator[Server]:
    """The same for a ComfyUI with the models and node packs in its own folder; only what it is sent, what it makes and
    its settings lie in a folder that is deleted afterwards."""
    with _folder() as base:
        options = ["--preview-method", "none", "--temp-directory", str(base)]
        for kind in ("input", "output", "temp", "user"):
            (base / kind).mkdir()
            options += [f"--{kind}-directory", str(base / kind)] if kind != "temp" else []
        with _running(host, port, base, options) as server:
            yield server


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="latent-repaint-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@contextmanager
def _running(host: HostFiles, port: int | None, base: Path, options: Sequence[str]) -> Iterator[Server]:
    port = _free_port(port)
    command = [
        *(str(host.python), str(LAUNCHER), str(base), str(host.tree / "main.py"), "--port", str(port)),
        *("--database-url", f"sqlite:///{(base / 'comfyui.db').as_posix()}", "--disable-auto-launch", *options),
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
            cwd=host.tree,
            start_new_session=True,  # so that Ctrl-C lets it finish what it is at
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
    models.mkdir(parents=True)
    shutil.copy(DEMO_MODEL, models)


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
    """End a process and all that it started: it leads a group of its own, and on Windows ends by its input's end."""
    if os.name == "posix":
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    if process.stdin:
        process.stdin.close()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
