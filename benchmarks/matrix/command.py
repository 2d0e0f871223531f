"""Every model family x method x solver x scheduler on tiny models in the real host: does each keep every promise?

    python benchmarks matrix                       all of it: ten thousand cells, some ten minutes on one core
    python benchmarks matrix --families eps sd3    only these anew, the others as they were found last

The cells and their checks are those of the tests (`cells.py`), which run every fifty-third.
"""

import argparse
import csv
import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor

import torch

from .one_family import DRAWS, Found, Run, run_family  # starts the host, which the next two stand on

from ..report import RESULTS as FOLDER, Table, write  # isort: skip
from .cells import METHODS, SCHEDULERS, SOLVERS, STEPS, TOLERANCE, cells  # isort: skip
from comfyui_host.families import FAMILIES  # isort: skip

RESULTS = FOLDER / "matrix"
Outcomes = dict[tuple[str, str, str], dict[str, str]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--families", nargs="+", choices=list(FAMILIES), default=list(FAMILIES), metavar="NAME")
    parser.add_argument("--jobs", type=int, default=1, help="families at a time, one thread each")
    options = parser.parse_args()
    rows, table, refusals = earlier()
    if set(FAMILIES) <= set(options.families):
        refusals = set()
    with ProcessPoolExecutor(options.jobs, multiprocessing.get_context("spawn")) as pool:
        for name, own in zip(options.families, pool.map(run_family, options.families), strict=True):
            rows[name] = row(name, own)
            for cell, found in own.found.items():
                table.setdefault((name, cell.method, cell.scheduler), {})[cell.solver] = outcome(found)
            refusals |= {f"- `{cell.solver}`: {found.refused}" for cell, found in own.found.items() if found.refused}
            print(*rows[name], sep=" | ")
    wrong = [
        f"- {' '.join((*key, solver))}: {what}"
        for key, found in table.items()
        for solver, what in found.items()
        if what.startswith("wrong")
    ]
    if set(FAMILIES) <= set(rows):
        keep(table)
        write(RESULTS.with_suffix(".md"), page([rows[name] for name in FAMILIES], wrong, sorted(refusals)))
    print(*wrong, sep="\n")
    sys.exit(bool(wrong))


def earlier() -> tuple[dict[str, list[str]], Outcomes, set[str]]:
    """The committed rows, cells and refusals, which stand for the families that do not run now."""
    if not RESULTS.with_suffix(".md").exists():
        return {}, {}, set()
    lines = RESULTS.with_suffix(".md").read_text().splitlines()
    records = [line.strip("| ").split(" | ") for line in lines if line.startswith("| ")]
    rows = {record[0]: record for record in records if record[0] in FAMILIES}
    with RESULTS.with_suffix(".csv").open(newline="") as file:
        _, *records = csv.reader(file)
    known = [record for record in records if record[0] in FAMILIES and len(record) == 3 + len(SOLVERS)]
    outcomes = {(r[0], r[1], r[2]): dict(zip(SOLVERS, r[3:], strict=True)) for r in known}
    return rows, outcomes, {line for line in lines if line.startswith("- `")}


def outcome(found: Found) -> str:
    """What the record says of a cell: its evaluations, or why there are none."""
    return f"wrong: {found.wrong}" if found.wrong else "refused" if found.refused else str(found.evaluations)


def row(name: str, own: Run) -> list[str]:
    """Its line in the table."""
    right = [sum(not f.wrong and not f.refused for c, f in own.found.items() if c.method == m) for m in METHODS]
    refused = sum(bool(f.refused and not f.wrong) for f in own.found.values())
    wrong = sum(bool(f.wrong) for f in own.found.values())
    numbers = [*right, refused, wrong, f"{own.jump:.1f}", f"{own.seconds:.0f}"]
    return [name, *map(str, numbers)]


def keep(table: Outcomes) -> None:
    """One row for family, method and scheduler, one column a solver."""
    with RESULTS.with_suffix(".csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["family", "method", "scheduler", *SOLVERS])
        for name in FAMILIES:
            writer.writerows(
                [*key, *(found[solver] for solver in SOLVERS)] for key, found in table.items() if key[0] == name
            )


def page(rows: list[list[str]], wrong: list[str], refusals: list[str]) -> str:
    size = f"{len(FAMILIES)} families x {len(METHODS)} methods x {len(SOLVERS)} solvers x {len(SCHEDULERS)} schedulers"
    introduction = f"""# Every family, method, solver and scheduler

`python benchmarks matrix`, torch {torch.__version__}, {len(list(cells()))} cells: {size} ({", ".join(SCHEDULERS)}),
{STEPS} steps, tiny models with random weights in the real host.

Right (of {len(SOLVERS) * len(SCHEDULERS)}): the result is finite, its kept part equals the given latent to
{TOLERANCE:g}, something was painted, and progress counted every step up to the last. Jump: the worst
deviation of mean, variance and covariance with the clean latent, over forward jumps between levels of a schedule,
from the host's own noising, in standard errors of {DRAWS:,} draws; nine jumps in three measures each, so 2 to 4 is
what exact agreement gives. The evaluations of each cell: [matrix.csv](matrix.csv).
"""
    table = Table("", ["family", *METHODS, "refused", "wrong", "jump", "seconds"], rows).text
    reasons = ["Refused, with the reason given:", "", *refusals, ""]
    return "\n".join([introduction, table, *reasons, *(["Wrong:", "", *wrong, ""] if wrong else [])])
