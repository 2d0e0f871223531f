"""What `python benchmarks exactness` shows: its tables and its plot, from the measured cells."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

from ..report import COLOURS, Cells, Panel, Point, Table, plot, write
from .problems import PROBLEMS

BUDGETS = (8, 20, 40, 100, 200, 400)  # where the plot has a tick
MEASURES = {
    "energy": "energy distance",
    "sliced": "sliced Wasserstein",
    "modes": "mode-weight total variation",
    "gap": "log-density gap",
    "seam": "seam ratio",
}
VARIANTS = {"flow": "textured fields, rectified flow"}
COMMAND = "python benchmarks exactness"


def read_cells(folder: Path) -> dict[str, dict[str, Any]]:
    """The cells of every problem measured so far, in the order of the problems."""
    return {
        key: Cells(folder / f"{key}.json").found for key in (*PROBLEMS, *VARIANTS) if (folder / f"{key}.json").exists()
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

    def energy(found: list[dict[str, Any]]) -> str:
        mean, spread = mean_and_spread(found, "energy")
        return f"{mean:.4f} ± {spread / 2:.4f}"

    columns = budgets(cells)
    floor = [cell for name, cell in cells.items() if name.startswith("floor")]
    rows = []
    for method in COLOURS:
        found = [runs(cells, method, budget) for budget in columns]
        rows.append([method, *(energy(some) if some else "-" for some in found)])
    note = f"Exact samples of the same number: {energy(floor)}."
    heading = f"## {title(key)}\n\nEnergy distance, mean of the seeds ± half their range.\n"
    parts = [heading, Table("", ["evaluations", *map(str, columns)], rows, note).text]
    measures = [m for m in MEASURES if m in floor[0]]
    for budget in (b for b in (40, 100) if b in columns):
        measured = {method: runs(cells, method, budget) for method in COLOURS}
        rows = [
            [method, found[0]["setting"], str(found[0]["evaluations"]), *figures(found, measures)]
            for method, found in measured.items()
            if found
        ]
        rows.append(["exact samples", "", "", *figures(floor, measures)])
        header = ["method", "best setting", "used", *(MEASURES[m] for m in measures)]
        parts += [f"At {budget} evaluations:\n", Table("", header, rows).text]
    return "\n".join(parts)


def figures(found: list[dict[str, Any]], measures: list[str]) -> list[str]:
    return [f"{mean_and_spread(found, m)[0]:.4f}" for m in measures]


def panel(key: str, cells: dict[str, Any]) -> Panel:
    """Energy distance over model evaluations, the seeds' range as a bar."""
    lines: dict[str, list[Point]] = {method: [] for method in COLOURS}
    for method, line in lines.items():
        for budget in budgets(cells):
            energies = [cell["energy"] for cell in runs(cells, method, budget)]
            if energies:
                line.append(Point(budget, statistics.fmean(energies), min(energies), max(energies)))
    return Panel(title(key), {name: line for name, line in lines.items() if line}, BUDGETS, logarithmic=True)


INTRODUCTION = f"""# Distance to the exact posterior

Written by `{COMMAND}`; the plot is `exactness.png`, every measured cell is in `exactness/`.

Denoisers that are known in closed form, inside a real host model, sampled by the host's own SamplerCustomAdvanced and
the pack's own samplers. Three seeds. Of the fields four known parts, 384 pictures for each and each seed (96 beyond
100 evaluations); of both 2-D mixtures and the 16-D one, where every known part allows other modes, sixteen known
parts and 96 pictures. Each method runs at its best setting (solver, scheduler, steps, jumps or inner steps; see
`methods.py`), chosen for each budget on a sample and a seed of its own by energy distance. Measures: see
`metrics.py`; the energy distance is unbiased, so that exact samples score 0 on average and can score below it; a log-
density gap below 0 means over-smoothed; a seam ratio of 1 means no seam (Composite's `seam_energy`; the cells kept
here have root mean squares in the place of its means, the same to 5%). The ring shows where matching the mean fails.

Where the methods fall short. The noise of the known part is held to what noise could be (`plausible`), which serves
large pictures, distilled models and mixtures (`random.md`) and costs a part of the nearness on one small field:
without that bound Match came to .003 on the random field at 40 evaluations, to .006 on the textures and to .30 on the
16-D mixture. Blend is one correction a step. On the ring, modes that y rules out lie so near to those it allows that
the mean, which is all that Match matches, does not tell them apart. Match over-smooths with few steps. Blend and
Match were not measured anew at 200 and 400 evaluations.
"""


def write_page(folder: Path, out: Path) -> None:
    """exactness.md and exactness.png in `out`, from the cells in `folder`."""
    cells = {key: measured for key, measured in read_cells(folder).items() if budgets(measured)}
    write(out / "exactness.md", "\n".join([INTRODUCTION, *(table(*item) for item in cells.items())]))
    caption = "energy distance to the exact posterior over model evaluations:"
    plot([panel(*item) for item in cells.items()], COLOURS, caption, out / "exactness.png")
