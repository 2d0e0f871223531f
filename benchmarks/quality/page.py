"""What the cells come to: a table, a contact sheet, and one page that holds everything and fetches nothing."""

from __future__ import annotations

import base64
import html
import io
import json
import random
import statistics
from pathlib import Path
from string import Template
from typing import Any

from PIL import Image
from torch import Tensor

from ..report import Table, contact_sheet, to_image, with_error, write
from .cells import KeptFigures, cell_of
from .scenes import Scenes

SHOWN, SIDE, PAIRS = 8, 256, 32
HERE = Path(__file__).resolve().parent
READING = "How to read this: docs/measure.md.\n"


class ResultsPage:
    """The results of a run, whole or not.

    Arguments:
        title, machine: plain text.
        methods: in the order of the rows.
    """

    def __init__(
        self, title: str, machine: str, kept: KeptFigures, scenes: list[Scenes], methods: list[str],
        cfgs: list[float],
    ) -> None:  # fmt: skip
        self.title, self.machine, self.kept, self.scenes = title, machine, kept, scenes
        self.methods, self.cfgs = methods, cfgs
        cells = [cell_of(scene, method, cfg) for scene in scenes for method in methods for cfg in cfgs]
        self.wanted = len(cells)
        self.found = {cell: figures for cell in cells if (figures := kept.kept(cell)) is not None}

    def notes(self) -> list[str]:
        notes = list(self.kept.checkpoint.notes)
        if missing := self.wanted - len(self.found):
            notes.append(f"{missing} of {self.wanted} cells are not measured; the same command goes on with them.")
        notes += [f"Left out for want of memory: {reason}. Try a smaller --size, or close other programs."
                  for reason in sorted(set(self.kept.failures.values()))]  # fmt: skip
        return notes

    def table(self) -> Table:
        rows = []
        for cfg in self.cfgs:
            for method in self.methods:
                cells = [one for cell, one in self.found.items() if cell[2:] == (method, cfg)]
                if not cells:
                    continue
                vram = [cell["vram"] for cell in cells if cell["vram"]]
                rows.append([
                    f"{cfg:g}", method, str(len(cells)), f"{statistics.fmean(cell['passes'] for cell in cells):.0f}",
                    *(with_error([cell[name] for cell in cells]) for name in ("seam", "loss", "kept")),
                    f"{statistics.median(cell['seconds'] for cell in cells):.2f}",
                    f"{max(vram):.0f}" if vram else "-", str(sum(not cell["finite"] for cell in cells)),
                ])  # fmt: skip
        columns = ["cfg", "method", "pictures", "passes", "seam", "loss", "kept", "seconds a picture", "peak VRAM, MB",
                   "not finite"]  # fmt: skip
        return Table("Methods", columns, rows, level=2)

    def sheet(self) -> Image.Image:
        """Up to SHOWN pictures that every method has painted, at the first cfg."""
        rows: dict[str, list[Tensor]] = {name: [] for name in ("given", *self.methods, "original")}
        for scene in self.scenes:
            cells = {method: cell_of(scene, method, self.cfgs[0]) for method in self.methods}
            if len(rows["given"]) < SHOWN and all(cell in self.found for cell in cells.values()):
                rows["given"].append(scene.masked()[0])
                rows["original"].append(scene.pictures[0])
                for method, cell in cells.items():
                    rows[method].append(self.kept.picture(cell))
        return contact_sheet(rows, SIDE) if rows["given"] else Image.new("RGB", (1, 1), "white")

    def pairs(self) -> list[dict[str, Any]]:
        """Match against every other method, A and B in random order, the pairs too."""
        rng, pairs = random.SystemRandom(), []
        for scene in self.scenes:
            for method in self.methods:
                names = [method, "match"]
                rng.shuffle(names)
                cells = [cell_of(scene, name, self.cfgs[0]) for name in names]
                if method != "match" and all(cell in self.found for cell in cells):
                    left, right = (embedded(to_image(self.kept.picture(cell))) for cell in cells)
                    given = embedded(to_image(scene.masked()[0]))
                    pairs.append({"names": names, "left": left, "given": given, "right": right})
        rng.shuffle(pairs)
        return pairs[:PAIRS]

    def write_markdown(self, path: Path) -> None:
        """`path`.md, and `path`.png with the pictures."""
        buffer = io.BytesIO()
        self.sheet().save(buffer, "PNG", optimize=True)
        write(path.with_suffix(".png"), buffer.getvalue())
        text = [f"# {self.title}", "", self.machine, "", *(f"- {note}" for note in self.notes()), ""]
        text += [self.table().text, READING, f"![A row a method]({path.name}.png)\n"]
        write(path.with_suffix(".md"), "\n".join(text))

    def write(self, path: Path, blind: bool) -> None:
        """The same, and `path`.html, which holds all of it."""
        self.write_markdown(path)
        caption = f"cfg {self.cfgs[0]:g}; the grey part was painted."
        pairs = self.pairs() if blind else []
        parts = (self.title, self.machine, self.notes(), [self.table()], caption, embedded(self.sheet()), pairs)
        write(path.with_suffix(".html"), page(*parts))


def page(
    title: str, machine: str, notes: list[str], tables: list[Table], caption: str, sheet: str,
    pairs: list[dict[str, Any]],
) -> str:  # fmt: skip
    """A page that needs nothing beside itself. `sheet` and the pictures of `pairs` are data URLs."""
    listed = "".join(f"<li>{html.escape(note)}</li>" for note in notes)
    answers = json.dumps(pairs).replace("<", "\\u003c")
    blind = Template((HERE / "blind.html").read_text(encoding="utf-8")).substitute(pairs=answers) if pairs else ""
    return Template((HERE / "page.html").read_text(encoding="utf-8")).substitute(
        title=html.escape(title),
        machine=html.escape(machine),
        notes=f"<ul>{listed}</ul>" if listed else "",
        blind=blind,
        open="" if pairs else "open",
        tables="".join(table.html for table in tables),
        caption=html.escape(caption),
        sheet=sheet,
    )


def embedded(picture: Image.Image) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=90)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
