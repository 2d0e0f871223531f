"""Every method as KSampler runs it, nothing chosen by the answer: on mixtures drawn from a seed, and in few steps."""

from __future__ import annotations

import argparse
import math
import statistics
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

from latent_repaint.samplers.host import combine
from latent_repaint.samplers.methods import Blend, Match, RePaintBudget

from ..report import RESULTS, Table, chosen, write
from .fields import LARGE, MIXTURES, draw
from .metrics import Judge
from .problems import PROBLEMS, Problem
from .sampling import inpaint, model_of, sigmas, solver

METHODS = ("host", "blend", "repaint", "match")
SOLVERS = ("euler", "euler_ancestral", "lcm", "dpmpp_sde")
SCHEDULER = "karras"
BUDGETS = ("5x4", "10x2", "20x2", "40x2", "20x4")  # steps x evaluations a step
FEW = ("4x2", "6x1.5", "8x1", "8x2", "10x2", "5x4", "20x2")
FEW_PROBLEMS = {**LARGE, **{key: PROBLEMS[key] for key in ("field", "textures", "weak", "plane")}}

MEASURES = f"""Energy distance of the painted part to the exact posterior ± its standard error over the pictures, and
behind the strokes the squared error of the painted part's mean over the posterior's variance (what the pictures scatter
is subtracted: 0 is right) and the log-density gap (below 0: too smooth). {SCHEDULER}. A column is steps x evaluations a
step; the host and Blend have as many steps of one evaluation."""


class Distance(NamedTuple):
    """Of one run to the exact posterior.

    Attributes:
        energy, error: energy distance, and its standard error.
        mean: squared error of the mean, over the posterior's variance.
        gap: in log-density, below 0 where the pictures are too smooth.
        used: model evaluations.
    """

    energy: float
    error: float
    mean: float
    gap: float
    used: int

    def __str__(self) -> str:
        return f"{self.energy:.2f} ± {self.error:.2f} / {self.mean:.3f} / {self.gap:.0f}"


class PosteriorTrial:
    """One problem, its model, some known parts, and the posterior of each.

    Arguments:
        given: known parts, shape (n, known cells).
        count: pictures of each, all in one batch.
        seeds: of the runs, whose measures are averaged.
    """

    def __init__(self, problem: Problem, given: Tensor, count: int, seeds: tuple[int, ...] = (1,)) -> None:
        self.problem, self.given, self.count, self.seeds = problem, given, count, seeds
        self.model = model_of(problem)
        self.judges = [Judge(problem, y, 1024) for y in given]
        self.runs: dict[tuple[str, str, Any], Distance] = {}

    def run(self, method: str, solver_name: str, budget: str) -> Distance:
        sampler, steps = sampler_and_steps(method, solver_name, budget)
        # of the host and Blend 5x4 and 10x2 are one run
        same = method, solver_name, steps if method in ("host", "blend") else budget
        if same not in self.runs:
            found = [self.sampled(sampler, steps, seed) for seed in self.seeds]
            means = Distance(*(statistics.fmean(values) for values in zip(*found, strict=True)))
            error = math.hypot(*(one.error for one in found)) / len(found)
            self.runs[same] = means._replace(error=error, used=found[0].used)
        return self.runs[same]

    def sampled(self, sampler: Any, steps: int, seed: int) -> Distance:
        y = self.given.repeat_interleave(self.count, 0)
        schedule = sigmas(self.model, SCHEDULER, steps)
        samples, used = inpaint(self.model, sampler, schedule, self.problem, y, seed)
        count, found = self.count, []
        for judge, x in zip(self.judges, samples.split(count), strict=True):
            nearness = 2 * torch.cdist(x, judge.reference).mean(1) - 2 * torch.cdist(x, x).sum(1) / (count - 1)
            own = torch.cdist(x, x).sum() / (count * (count - 1))
            posterior = judge.posterior
            off = (x.mean(0) - posterior.weights.float() @ posterior.means.float()).square() - x.var(0) / count
            found.append((
                float(nearness.mean() + own) - judge.reference_self,
                float(nearness.var()) / count,
                float(off.sum() / judge.reference.var(0).sum()),
                judge.gap(x),
            ))  # fmt: skip
        energy, variance, mean, gap = (statistics.fmean(values) for values in zip(*found, strict=True))
        return Distance(energy, (variance / len(found)) ** 0.5, mean, gap, used)


def sampler_and_steps(method: str, solver_name: str, budget: str) -> tuple[Any, int]:
    """The method's SAMPLER, and its steps; dpmpp_sde asks twice a step, so it has half of them."""
    steps, each = (float(part) for part in budget.split("x"))
    twice = 2 if solver_name == "dpmpp_sde" else 1
    inner = solver(solver_name)
    if method == "host":
        return inner, round(steps * each / twice)
    if method == "blend":
        return combine(inner, Blend(), "benchmark"), round(steps * each / twice)
    if method == "repaint":
        return combine(inner, RePaintBudget(evaluations_per_step=each), "benchmark"), round(steps / twice)
    extra = steps * (each - 1) / round(steps / twice)
    return combine(inner, Match(inner_steps=extra), "benchmark"), round(steps / twice)


def random_mixtures(options: argparse.Namespace) -> None:
    numbers = [str(number) for number in range(MIXTURES)]
    problems = chosen(options.problems, numbers) if options.problems else numbers
    drawn = (draw(options.random, int(number)) for number in problems)
    text = measured((PosteriorTrial(problem, problem.given(8), 16) for problem in drawn), options, BUDGETS)
    if (options.problems, options.methods, options.budgets, options.solver) == ("", "", "", "euler"):
        heading = f"# Mixtures drawn at random\n\nWritten by `python benchmarks exactness --random {options.random}`."
        given = "Eight known parts of each problem, 16 pictures of each."
        write(RESULTS / "random.md", f"{heading} {given}\n{MEASURES}\n\n{text}")


def few_steps(options: argparse.Namespace) -> None:
    keys = chosen(options.problems, list(FEW_PROBLEMS)) if options.problems else FEW_PROBLEMS
    problems = (FEW_PROBLEMS[key]() for key in keys)
    measured((PosteriorTrial(problem, problem.given(4)[2:], 64, (1, 2, 3)) for problem in problems), options, FEW)


def measured(trials: Iterator[PosteriorTrial], options: argparse.Namespace, every_budget: tuple[str, ...]) -> str:
    """Run and print all; the tables, in Markdown."""
    methods = chosen(options.methods, METHODS) if options.methods else list(METHODS)
    budgets = options.budgets.split(",") if options.budgets else list(every_budget)
    found: dict[tuple[str, str, str], Distance] = {}
    for trial in trials:
        name = trial.problem.name
        for method in methods:
            for budget in budgets:
                start = time.perf_counter()
                found[name, method, budget] = cell = trial.run(method, options.solver, budget)
                spent = f"{cell.used} evaluations, {time.perf_counter() - start:.1f} s"
                print(f"{name:32} {method:8} {budget:5} {cell} ({spent})", flush=True)
    names, means = list(dict.fromkeys(name for name, *_ in found)), []
    for method in methods:
        row = [method]
        for budget in budgets:
            cells = [found[name, method, budget] for name in names]
            energy, mean = (
                statistics.fmean(values) for values in zip(*((c.energy, c.mean) for c in cells), strict=True)
            )
            row.append(f"{energy:.3f} / {mean:.3f}")
        means.append([*row, ", ".join(worse_with_more(found, names, method))])
    header = ["", *budgets, "farther with more steps"]
    parts = [Table(f"Mean of {len(names)} problems, {options.solver}", header, means, level=2).text]
    for name in names:
        rows = [[method, *(str(found[name, method, budget]) for budget in budgets)] for method in methods]
        parts.append(Table(name, ["", *budgets], rows, level=2).text)
    text = "\n".join(parts)
    print(text)
    return text


def worse_with_more(found: dict[tuple[str, str, str], Distance], names: list[str], method: str) -> list[str]:
    """Where twice the steps came out farther from the truth, beyond two standard errors of the difference."""
    said = []
    for name in names:
        for few, many in (("10x2", "20x2"), ("20x2", "40x2")):
            a, b = found.get((name, method, few)), found.get((name, method, many))
            if a and b and b.energy - a.energy > 2 * math.hypot(a.error, b.error):
                said.append(f"{name.split(':')[0]} ({few} {a.energy:.2f}, {many} {b.energy:.2f})")
    return said
