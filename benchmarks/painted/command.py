"""What is painted, against the exact law: every method, solver, scheduler, prediction and kind of run.

    python benchmarks painted                        four thousand cells, some eight minutes on an idle core
    python benchmarks painted --schedulers normal    a quarter of them
    python benchmarks painted --resume               goes on where it was stopped

The cells and how they are judged are those of the tests (`judge.py`), which run every sixty-first.
"""

import argparse
import csv
import itertools
import multiprocessing
import sys
import warnings
from concurrent.futures import ProcessPoolExecutor
from typing import NamedTuple

import torch

from ..report import RESULTS as FOLDER
from ..report import Table, write
from .judge import (
    COUNT,
    KINDS,
    LIMITS,
    METHODS,
    OLD_PULL,
    PREDICTIONS,
    SCHEDULERS,
    SOLVERS,
    STEPS,
    Cell,
    Found,
    judge,
)

RESULTS = FOLDER / "painted"


class Row(NamedTuple):
    """What the cells of all solvers have in common."""

    scheduler: str
    prediction: str
    kind: str
    method: str


ROWS = [Row(*names) for names in itertools.product(SCHEDULERS, PREDICTIONS, KINDS, METHODS)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--schedulers", nargs="+", choices=SCHEDULERS, default=SCHEDULERS, metavar="NAME")
    parser.add_argument("--resume", action="store_true", help="keep the rows that are in the record already")
    parser.add_argument("--jobs", type=int, default=1, help="processes, one thread each")
    options = parser.parse_args()
    found = earlier() if options.resume else {}
    # the methods of one schedule share what they are compared with
    groups = [ROWS[i : i + len(METHODS)] for i in range(0, len(ROWS), len(METHODS))]
    groups = [group for group in groups if group[0].scheduler in options.schedulers and not set(group) <= set(found)]
    with ProcessPoolExecutor(options.jobs, multiprocessing.get_context("spawn")) as pool:
        for group, outcomes in zip(groups, pool.map(judged, groups), strict=True):
            found |= dict(zip(group, outcomes, strict=True))
            keep(found)
            print(*group[0][:3])
    wrong = [
        f"- {' '.join((*row, solver))}: {what}"
        for row, outcomes in found.items()
        for solver, what in zip(SOLVERS, outcomes, strict=True)
        if what.startswith("wrong")
    ]
    write(RESULTS.with_suffix(".md"), page(found, wrong))
    print(*wrong, sep="\n")
    sys.exit(bool(wrong))


def judged(group: list[Row]) -> list[list[str]]:
    """Of each row what came of its solvers, in their order."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")  # of solvers, about rounding and numpy
    return [[attempt(Cell(row.method, solver, row.scheduler, row.prediction, row.kind)) for solver in SOLVERS]
            for row in group]  # fmt: skip


def attempt(cell: Cell) -> str:
    """A cell that raises is a wrong one, and the others go on."""
    try:
        return outcome(judge(cell))
    except Exception as error:
        return f"wrong: {type(error).__name__}: {error}"


def outcome(found: Found) -> str:
    """What the record says of a cell: pull, variance and likeness, or why there are none."""
    if found.law is None:
        return "refused"
    law = " ".join(f"{value:.2f}" for value in found.law)
    return f"wrong: {found.wrong}" if found.wrong else f"host {law}" if found.host else law


def earlier() -> dict[Row, list[str]]:
    with RESULTS.with_suffix(".csv").open(newline="") as file:
        header, *records = csv.reader(file)
    return {Row(*record[:4]): record[4:] for record in records if header[4:] == SOLVERS}


def keep(found: dict[Row, list[str]]) -> None:
    """One line a row, one column a solver."""
    with RESULTS.with_suffix(".csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*Row._fields, *SOLVERS])
        writer.writerows([*row, *found[row]] for row in ROWS if row in found)


def page(found: dict[Row, list[str]], wrong: list[str]) -> str:
    lines = []
    for prediction, kind, method in itertools.product(PREDICTIONS, KINDS, METHODS):
        of_these = [cells for row, cells in found.items() if row[1:] == (prediction, kind, method)]
        marks = [(what.split(" ")[0].rstrip(":"), what) for row in of_these for what in row]
        laws = [tuple(map(float, what.split())) for mark, what in marks if mark not in ("refused", "wrong", "host")]
        middle = [f"{torch.tensor(values).median():.2f}" for values in zip(*laws, strict=True)]
        pulls = [law[0] for law in laws]
        middle[:1] = [f"{middle[0]} ({min(pulls):.2f} to {max(pulls):.2f})"] if laws else []
        counts = [sum(mark == name for mark, _ in marks) for name in ("host", "refused", "wrong")]
        lines.append([prediction, kind, method, str(len(laws)), *map(str, counts), *middle])
    header = ["prediction", "kind", "method", "right", "host", "refused", "wrong", "pull", "variance", "likeness"]
    schedulers = sorted({row.scheduler for row in found})
    columns = ["method", "pull, eps", "flow", "old content", "variance, factor", "likeness"]
    rows = [
        [name, *(f"{least:g} to {limit.most:g}" for least in (limit.pull["eps"], limit.pull["flow"], OLD_PULL)),
         f"{limit.variance:g}", f"{limit.likeness:g}"]
        for name, limit in LIMITS.items()
    ]  # fmt: skip
    limits = Table("", columns, rows)
    introduction = f"""# What is painted, against the exact law

`python benchmarks painted`, torch {torch.__version__}, {len(found) * len(SOLVERS)} cells: {len(METHODS)} methods x
{len(SOLVERS)} solvers x {len(schedulers)} schedulers ({", ".join(schedulers)}) x {len(PREDICTIONS)} predictions x
{len(KINDS)} kinds of run, {STEPS} steps, {COUNT} pictures each, by the host's own samplers. The pictures are drawn from
a Gaussian of 4 x 4 cells in which neighbours are alike. The model knows it in closed form. The right half is painted,
so that its exact law given the left half is known: its mean, its variance, and how alike neighbours are
(`benchmarks/painted/closed_form.py`).

Pull: how much of what the kept part says of the painted one came to pass, 1 is all of it. Variance: about that, over
the law's. Likeness: correlation of neighbours less the law's. Shown are the medians of the cells that are right, and of
the pull the least and the most. A cell is wrong if it is outside the limits of its method,

{limits.text}
where for variance and likeness the solver's own error on whole pictures counts, if that is more: 1.35 times the
logarithm of its variance and a factor of 1.3, its likeness and 0.08. Old content: with denoise .6 and the soft mask the
picture below the mask obeys the law to begin with. A cell is wrong, too, if its pull is more than 0.1 further from 1
than that of the host's own way of inpainting with this solver. RePaint's limits are low because its pull is: two visits
of every level bring half of what the kept part says.

Host: the solver alone, without a mask, in the host, misses the variance of whole pictures by more than half. Refused:
by name, before the run. Two stages: SplitSigmas in the middle, the second with `kept`. Soft mask: every second row of
painted cells joins half-way. Every cell: [painted.csv](painted.csv).
"""
    table = Table("", header, lines).text
    return "\n".join([introduction, table, *(["Wrong:", "", *wrong, ""] if wrong else [])])
