"""How every benchmark shows what it measured: tables in Markdown, and contact sheets."""

from __future__ import annotations

import os
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor
from torch.nn import functional

RESULTS = Path(__file__).resolve().parent / "results"
OUT = Path(__file__).resolve().parent / "out"  # what is looked at and not kept


@dataclass(frozen=True)
class Table:
    """Rows under a heading, in Markdown; floats are shown with three digits.

    Attributes:
        level: of the heading; with an empty title there is none.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str | float]]
    note: str = ""
    level: int = 1

    @property
    def text(self) -> str:
        header, *rows = ["| " + " | ".join(map(shown, line)) + " |" for line in (self.columns, *self.rows)]
        heading = ["#" * self.level + " " + self.title, ""] if self.title else []
        note = [self.note, ""] if self.note else []
        return "\n".join([*heading, header, "|---" * len(self.columns) + "|", *rows, "", *note])

    @property
    def html(self) -> str:
        lines = [("th", self.columns), *(("td", row) for row in self.rows)]
        cells = ["".join(f"<{tag}>{escape(shown(cell))}</{tag}>" for cell in line) for tag, line in lines]
        body = "".join(f"<tr>{line}</tr>" for line in cells)
        return f"<h{self.level}>{escape(self.title)}</h{self.level}><table>{body}</table><p>{escape(self.note)}</p>"


def shown(cell: str | float) -> str:
    return f"{cell:.3g}" if isinstance(cell, float) else str(cell)


def mean_and_error(values: Sequence[float]) -> tuple[float, float]:
    """The mean and its standard error; of one value the error is 0."""
    error = statistics.stdev(values) / len(values) ** 0.5 if len(values) > 1 else 0.0
    return statistics.fmean(values), error


def with_error(values: Sequence[float]) -> str:
    mean, error = mean_and_error(values)
    return f"{mean:.2f} ± {error:.2f}" if len(values) > 1 else f"{mean:.2f}"


def chosen(text: str, every: Sequence[str]) -> list[str]:
    """Those of `every` that are named, comma by comma: whole, else by their first word.

    Raises:
        SystemExit: if a name is none of them.
    """
    found: list[str] = []
    for name in text.split(","):
        these = [name] if name in every else [one for one in every if one.startswith(f"{name} ")]
        if not these:
            raise SystemExit(f"found {name}, wanted some of {', '.join(every)}")
        found += [one for one in these if one not in found]
    return found


def write(path: Path, content: str | bytes) -> None:
    """Write a file so that whoever looks, and whatever stops this program, there is the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(content.encode() if isinstance(content, str) else content)
    os.replace(part, path)


def to_image(picture: Tensor) -> Image.Image:
    """A picture (H, W, 3) in [0, 1] as 8 bits a channel."""
    return Image.fromarray((picture.clamp(0, 1) * 255).round().to(torch.uint8).cpu().numpy())


def contact_sheet(rows: dict[str, Sequence[Tensor]], side: int) -> Image.Image:
    """A row of pictures a name, each (H, W, 3), all of one shape; `side` is the most that they may be wide or high."""
    left, gap = 150, 4
    height, width = next(iter(rows.values()))[0].shape[:2]
    scale = min(1.0, side / max(height, width))
    height, width = round(height * scale), round(width * scale)
    size = (left + max(map(len, rows.values())) * (width + gap), len(rows) * (height + gap))
    sheet = Image.new("RGB", size, "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(15)
    for i, (name, pictures) in enumerate(rows.items()):
        draw.text((8, i * (height + gap) + height // 2), name, "black", font, anchor="lm")
        for j, picture in enumerate(pictures):
            if scale < 1:
                small = functional.interpolate(picture.movedim(-1, 0)[None], (height, width), mode="area")
                picture = small[0].movedim(0, -1)
            sheet.paste(to_image(picture), (left + j * (width + gap), i * (height + gap)))
    return sheet
