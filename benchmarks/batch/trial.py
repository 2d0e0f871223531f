"""Pictures for a workflow, `python batch` as a process of its own, and what one may do to it meanwhile."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from PIL import Image, ImageDraw

from batch.places import PARTS, STRIPS
from comfyui_host import install
from comfyui_host.install import ROOT

PLUGIN = Path(__file__).with_name("plugin")
DEMO_MODEL = ["--checkpoint", install.DEMO_MODEL.name, "--prompt", "day, green hills", "--set", "7.steps=2"]
"""The shipped workflow with the demo model, as quick as it can be."""


def node(kind: str, title: str = "", **inputs: Any) -> dict[str, Any]:
    return {"class_type": kind, "inputs": inputs, "_meta": {"title": title}}


STOCK = {
    "1": node("LoadImage", image="x.png"), "2": node("ImageInvert", image=["1", 0]),
    "3": node("SaveImage", images=["2", 0], filename_prefix="x"),
}  # fmt: skip
"""A workflow of ComfyUI's own nodes, with neither a mask nor a seed."""
SHIPPED = json.loads((ROOT / "batch" / "inpaint.json").read_text(encoding="utf-8"))
"""What `python batch` takes without a workflow, but with its mask from a file of its own."""
SHIPPED["2"]["inputs"]["ckpt_name"] = install.DEMO_MODEL.name
SHIPPED["12"] = node("LoadImageMask", image="mask.png", channel="red")
SHIPPED["6"]["inputs"]["mask"] = ["12", 0]
HOST, WORKER = "comfyui_host/launch.py", "ray::Worker"
"""How the processes of a ComfyUI and of a Ray actor are told from others."""


def make_picture(path: Path, number: int, side: int = 64, grain: float = 0.0) -> None:
    """A picture that no other number gives.

    Arguments:
        grain: Standard deviation of its noise, in steps of 256; 8 makes the PNG as large as a photograph's.
    """
    image = Image.new("RGB", (side, side), (90, 150, 90 + number % 100))
    draw = ImageDraw.Draw(image)
    draw.rectangle([0, 0, side, side // 3], fill=(120, 170, 230))
    draw.ellipse([number % side, 5, number % side + 9, 14], fill=(250, 240, number * 7 % 256))
    if grain:
        noise = np.random.default_rng(number).normal(0.0, grain, (side, side, 3))
        image = Image.fromarray((np.asarray(image) + noise).clip(0, 255).astype(np.uint8))
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)


def make_mask(path: Path, number: int, side: int = 64) -> None:
    mask = Image.new("L", (side, side), 0)
    ImageDraw.Draw(mask).rectangle([10, 15 + number % 20, 40, 45], fill=255)
    path.parent.mkdir(parents=True, exist_ok=True)
    mask.save(path)


def make_pictures(folder: Path, count: int, side: int = 64, grain: float = 0.0) -> None:
    """Pictures in folders of fifty, each with its mask beside it."""
    for number in range(count):
        stem = folder / f"{number // 50}" / f"picture {number:04}"
        make_picture(stem.with_suffix(".png"), number, side, grain)
        make_mask(stem.with_name(f"{stem.name}_mask.png"), number, side)


class Trial:
    """`python batch` with these arguments, under way.

    Attributes:
        process: its own.
    """

    def __init__(self, *arguments: object, cwd: Path | None = None, environment: dict[str, str] | None = None) -> None:
        self._output, host = tempfile.TemporaryFile(), install.find_host()
        own = {"OMP_NUM_THREADS": "1", "COMFYUI_PATH": str(host.tree), "COMFYUI_PYTHON": str(host.python)}
        own["RAY_worker_niceness"] = "0"  # Ray lets all else on a busy machine go first
        command = [sys.executable, str(ROOT / "batch"), *map(str, arguments)]
        self.process = psutil.Popen(
            command, stdout=self._output, stderr=subprocess.STDOUT, env=os.environ | own | (environment or {}), cwd=cwd,
            start_new_session=True,
        )  # fmt: skip
        self._seen: dict[int, psutil.Process] = {}

    def ended(self) -> bool:
        return self.process.poll() is not None

    def output(self) -> str:
        self._output.seek(0)
        return self._output.read().decode(errors="replace")

    def descendants(self) -> list[psutil.Process]:
        """Every process that it has started, directly or not, and that still runs."""
        try:
            found = self.process.children(recursive=True)
        except psutil.NoSuchProcess:
            found = []
        self._seen |= {process.pid: process for process in found}
        return found

    def processes(self, kind: str) -> list[psutil.Process]:
        """Those whose command line has `kind` in it."""
        return [process for process in self.descendants() if kind in _command_line(process)]

    def interrupt(self) -> None:
        """Ctrl-C, as a terminal sends it: to every process of the group."""
        self.descendants()
        os.killpg(self.process.pid, signal.SIGINT)

    def end(self, seconds: float = 900) -> int:
        """Wait for its end and return its exit code."""
        deadline = time.monotonic() + seconds
        while not self.ended():
            if time.monotonic() > deadline:
                self.kill()
                raise TimeoutError(f"it did not end within {seconds} s:\n{self.output()}")
            self.descendants()
            time.sleep(0.25)
        return int(self.process.returncode)

    def kill(self) -> None:
        """End it, if it runs, and leave it no time for anything."""
        if not self.ended():
            self.process.kill()
            self.process.wait()

    def left_over(self, seconds: float = 10) -> list[str]:
        """What of all that it started still runs some seconds after its end."""
        alive = psutil.wait_procs(self._seen.values(), seconds)[1]
        return [line for line in map(_command_line, alive) if line]


def run(*arguments: object, **more: Any) -> tuple[int, str]:
    """`python batch` from its start to its end: exit code and output. What it leaves running is an error."""
    trial = Trial(*arguments, **more)
    code = trial.end()
    if left := trial.left_over():
        raise AssertionError(f"it left processes behind: {left}")
    return code, trial.output()


def kill(processes: Iterable[psutil.Process]) -> int:
    """kill -9 the first of them that still runs; 0 if there is none."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()
            return int(process.pid)
    return 0


def digests(out: Path) -> dict[str, str]:
    """Each result's hash, by its name below OUT."""
    found = [path for path in out.rglob("*.png") if path.relative_to(out).parts[0] not in (PARTS, STRIPS)]
    return {path.relative_to(out).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


def lines(out: Path) -> list[dict[str, Any]]:
    """The manifest, as far as it is written."""
    path = out / "manifest.jsonl"
    return [json.loads(line) for line in path.read_text("utf-8").split("\n")[:-1]] if path.exists() else []


def _command_line(process: psutil.Process) -> str:
    """Empty of a process that has ended."""
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""
