"""What the cells come to: tables, a contact sheet, and one page that holds everything and fetches nothing."""

from __future__ import annotations

import base64
import html
import io
import itertools
import json
import random
import statistics
from pathlib import Path
from string import Template
from typing import Any

from PIL import Image
from torch import Tensor

from ..report import Table, contact_sheet, to_image, write
from .bench import Bench, Case, Place, mask_of
from .masks import MASKS
from .measures import LEVELS

SHOWN, SIDE, PAIRS = 8, 256, 32
HERE = Path(__file__).resolve().parent
READING = """Passes: evaluations of the network, a guided one counted twice; all methods get as many. Seam: the
steepness of the picture across the mask's edge, over the untouched picture's; 1 is right. Loss: how badly the model
predicts the painted part under noise, over the untouched picture's; near 1 is right, far below it is too smooth. Kept:
the same of the kept part, beside what was painted: above 1 where the two do not hang together.
Colour: how far the painted part along the edge is from the untouched picture, in levels of 255. Means over the
pictures ± standard error.
"""
Found = dict[Place, dict[str, Any]]


class Page:
    """The results of a run, whole or not.

    Arguments:
        title, machine: plain text.
        methods: in the order of the rows.
        wanted: how many cells the whole run has.
    """

    def __init__(
        self, bench: Bench, title: str, machine: str, cases: list[Case], methods: list[str], cfgs: list[float]
    ) -> None:
        self.bench, self.title, self.machine, self.cases = bench, title, machine, cases
        self.methods, self.cfgs = methods, cfgs
        every = itertools.product(cases, methods, cfgs)
        places = [Place(case.number, mask_of(case.number), method, cfg) for case, method, cfg in every]
        self.wanted = len(places)
        self.found: Found = {place: cell for place in places if (cell := bench.kept(place)) is not None}

    def notes(self) -> list[str]:
        notes = list(self.bench.subject.notes)
        if missing := self.wanted - len(self.found):
            notes.append(f"{missing} of {self.wanted} cells are not measured; the same command goes on with them.")
        reasons = sorted(set(self.bench.failures.values()))
        notes += [f"Left out for want of memory, also with every other model unloaded: {reason}. Try a smaller "
                  "--size, or start with other programs closed." for reason in reasons]  # fmt: skip
        return notes

    def tables(self) -> list[Table]:
        rows, levels, kinds = [], [], []
        for cfg in self.cfgs:
            for method in self.methods:
                cells = [cell for place, cell in self.found.items() if place[2:] == (method, cfg)]
                if not cells:
                    continue
                head = [f"{cfg:g}", method]
                vram = [cell["vram"] for cell in cells if cell["vram"]]
                rows.append([
                    *head, str(len(cells)), f"{statistics.fmean(cell['passes'] for cell in cells):.0f}",
                    *(spread([cell[name] for cell in cells]) for name in ("seam", "loss", "kept", "colour")),
                    f"{statistics.median(cell['seconds'] for cell in cells):.2f}",
                    f"{max(vram):.0f}" if vram else "-", str(sum(not cell["finite"] for cell in cells)),
                ])  # fmt: skip
                levels.append([*head, *(spread([cell[f"loss at {level:g}"] for cell in cells]) for level in LEVELS)])
                by_mask = {mask: [c for p, c in self.found.items() if p[1:] == (mask, method, cfg)] for mask in MASKS}
                kinds.append([*head, *(spread([cell["seam"] for cell in some]) for some in by_mask.values())])
        columns = ["cfg", "method", "pictures", "passes", "seam", "loss", "kept", "colour", "seconds a picture",
                   "peak VRAM, MB", "not finite"]  # fmt: skip
        return [
            Table("Methods", columns, rows, level=2),
            Table("Loss by share of the schedule gone by", ["cfg", "method", *map(str, LEVELS)], levels, level=2),
            Table("Seam by mask", ["cfg", "method", *MASKS], kinds, level=2),
        ]

    def sheet(self) -> Image.Image:
        """Up to SHOWN pictures that every method has painted, at the first cfg."""
        places = {
            case: [Place(case.number, mask_of(case.number), method, self.cfgs[0]) for method in self.methods]
            for case in self.cases
        }
        whole = [case for case, own in places.items() if all(place in self.found for place in own)][:SHOWN]
        if not whole:
            return Image.new("RGB", (1, 1), "white")
        rows: dict[str, list[Tensor]] = {"given": [case.masked() for case in whole]}
        for i, method in enumerate(self.methods):
            rows[method] = [self.bench.picture(places[case][i]) for case in whole]
        return contact_sheet({**rows, "original": [case.picture for case in whole]}, SIDE)

    def pairs(self) -> list[dict[str, Any]]:
        """Match against every other method, A and B in random order, the pairs too."""
        rng, pairs = random.SystemRandom(), []
        for case in self.cases:
            for method in self.methods:
                names = [method, "match"]
                rng.shuffle(names)
                places = [Place(case.number, mask_of(case.number), name, self.cfgs[0]) for name in names]
                if method != "match" and all(place in self.found for place in places):
                    left, right = (embedded(to_image(self.bench.picture(place))) for place in places)
                    given = embedded(to_image(case.masked()))
                    pairs.append({"names": names, "left": left, "given": given, "right": right})
        rng.shuffle(pairs)
        return pairs[:PAIRS]

    def write_markdown(self, path: Path) -> None:
        """`path`.md, and `path`.png with the pictures."""
        buffer = io.BytesIO()
        self.sheet().save(buffer, "PNG", optimize=True)
        write(path.with_suffix(".png"), buffer.getvalue())
        text = [f"# {self.title}", "", self.machine, "", *(f"- {note}" for note in self.notes()), ""]
        text += [*(table.text for table in self.tables()), READING, f"![A row a method]({path.name}.png)\n"]
        write(path.with_suffix(".md"), "\n".join(text))

    def write(self, path: Path, blind: bool) -> None:
        """The same, and `path`.html, which holds all of it."""
        self.write_markdown(path)
        caption = f"cfg {self.cfgs[0]:g}; the grey part was painted."
        pairs = self.pairs() if blind else []
        parts = (self.title, self.machine, self.notes(), self.tables(), caption, embedded(self.sheet()), pairs)
        write(path.with_suffix(".html"), page(*parts))


def page(
    title: str,
    machine: str,
    notes: list[str],
    tables: list[Table],
    caption: str,
    sheet: str,
    pairs: list[dict[str, Any]],
) -> str:
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


def spread(values: list[float]) -> str:
    """Mean ± standard error."""
    if not values:
        return "-"
    if len(values) == 1:
        return f"{values[0]:.3f}"
    return f"{statistics.fmean(values):.3f} ± {statistics.stdev(values) / len(values) ** 0.5:.3f}"


def embedded(picture: Image.Image) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=90)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
