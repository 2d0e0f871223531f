"""A dry run over a table of very many rows: how long, and how much memory the command itself takes."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

import psutil

from .trial import DEMO_MODEL, Trial, make_mask, make_picture

COUNTS = (1_000, 10_000, 100_000, 1_000_000)
LINKS, A_FOLDER = 50_000, 1000  # of one file: filesystems allow some 65,000 links
MIB = 2**20


def measure(folder: Path, count: int | None) -> None:
    """Print time and peak memory at several lengths of the table."""
    print("| rows | seconds | peak memory |\n|---|---|---|")
    for rows in [count] if count else COUNTS:
        table = _table(folder / str(rows), rows)
        started = time.monotonic()
        trial = Trial(table, folder / f"out {rows}", *DEMO_MODEL, "--dry-run")
        most = 0
        while not trial.ended():
            with suppress(psutil.Error):  # it has just ended
                most = max(most, trial.process.memory_info().rss)
            time.sleep(0.5)
        if f"{rows} pictures: {rows} to do" not in trial.output():
            raise SystemExit(trial.output()[-2000:])
        print(f"| {rows:,} | {time.monotonic() - started:.0f} | {most / MIB:.0f} MiB |", flush=True)


def _table(folder: Path, count: int) -> Path:
    """A table, and hard links in place of as many pictures."""
    lines = ["image,mask,prompt\n"]
    for number in range(count):
        if number % LINKS == 0:
            image, mask = folder / f"image {number}.png", folder / f"mask {number}.png"
            make_picture(image, number)
            make_mask(mask, number)
        below = folder / f"{number // A_FOLDER:04}"
        below.mkdir(exist_ok=True)
        os.link(image, below / f"{number:07}.png")
        lines.append(f'{below.name}/{number:07}.png,{mask.name},"a house, number {number}"\n')
    (folder / "table.csv").write_text("".join(lines))
    return folder / "table.csv"
