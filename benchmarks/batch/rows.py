"""A dry run over a table of very many rows: how long, and how much memory the command itself takes."""

from __future__ import annotations

import os
import time
from pathlib import Path

import psutil

from .trial import DEMO_MODEL, Trial, make_mask, make_picture

COUNTS = (1_000, 10_000, 100_000, 1_000_000)
LINKS = 50_000  # of one file; filesystems allow some 65,000
A_FOLDER = 1000
SECONDS_BETWEEN_LOOKS = 0.5
MIB = 2**20


def measure(folder: Path, repository: Path, count: int | None) -> None:
    """Print time and peak memory at several lengths of the table."""
    print("| rows | seconds | peak memory, python batch | peak memory, largest process of Ray |")
    print("|---|---|---|---|")
    for rows in [count] if count else COUNTS:
        _measure(folder / str(rows), repository, rows)


def _measure(folder: Path, repository: Path, count: int) -> None:
    table = _many(folder / "pictures", count)
    started = time.monotonic()
    trial = Trial(table, folder / "out", *DEMO_MODEL, "--dry-run", repository=repository)
    command = others = 0
    while not trial.ended():
        command = max(command, _resident(psutil.Process(trial.pid)))
        others = max([others, *map(_resident, trial.descendants())])
        time.sleep(SECONDS_BETWEEN_LOOKS)
    seconds = time.monotonic() - started
    if f"{count} pictures: {count} to do" not in trial.output():
        raise SystemExit(trial.output()[-2000:])
    sizes = " | ".join(f"{size / MIB:.0f} MiB" for size in (command, others))
    print(f"| {count:,} | {seconds:.0f} | {sizes} |")


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
