"""What is painted, against the exact posterior: every method, solver, scheduler, prediction and kind of run.

    python benchmarks painted                            four thousand cells, some eight minutes on an idle core
    python benchmarks painted --solvers euler heun       some of them, which are only printed

The cells and how they are judged are those of the tests (`judge.py`), which run every sixty-first. Exit status 1 if one
is wrong.
"""

import argparse
import itertools
import sys
import warnings

import torch

from ..report import RESULTS, Table, write
from . import judge
from .judge import KINDS, METHODS, PREDICTIONS, SCHEDULERS, SOLVERS, Cell, Found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--schedulers", nargs="+", choices=SCHEDULERS, default=list(SCHEDULERS), metavar="NAME")
    parser.add_argument("--solvers", nargs="+", choices=SOLVERS, default=SOLVERS, metavar="NAME")
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")  # of solvers, about rounding and numpy
    found: dict[Cell, Found] = {}
    # the cells of a group are compared with the same runs
    for prediction, kind, scheduler in itertools.product(PREDICTIONS, KINDS, options.schedulers):
        for method, solver in itertools.product(METHODS, options.solvers):
            cell = Cell(method, solver, scheduler, prediction, kind)
            found[cell] = judge.judge(cell)
        print(prediction, kind, scheduler, flush=True)
    text = page(found)
    print(text)
    if len(found) == len(list(judge.cells())):
        write(RESULTS / "painted.md", text)
    sys.exit(any(one.wrong for one in found.values()))


def page(found: dict[Cell, Found]) -> str:
    rows = []
    for prediction, kind, method in itertools.product(PREDICTIONS, KINDS, METHODS):
        here = prediction, kind, method
        those = [one for cell, one in found.items() if (cell.prediction, cell.kind, cell.method) == here]
        right = [one.moments for one in those if one.moments and not one.host and not one.wrong]
        medians = [f"{torch.tensor(values).median():.2f}" for values in zip(*right, strict=True)]
        if right:
            medians[0] += f" ({min(one.pull for one in right):.2f} to {max(one.pull for one in right):.2f})"
        counts = [sum(bool(getattr(one, mark)) for one in those) for mark in ("host", "refused", "wrong")]
        rows.append([*here, len(right), *counts, *medians])
    columns = ["prediction", "kind", "method", "right", "host", "refused", "wrong", "pull", "variance", "likeness"]
    limits = [
        [name, *(f"{least:g} to {limit.most:g}" for least in (limit.pull["eps"], limit.pull["flow"], judge.OLD_PULL)),
         limit.variance, limit.likeness]
        for name, limit in judge.LIMITS.items()
    ]  # fmt: skip
    wrong = [f"- {' '.join(cell)}: {one.wrong}" for cell, one in found.items() if one.wrong]
    schedulers, solvers = (sorted({cell[place] for cell in found}) for place in (2, 1))
    introduction = f"""# What is painted, against the exact posterior

`python benchmarks painted`, torch {torch.__version__}, {len(found)} cells: {len(METHODS)} methods x {len(solvers)}
solvers x {len(schedulers)} schedulers ({", ".join(schedulers)}) x {len(PREDICTIONS)} predictions x {len(KINDS)} kinds
of run, {judge.STEPS} steps, {judge.COUNT} pictures each, by the host's own samplers. The pictures are drawn from a
Gaussian of 4 x 4 cells in which neighbours are alike. The model knows it in closed form. The right half is painted, so
that its posterior given the left half is known: its mean, its variance, and how alike neighbours are
(`benchmarks/painted/closed_form.py`).

Pull: the painted part's regression on its posterior mean, 1 is right, 0 where the kept part is ignored. Variance: about
that, over the posterior's. Likeness: correlation of neighbours, less the posterior's. Shown are the medians of the
cells that are right, and of the pull the least and the most. A cell is wrong if it is outside the limits of its method,

{Table("", ["method", "pull, eps", "flow", "old content", "variance, factor", "likeness"], limits).text}
where for variance and likeness the solver's own error on whole pictures counts, if that is more: 1.35 times the
logarithm of its variance and a factor of 1.3, its likeness and 0.08. Old content: with denoise .6 and the soft mask the
picture below the mask is drawn from the Gaussian to begin with. A cell is wrong, too, if its pull is more than 0.1
further from 1 than that of the host's own way of inpainting with this solver. RePaint's limits are low because its pull
is: two visits of every level bring half of what the kept part says.

Host: the solver alone, without a mask, in the host, misses the variance of whole pictures by more than half. Refused:
by name, before the run. Two stages: SplitSigmas in the middle, the second with `kept`. Soft mask: every second row of
painted cells joins half-way.
"""
    return "\n".join([introduction, Table("", columns, rows).text, *(["Wrong:", "", *wrong, ""] if wrong else [])])
