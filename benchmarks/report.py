"""How every benchmark shows what it measured: tables, line plots, contact sheets, and cells that survive a stop."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor
from torch.nn import functional

RESULTS = Path(__file__).resolve().parent / "results"
OUT = Path(__file__).resolve().parent / "out"  # what is looked at and not kept
COLOURS = {
    "host": "#7f7f7f",
    "blend fixed": "#c9a227",
    "blend fresh": "#e377c2",
    "blend predicted": "#17a2a2",
    "repaint": "#ff7f0e",
    "langevin": "#9467bd",
    "match": "#d62728",
}


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

    @classmethod
    def of(cls, title: str, records: Sequence[dict[str, str | float]], note: str = "", level: int = 1) -> Table:
        """A table of records, each with all columns by name."""
        return cls(title, list(records[0]), [list(record.values()) for record in records], note, level)

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


def chosen(text: str, every: Sequence[str]) -> list[str]:
    """Those of `every` that are named, comma by comma: whole, by their first word, or as a range of numbers, a-b.

    Raises:
        SystemExit: if a name is none of them.
    """
    found: list[str] = []
    for name in text.split(","):
        low, dash, high = name.partition("-")
        numbers = [str(k) for k in range(int(low), int(high) + 1)] if dash and (low + high).isdigit() else []
        these = [one for one in every if one in (name, *numbers) or one.startswith(f"{name} ")]
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


class Cells:
    """Measured numbers by name in one JSON file; what is in it is not measured again.

    Arguments:
        path: None keeps nothing.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.found: dict[str, Any] = json.loads(path.read_text()) if path and path.exists() else {}

    def measured(self, name: str, measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        if name not in self.found:
            self.found[name] = {k: round(v, 5) if isinstance(v, float) else v for k, v in measure().items()}
            if self.path:
                lines = ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in sorted(self.found.items()))
                write(self.path, "{\n" + lines + "\n}\n")
        return self.found[name]


class Point(NamedTuple):
    """A value, and the range that it was seen in."""

    x: float
    y: float
    low: float
    high: float


class Panel:
    """Lines of points by name over a logarithmic axis, in a frame of WIDTH x HEIGHT pixels.

    Arguments:
        ticks: of the horizontal axis.
        logarithmic: whether the vertical axis is, too; else it starts at 0.
    """

    WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 520, 400, 62, 34, 20, 40

    def __init__(
        self, title: str, lines: dict[str, list[Point]], ticks: Sequence[float], logarithmic: bool = False
    ) -> None:
        self.title, self.lines, self.ticks, self.logarithmic = title, lines, ticks, logarithmic
        heights = [point.y for line in lines.values() for point in line]
        self.bottom, self.top = 0.0, max(heights)
        if logarithmic:
            self.bottom = max(-4, math.floor(math.log10(max(1e-4, min(heights)))))
            self.top = math.ceil(math.log10(max(heights)))

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Where a point is drawn, from the panel's corner."""
        first, last = self.ticks[0] * 0.95, self.ticks[-1] * 1.05
        height = max(self.bottom, math.log10(max(y, 1e-9))) if self.logarithmic else y
        u = math.log(x / first) / math.log(last / first)
        v = (self.top - height) / (self.top - self.bottom)
        return self.LEFT + u * (self.WIDTH - self.LEFT - self.RIGHT), self.TOP + v * (
            self.HEIGHT - self.TOP - self.BOTTOM
        )

    def drawn(self, colours: dict[str, str], font: Any) -> Image.Image:
        picture = Image.new("RGB", (self.WIDTH, self.HEIGHT), "white")
        draw = ImageDraw.Draw(picture)
        draw.text((self.LEFT, 8), self.title, "black", font)
        if self.logarithmic:
            heights = [10.0**exponent for exponent in range(round(self.bottom), round(self.top) + 1)]
        else:
            heights = [self.top * k / 4 for k in range(5)]
        for y in heights:
            start, end = self.at(self.ticks[0], y), self.at(self.ticks[-1], y)
            draw.line([start, end], "#dddddd")
            draw.text((start[0] - 6, start[1]), f"{y:.3g}", "black", font, anchor="rm")
        for x in self.ticks:
            foot = self.at(x, heights[0])
            draw.line([self.at(x, heights[-1]), foot], "#eeeeee")
            draw.text((foot[0], foot[1] + 6), f"{x:g}", "black", font, anchor="mt")
        for name, line in self.lines.items():
            for point in line:
                draw.line([self.at(point.x, point.low), self.at(point.x, point.high)], colours[name], 2)
                x, y = self.at(point.x, point.y)
                draw.ellipse([x - 4, y - 4, x + 4, y + 4], colours[name])
            draw.line([self.at(point.x, point.y) for point in line], colours[name], 3)
        return picture


def plot(panels: Sequence[Panel], colours: dict[str, str], caption: str, path: Path) -> None:
    """Draw the panels three in a row, with a legend below them."""
    font = ImageFont.load_default(15)
    columns, rows = min(3, len(panels)), -(-len(panels) // 3)
    picture = Image.new("RGB", (columns * Panel.WIDTH, rows * Panel.HEIGHT + 40), "white")
    for i, panel in enumerate(panels):
        picture.paste(panel.drawn(colours, font), (i % 3 * Panel.WIDTH, i // 3 * Panel.HEIGHT))
    draw, x, y = ImageDraw.Draw(picture), 20, rows * Panel.HEIGHT + 20
    draw.text((x, y), caption, "black", font, anchor="lm")
    x += 20 + int(draw.textlength(caption, font))
    for name, colour in colours.items():
        draw.line([(x, y), (x + 24, y)], colour, 4)
        draw.text((x + 30, y), name, "black", font, anchor="lm")
        x += 50 + int(draw.textlength(name, font))
    picture.save(path, optimize=True)


def to_image(picture: Tensor) -> Image.Image:
    """A picture (H, W, 3) in [0, 1] as 8 bits a channel."""
    return Image.fromarray((picture.clamp(0, 1) * 255).round().to(torch.uint8).cpu().numpy())


def contact_sheet(rows: dict[str, Sequence[Tensor]], side: int | None = None) -> Image.Image:
    """A row of pictures a name, each (H, W, 3), all of one shape; `side` is the most that they may be wide or high."""
    left, gap = 150, 4
    first = next(iter(rows.values()))
    height, width = first[0].shape[:2]
    scale = min(1.0, side / max(height, width)) if side else 1.0
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
