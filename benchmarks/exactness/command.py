"""How far is each inpainting sampler from the exact posterior, at equal numbers of model evaluations?

    python benchmarks exactness                    fields of 12x12 to 64x64 cells, with few steps and with more
    python benchmarks exactness --random SEED      twelve mixtures drawn from a seed
    python benchmarks exactness --random SEED --problems 0,7 --methods match --budgets 10x2,20x2

Every method as KSampler Inpaint runs it. The whole becomes benchmarks/results/exactness.md or random.md; a part of it
is only printed. Of --random, choose on some seeds and report others.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch

from ..report import RESULTS, Table, chosen, write
from .as_run import METHODS, SCHEDULER, SOLVERS, PosteriorTrial
from .distance import Distance
from .fields import FIELDS, MIXTURES, draw

BUDGETS = ("4x2", "6x1.5", "8x1", "8x2", "10x2", "5x4", "20x2")  # steps x evaluations a step
BUDGETS_RANDOM = ("5x4", "10x2", "20x2", "40x2", "20x4")
MEASURES = f"""Energy distance of the painted part to the exact posterior ± its standard error over the pictures. Behind
the strokes: the squared error of the painted part's mean over the posterior's variance (what the pictures scatter is
subtracted: 0 is right), and the log-density gap in nats (below 0: too smooth). {SCHEDULER}. A column is steps x
evaluations a step; the host and Blend have as many evaluations, one a step: 40 steps in 20x2."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--random", type=int, metavar="SEED")
    parser.add_argument("--problems", default="", help="some of them, for example field,clouds; of --random 0,7")
    parser.add_argument("--methods", default="", help="some of them, for example match,blend")
    parser.add_argument("--budgets", default="", help="steps x evaluations a step, for example 10x2,20x2")
    parser.add_argument("--solver", choices=SOLVERS, default="euler")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.random is None:
        title, every, budgets = "Distance to the exact posterior", list(FIELDS), BUDGETS
        command, given = "", "Two known parts of each problem, 64 pictures of each, three seeds."
    else:
        title, every, budgets = "Mixtures drawn at random", [str(number) for number in range(MIXTURES)], BUDGETS_RANDOM
        command, given = f" --random {options.random}", "Eight known parts of each problem, 16 pictures of each."

    def trial(name: str) -> PosteriorTrial:
        if options.random is None:  # some choices were made on the first two known parts
            problem = FIELDS[name]()
            return PosteriorTrial(problem, problem.given(4)[2:], 64, (1, 2, 3))
        problem = draw(options.random, int(name))
        return PosteriorTrial(problem, problem.given(8), 16)

    text = tables(
        trial,
        chosen(options.problems, every) if options.problems else every,
        chosen(options.methods, METHODS) if options.methods else list(METHODS),
        options.budgets.split(",") if options.budgets else list(budgets),
        options.solver,
    )
    print(text)
    if (options.problems, options.methods, options.budgets, options.solver) == ("", "", "", "euler"):
        page = f"# {title}\n\nWritten by `python benchmarks exactness{command}`. {given}\n{MEASURES}\n\n{text}"
        write(RESULTS / ("exactness.md" if options.random is None else "random.md"), page)


def tables(
    trial: Callable[[str], PosteriorTrial], problems: list[str], methods: list[str], budgets: list[str], solver: str
) -> str:
    """Measures all, and prints every run as it ends; in Markdown."""
    found: dict[tuple[str, str, str], Distance] = {}
    for number in problems:
        one = trial(number)
        for method in methods:
            for budget in budgets:
                start = time.perf_counter()
                found[one.problem.name, method, budget] = cell = one.run(method, solver, budget)
                spent = f"{cell.used} evaluations, {time.perf_counter() - start:.1f} s"
                print(f"{one.problem.name:32} {method:8} {budget:5} {cell} ({spent})", flush=True)
    names, means = list(dict.fromkeys(name for name, *_ in found)), []
    for method in methods:
        row = [method]
        for budget in budgets:
            cells = [found[name, method, budget] for name in names]
            energy, mean = (statistics.fmean(getattr(cell, what) for cell in cells) for what in ("energy", "mean"))
            row.append(f"{energy:.2f} / {mean:.3f}")
        means.append(row)
    parts = [Table(f"Mean of {len(names)} problems, {solver}", ["", *budgets], means, level=2).text]
    for name in names:
        rows = [[method, *(str(found[name, method, budget]) for budget in budgets)] for method in methods]
        parts.append(Table(name, ["", *budgets], rows, level=2).text)
    return "\n".join(parts)
