"""The table and the plot of the exactness benchmark, from the measured cells."""

from __future__ import annotations

import json
import math
import statistics
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from .problems import PROBLEMS

COLOURS = {
    "host": "#7f7f7f",
    "blend fixed": "#c9a227",
    "blend fresh": "#e377c2",
    "blend predicted": "#17a2a2",
    "repaint": "#ff7f0e",
    "langevin": "#9467bd",
    "match": "#d62728",
}
MEASURES = {
    "energy": "energy distance",
    "sliced": "sliced Wasserstein",
    "modes": "mode-weight total variation",
    "gap": "log-density gap",
    "seam": "seam ratio",
}
VARIANTS = {"learnt": "textured fields, learnt denoiser", "flow": "textured fields, rectified flow"}
COMMAND = "python benchmarks exactness"


def read_cells(folder: Path) -> dict[str, dict[str, Any]]:
    """The cells of every problem measured so far, in the order of the problems."""
    return {
        key: json.loads((folder / f"{key}.json").read_text())
        for key in (*PROBLEMS, *VARIANTS)
        if (folder / f"{key}.json").exists()
    }


def title(key: str) -> str:
    return VARIANTS[key] if key in VARIANTS else PROBLEMS[key]().name


def runs(cells: dict[str, Any], method: str, budget: int) -> list[dict[str, Any]]:
    """The measured seeds of one method at one budget."""
    prefix = f"{method} | {budget} | best | "
    return [cell for name, cell in cells.items() if name.startswith(prefix)]


def budgets(cells: dict[str, Any]) -> list[int]:
    return sorted({int(name.split(" | ")[1]) for name in cells if " | best | " in name})


def mean_and_spread(cells: list[dict[str, Any]], measure: str) -> tuple[float, float]:
    values = [cell[measure] for cell in cells]
    return statistics.fmean(values), max(values) - min(values)


def table(key: str, cells: dict[str, Any]) -> str:
    """Energy distance against budget, and all measures at the largest common budget, in Markdown."""
    columns = budgets(cells)
    lines = [f"## {title(key)}", "", "Energy distance, mean of the seeds ± half their range.", ""]
    lines += ["| evaluations | " + " | ".join(map(str, columns)) + " |", "|---" * (len(columns) + 1) + "|"]
    for method in COLOURS:
        row = []
        for budget in columns:
            found = runs(cells, method, budget)
            row.append("{:.4f} ± {:.4f}".format(*_halved(mean_and_spread(found, "energy"))) if found else "-")
        lines.append(f"| {method} | " + " | ".join(row) + " |")
    floor = [cell for name, cell in cells.items() if name.startswith("floor")]
    mean, spread = _halved(mean_and_spread(floor, "energy"))
    lines += ["", f"Exact samples of the same number: {mean:.4f} ± {spread:.4f}.", ""]
    for budget in (b for b in (40, 100) if b in columns):
        measures = [m for m in MEASURES if m in floor[0]]
        lines += [f"At {budget} evaluations:", ""]
        lines += ["| method | best setting | used | " + " | ".join(MEASURES[m] for m in measures) + " |"]
        lines += ["|---" * (len(measures) + 3) + "|"]
        for method in COLOURS:
            found = runs(cells, method, budget)
            if found:
                values = " | ".join(f"{mean_and_spread(found, m)[0]:.4f}" for m in measures)
                lines.append(f"| {method} | {found[0]['setting']} | {found[0]['evaluations']} | {values} |")
        exact = " | ".join(f"{mean_and_spread(floor, m)[0]:.4f}" for m in measures)
        lines += [f"| exact samples | | | {exact} |", ""]
    return "\n".join(lines)


def _halved(mean_and_range: tuple[float, float]) -> tuple[float, float]:
    return mean_and_range[0], mean_and_range[1] / 2


class Panel:
    """Energy distance over model evaluations, both axes logarithmic."""

    WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 520, 400, 62, 34, 14, 40

    def __init__(self, draw: ImageDraw.ImageDraw, corner: tuple[int, int], cells: dict[str, Any]) -> None:
        self.draw, self.corner, self.cells = draw, corner, cells
        measured = (runs(cells, method, budget) for method in COLOURS for budget in budgets(cells))
        means = [mean_and_spread(found, "energy")[0] for found in measured if found]
        self.low = max(1e-4, 10 ** math.floor(math.log10(max(1e-4, min(means)))))
        self.high = 10 ** math.ceil(math.log10(max(means)))

    def at(self, evaluations: float, energy: float) -> tuple[float, float]:
        u = math.log(evaluations / 7) / math.log(450 / 7)
        v = math.log(self.high / max(energy, self.low)) / math.log(self.high / self.low)
        x = self.corner[0] + self.LEFT + u * (self.WIDTH - self.LEFT - self.RIGHT)
        return x, self.corner[1] + self.TOP + v * (self.HEIGHT - self.TOP - self.BOTTOM)

    def paint(self, key: str, font: ImageFont.FreeTypeFont) -> None:
        draw = self.draw
        draw.text((self.corner[0] + self.LEFT, self.corner[1] + 8), title(key), "black", font)
        for exponent in range(round(math.log10(self.low)), round(math.log10(self.high)) + 1):
            x, y = self.at(7, 10.0**exponent)
            draw.line([(x, y), (self.at(450, 1)[0], y)], "#dddddd")
            draw.text((x - 6, y), f"{10.0**exponent:g}", "black", font, anchor="rm")
        for evaluations in (8, 16, 20, 40, 100, 200, 400):
            x, y = self.at(evaluations, self.low)
            draw.line([(x, self.at(8, self.high)[1]), (x, y)], "#eeeeee")
            if evaluations != 16:
                draw.text((x, y + 6), str(evaluations), "black", font, anchor="mt")
        for method, colour in COLOURS.items():
            points = []
            for budget in budgets(self.cells):
                found = runs(self.cells, method, budget)
                if found:
                    points.append(self.at(budget, mean_and_spread(found, "energy")[0]))
                    values = [cell["energy"] for cell in found]
                    draw.line([self.at(budget, min(values)), self.at(budget, max(values))], colour, 2)
            draw.line(points, colour, 4 if method == "match" else 2)
            for x, y in points:
                draw.ellipse([x - 4, y - 4, x + 4, y + 4], colour)


def plot(cells: dict[str, dict[str, Any]], path: Path) -> None:
    """A panel for each problem, and a legend."""
    columns, rows = 3, -(-len(cells) // 3)
    picture = Image.new("RGB", (columns * Panel.WIDTH, rows * Panel.HEIGHT + 40), "white")
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(15)
    for i, (key, measured) in enumerate(cells.items()):
        corner = (i % columns * Panel.WIDTH, i // columns * Panel.HEIGHT)
        Panel(draw, corner, measured).paint(key, font)
    x, y = 20, rows * Panel.HEIGHT + 20
    draw.text((x, y), "energy distance to the exact posterior over model evaluations:", "black", font, anchor="lm")
    x += 480
    for method, colour in COLOURS.items():
        draw.line([(x, y), (x + 24, y)], colour, 4)
        draw.text((x + 30, y), method, "black", font, anchor="lm")
        x += 50 + int(draw.textlength(method, font))
    picture.save(path, optimize=True)


INTRODUCTION = f"""# Distance to the exact posterior

Written by `{COMMAND}`; the plot is `exactness.png`, every measured cell is in `exactness/`.

Denoisers that are known in closed form, inside a real host model, sampled by the host's own SamplerCustomAdvanced and
the pack's own samplers. Four known parts a problem, three seeds, 384 pictures for each known part and seed (96 beyond
100 evaluations of the fields; 32 with the learnt denoiser). Each method runs at its best setting (solver, scheduler,
steps, jumps or inner steps; see `methods.py`), chosen for each budget on a sample and a seed of its own by energy
distance; with the learnt denoiser, at its best setting with the exact one. Measures: see `metrics.py`; the energy
distance is unbiased, so that exact samples score 0 on average and can score below it; a log-density gap below 0 means
over-smoothed; a seam ratio of 1 means no seam. The ring shows where matching the mean fails.

Where it falls short. Blend's predicted noise is one correction a step: 20 do not bring the slowest modes of a smooth
field's 108 known cells to agreement (a seventh of the host's distance at 20 evaluations, a fourteenth at 40); on the
mixtures it stops gaining, or loses again, beyond 40 to 100. On the ring, modes that y rules out lie so near to those it
allows that the mean, which is all that Match matches, does not tell them apart. Match over-smooths with few steps.
Beyond 100 to 200 evaluations it stands at the floor of the measure or at that of the leak.
"""


def write_report(folder: Path, out: Path) -> None:
    """exactness.md and exactness.png in `out`, from the cells in `folder`."""
    cells = {key: measured for key, measured in read_cells(folder).items() if budgets(measured)}
    (out / "exactness.md").write_text("\n".join([INTRODUCTION, *(table(*item) for item in cells.items())]))
    plot(cells, out / "exactness.png")
