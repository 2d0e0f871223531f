"""Every model family x method x solver x scheduler on tiny models in the real host: does each keep every promise?

    python benchmarks/matrix                       all of it: ten thousand cells, some ten minutes on one core
    python benchmarks/matrix --families eps sd3    only these, printed and not kept

The cells and their checks are those of the tests (`tests/host/cells.py`), which run every fifty-third.
"""

import argparse
import csv
import multiprocessing
import sys
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor

import torch
from one_family import DRAWS, ROOT, Cell, Found, Run, run_family  # starts the host, which the next two stand on

from cells import METHODS, SCHEDULERS, SOLVERS, STEPS, TOLERANCE  # isort: skip
from families import FAMILIES  # isort: skip

RESULTS = ROOT / "benchmarks" / "results" / "matrix"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--families", nargs="+", choices=list(FAMILIES), default=list(FAMILIES), metavar="NAME")
    parser.add_argument("--jobs", type=int, default=1, help="families at a time, one thread each")
    options = parser.parse_args()
    found, rows = {}, []
    with ProcessPoolExecutor(options.jobs, multiprocessing.get_context("spawn")) as pool:
        for name, own in zip(options.families, pool.map(run_family, options.families), strict=True):
            found |= own.found
            rows.append(row(name, own))
            sys.stdout.write(rows[-1] + "\n")
            sys.stdout.flush()
    wrong = [f"- {' '.join(cell)}: {f.wrong}" for cell, f in found.items() if f.wrong]
    if options.families == list(FAMILIES):
        keep(found)
        RESULTS.with_suffix(".md").write_text(page(rows, wrong, found))
    sys.stdout.write("\n".join(wrong) + "\n")
    sys.exit(bool(wrong))


def row(name: str, own: Run) -> str:
    """Its line in the table."""
    right = [sum(not f.wrong and not f.refused for c, f in own.found.items() if c.method == m) for m in METHODS]
    refused = sum(bool(f.refused and not f.wrong) for f in own.found.values())
    wrong = sum(bool(f.wrong) for f in own.found.values())
    numbers = [*right, refused, wrong, f"{own.jump:.1f}", f"{own.seconds:.0f}"]
    return f"| {name} | {' | '.join(map(str, numbers))} |"


def keep(found: dict[Cell, Found]) -> None:
    """The evaluations of every cell, one row for family, method and scheduler, one column a solver."""
    table: dict[tuple[str, ...], dict[str, str]] = defaultdict(dict)
    for cell, f in found.items():
        outcome = "wrong" if f.wrong else "refused" if f.refused else str(f.evaluations)
        table[cell.family, cell.method, cell.scheduler][cell.solver] = outcome
    with RESULTS.with_suffix(".csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["family", "method", "scheduler", *SOLVERS])
        writer.writerows([*key, *(row[solver] for solver in SOLVERS)] for key, row in table.items())


def page(rows: list[str], wrong: list[str], found: dict[Cell, Found]) -> str:
    refusals = sorted({f"- `{cell.solver}`: {f.refused}" for cell, f in found.items() if f.refused})
    per_method = len(SOLVERS) * len(SCHEDULERS)
    return "\n".join([
        "# Every family, method, solver and scheduler",
        "",
        f"`python benchmarks/matrix`, torch {torch.__version__}, {len(found)} cells: {len(FAMILIES)} families x "
        f"{len(METHODS)} methods x {len(SOLVERS)} solvers x {len(SCHEDULERS)} schedulers ({', '.join(SCHEDULERS)}), "
        f"{STEPS} steps, tiny models with random weights in the real host.",
        "",
        f"Right (of {per_method}): the result is finite, its kept part equals the given latent to {TOLERANCE:g}, "
        "something was painted, and the model was evaluated exactly as often as announced. Jump: the worst deviation "
        "of mean, variance and covariance with the clean latent, over forward jumps between levels of a schedule, from "
        f"the host's own noising, in standard errors of {DRAWS:,} draws; nine jumps in three measures each, so 2 to 4 "
        "is what exact agreement gives. The evaluations of each cell: [matrix.csv](matrix.csv).",
        "",
        f"| family | {' | '.join(METHODS)} | refused | wrong | jump | seconds |",
        "|---" * (len(METHODS) + 5) + "|",
        *rows,
        "",
        "Refused, with the reason given:",
        "",
        *refusals,
        "",
        *(["Wrong:", "", *wrong, ""] if wrong else []),
    ])  # fmt: skip


if __name__ == "__main__":
    main()
