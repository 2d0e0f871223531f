"""How far each sampler is from the exact answer on twelve mixtures drawn from a seed.

    python benchmarks exactness --random SEED                      twelve problems, all methods
    python benchmarks exactness --random SEED --problems 0-3 --methods match --budgets 10x2,20x2

Choose on some seeds and report others. A part is only printed; the whole becomes results/random.md.
"""

from __future__ import annotations

import argparse
import math
import statistics
import time
from collections.abc import Iterable
from functools import cached_property
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..report import RESULTS, Table, chosen, write
from .analytic_model import exact_denoiser, inpaint, patcher, sigmas
from .few_steps import METHODS, SCHEDULER, SOLVERS, exact_posterior, sampler_and_steps
from .metrics import Judge
from .problems import GaussianMixture, Problem
from .random_mixtures import PROBLEMS, dense, draw

BUDGETS = ("5x4", "10x2", "20x2", "40x2", "20x4")  # steps x evaluations a step
GIVEN, COUNT = 8, 16  # known parts, and pictures of each, all in one batch
DENSE = 1100  # unknown cells up to which the posterior's own denoiser is cheap

INTRODUCTION = f"""# Mixtures drawn at random

Written by `python benchmarks exactness --random SEED`. Energy distance of the painted part to the exact posterior ±
its standard error over the pictures, and behind the stroke the squared error of the painted part's mean over the
posterior's variance (what {COUNT} pictures scatter is subtracted: 0 is right). {GIVEN} known parts of each problem,
{COUNT} pictures of each; {SCHEDULER}. A column is steps x evaluations a step; the host and Blend have as many steps of
one evaluation. `exact` is the solver alone on E[x_0 | x_u, y], with as many steps as Match, where that is cheap: it is
not at 0, because a run begins at b/a = 14.6 with noise alone, where the mean of a large field would already be seen.

"""


class Found(NamedTuple):
    """Of one run: energy distance, its standard error, squared error of the mean, evaluations."""

    energy: float
    error: float
    mean: float
    used: int

    def __str__(self) -> str:
        return f"{self.energy:.2f} ± {self.error:.2f} / {self.mean:.3f}"


class Bench:
    """One problem, its model, its known parts and their judges."""

    def __init__(self, problem: Problem) -> None:
        self.problem, self.model = problem, patcher(exact_denoiser(problem))
        self.given = problem.given(GIVEN)
        self.judges = [Judge(problem, y, 1024) for y in self.given]
        self.runs: dict[tuple[str, int | str], Found | None] = {}

    @cached_property
    def posteriors(self) -> list[GaussianMixture]:
        return dense([judge.posterior for judge in self.judges])

    def run(self, method: str, solver: str, budget: str) -> Found | None:
        """None where the posterior's own denoiser is dear."""
        sampler, steps = sampler_and_steps(method, solver, *parsed(budget))
        same = method, steps if method in ("exact", "host", "blend") else budget  # 5x4 and 10x2 are one run of these
        if same not in self.runs:
            self.runs[same] = self.sampled(method, sampler, steps)
        return self.runs[same]

    def sampled(self, method: str, sampler: Any, steps: int) -> Found | None:
        schedule = sigmas(self.model, SCHEDULER, steps)
        if method != "exact":
            y = self.given.repeat_interleave(COUNT, 0)
            samples, used = inpaint(self.model, sampler, schedule, self.problem, y, seed=1)
            return self.judged(samples, used)
        if int(self.problem.unknown.sum()) > DENSE:
            return None
        parts = []
        for judge, posterior in zip(self.judges, self.posteriors, strict=True):
            model, y = patcher(exact_posterior(self.problem, judge.y, posterior)), judge.y.expand(COUNT, -1)
            parts.append(inpaint(model, sampler, schedule, self.problem, y, seed=1))
        return self.judged(torch.cat([samples for samples, _used in parts]), parts[0][1])

    def judged(self, samples: Tensor, used: int) -> Found:
        energies, variances, means = [], [], []
        for judge, x in zip(self.judges, samples.split(COUNT), strict=True):
            nearness = 2 * torch.cdist(x, judge.reference).mean(1) - 2 * torch.cdist(x, x).sum(1) / (COUNT - 1)
            own = torch.cdist(x, x).sum() / (COUNT * (COUNT - 1))
            energies.append(float(nearness.mean() + own) - judge.reference_self)
            variances.append(float(nearness.var()) / COUNT)
            posterior = judge.posterior
            off = (x.mean(0) - posterior.weights.float() @ posterior.means.float()).square() - x.var(0) / COUNT
            means.append(float(off.sum() / judge.reference.var(0).sum()))
        error = sum(variances) ** 0.5 / GIVEN
        return Found(statistics.fmean(energies), error, statistics.fmean(means), used)


def parsed(budget: str) -> tuple[int, float]:
    steps, each = budget.split("x")
    return int(steps), float(each)


def worse_with_more(found: dict[tuple[int, str, str], Found], method: str) -> list[str]:
    """Where twice the steps came out farther from the truth, beyond two standard errors of the difference."""
    said = []
    for number in sorted({key[0] for key in found}):
        for few, many in (("10x2", "20x2"), ("20x2", "40x2")):
            if (number, method, few) in found and (number, method, many) in found:
                a, b = found[number, method, few], found[number, method, many]
                if b.energy - a.energy > 2 * math.hypot(a.error, b.error):
                    said.append(f"{number} ({few} {a.energy:.2f}, {many} {b.energy:.2f})")
    return said


def page(found: dict[tuple[int, str, str], Found], names: dict[int, str], solver: str) -> str:
    """All tables, in Markdown."""
    methods, budgets = ([v for v in order if any(v in key for key in found)] for order in (METHODS, BUDGETS))
    parts = []
    means: list[list[str | float]] = []
    for method in methods:
        row: list[str | float] = [method]
        for budget in budgets:
            some = [cell for key, cell in found.items() if key[1:] == (method, budget)]
            row.append(f"{average(c.energy for c in some):.3f} / {average(c.mean for c in some):.3f}")
        means.append([*row, ", ".join(worse_with_more(found, method))])
    header = ["", *budgets, "farther with more steps"]
    parts.append(Table(f"Mean of {len(names)} problems, {solver}", header, means, level=2).text)
    for number, name in names.items():
        rows = [
            [method, *(str(found.get((number, method, budget), "-")) for budget in budgets)]
            for method in methods
            if any(key[:2] == (number, method) for key in found)
        ]
        parts.append(Table(name, ["", *budgets], rows, level=2).text)
    return "\n".join(parts)


def average(values: Iterable[float]) -> float:
    return statistics.fmean(list(values))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    numbers = [str(number) for number in range(PROBLEMS)]
    parser.add_argument("--random", type=int, required=True, metavar="SEED")
    parser.add_argument("--problems", default=",".join(numbers), help="for example 0-3,7")
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--budgets", default=",".join(BUDGETS))
    parser.add_argument("--solver", choices=SOLVERS, default="euler")
    options = parser.parse_args()
    torch.set_num_threads(1)
    problems, methods, budgets = (
        chosen(text, every)
        for text, every in ((options.problems, numbers), (options.methods, METHODS), (options.budgets, BUDGETS))
    )
    found, names = {}, {}
    for number in map(int, problems):
        problem, start = draw(options.random, number), time.perf_counter()
        bench, names[number] = Bench(problem), problem.name
        print(f"{problem.name} ({time.perf_counter() - start:.0f} s to prepare)", flush=True)
        for method in methods:
            for budget in budgets:
                start = time.perf_counter()
                if cell := bench.run(method, options.solver, budget):
                    found[number, method, budget] = cell
                    spent = f"{cell.used} evaluations, {time.perf_counter() - start:.1f} s"
                    print(f"{number:3} {method:8} {budget:5} {cell} ({spent})", flush=True)
    text = page(found, names, options.solver)
    print(text)
    if (problems, methods, budgets, options.solver) == (numbers, list(METHODS), list(BUDGETS), "euler"):
        write(RESULTS / "random.md", f"{INTRODUCTION}Seed {options.random}.\n\n{text}")
