"""A dry run over a table of very many rows: how long, and how much memory the command itself takes."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import psutil

from .trial import DEMO_MODEL, Trial, make_mask, make_picture

COUNT = 1_000_000
LINKS = 50_000  # of one file; filesystems allow some 65,000
A_FOLDER = 1000
MINUTE = 60.0


def measure(folder: Path, count: int | None) -> None:
    """Print time and peak memory."""
    count = count or COUNT
    table = _many(folder / "pictures", count)
    say(f"{count} rows, {table.stat().st_size / 1e6:.0f} MB of table")
    started = told = time.monotonic()
    (folder / "tmp").mkdir()
    environment = {"TMPDIR": str(folder / "tmp")}
    trial = Trial(table, folder / "out", *DEMO_MODEL, "--dry-run", environment=environment, quiet=True)
    peaks = {"python batch": 0, "largest other process": 0}
    while not trial.ended():
        now = _resident(psutil.Process(trial.pid))
        peaks["python batch"] = max(peaks["python batch"], now)
        others = [_resident(process) for process in trial.descendants()]
        peaks["largest other process"] = max([peaks["largest other process"], *others])
        if time.monotonic() - told > MINUTE:
            told = time.monotonic()
            plan = sum(path.stat().st_size for path in (folder / "tmp").glob("batch-plan-*/plan.sqlite"))
            say(f"after {told - started:.0f} s: {now / 2**20:.0f} MiB, the plan on disk {plan / 2**20:.0f} MiB")
        time.sleep(2)
    say(f"exit code {trial.end()}, {time.monotonic() - started:.0f} s")
    for name, peak in peaks.items():
        say(f"peak resident memory, {name}: {peak / 2**20:.0f} MiB")


def _many(folder: Path, count: int) -> Path:
    """A table, and hard links in place of as many pictures and masks."""
    table = folder / "table.csv"
    folder.mkdir(parents=True)
    with table.open("w", encoding="utf-8") as file:
        file.write("image,mask,prompt\n")
        for number in range(count):
            if number % LINKS == 0:
                image, mask = folder / f"image {number}.png", folder / f"mask {number}.png"
                make_picture(image, number)
                make_mask(mask, number)
            if number % A_FOLDER == 0:
                below = folder / f"{number // A_FOLDER:04}"
                below.mkdir()
            os.link(image, below / f"{number:07}.png")
            file.write(f'{below.name}/{number:07}.png,{mask.name},"a house, number {number}"\n')
    return table


def _resident(process: psutil.Process) -> int:
    try:
        return process.memory_info().rss
    except psutil.Error:
        return 0


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
