"""Large pictures and few steps: distance to the exact posterior at equal evaluations, nothing chosen by the answer.

python benchmarks few_steps                    the whole table, an hour on one core; resumes where it was stopped
python benchmarks few_steps --problems field   some of it
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

# isort: off
from ..report import RESULTS, Cells, Table, write
from .analytic_model import exact_denoiser, inpaint, patcher, sigmas, solver
from .large import LARGE
from .metrics import Judge
from .problems import PROBLEMS, GaussianMixture, Problem

# importable only once analytic_model has started the host
from latent_repaint.samplers.methods import Blend
from latent_repaint.samplers.host import combine
from latent_repaint.samplers.methods import Match
from latent_repaint.samplers.methods import RePaintBudget
# isort: on

SMALL = ("field", "textures", "weak", "plane")
ALL: dict[str, Callable[[], Problem]] = {**LARGE, **{key: PROBLEMS[key] for key in SMALL}}
RUNS = ((4, 2.0), (6, 1.5), (8, 1.0), (8, 2.0), (10, 2.0), (5, 4.0), (20, 2.0))  # steps, evaluations a step
SOLVERS = ("euler", "euler_ancestral", "lcm", "dpmpp_sde")
SCHEDULER = "karras"
SEEDS = (1, 2, 3)
GIVEN, COUNT = 2, 64  # known parts, and pictures of each
METHODS = ("exact", "host", "blend", "repaint", "match")
INTRODUCTION = f"""# Large pictures, few steps

Written by `python benchmarks few_steps`. Energy distance to the exact posterior and, behind the stroke, the log-density
gap (below 0: over-smoothed), means of seeds {SEEDS}, {GIVEN} known parts, {COUNT} pictures of each;
{SCHEDULER}, each method as KSampler runs it. Kriging, Match's haste and its correction of long steps were chosen on
some of these runs of the fields, among others. Every method has the evaluations of its column: steps x evaluations a
step for RePaint and Match, so many steps of one evaluation for the host and Blend. dpmpp_sde asks twice a step: it has
half the steps, which in 4 x 2 and 5 x 4 leaves RePaint and Match two. The first of them leads from the most noise to
next to none, and all is decided where y is invisible: there, neither method is any good.

`exact` is the solver alone on E[x_0 | x_u, y], which is not to be had in practice, with as many steps as Match has:
what is left there is the solver's own error. Only where that denoiser is known in closed form.

"""


def sampler_and_steps(method: str, name: str, steps: int, each: float) -> tuple[Any, int]:
    """The method's SAMPLER, and its steps."""
    twice = 2 if name == "dpmpp_sde" else 1
    inner = solver(name)
    if method == "exact":
        return inner, round(steps / twice)
    if method == "host":
        return inner, round(steps * each / twice)
    if method == "blend":
        return combine(inner, Blend(known_noise="predicted"), "benchmark"), round(steps * each / twice)
    if method == "repaint":
        return combine(inner, RePaintBudget(evaluations_per_step=each), "benchmark"), round(steps / twice)
    extra = steps * (each - 1) / round(steps / twice)
    return combine(inner, Match(inner_steps=extra), "benchmark"), round(steps / twice)


def exact_posterior(problem: Problem, y: Tensor, posterior: GaussianMixture) -> Callable[[Tensor, Tensor], Tensor]:
    """E[x_0 | x_u, y] for each picture, shape (B, 1, h, w); whatever stands in the known part of x."""

    def denoise(x: Tensor, sigma: Tensor) -> Tensor:
        denoised = x.flatten(1).clone()
        denoised[:, problem.known] = y
        denoised[:, ~problem.known] = posterior.denoise(x.flatten(1)[:, ~problem.known], sigma)
        return denoised.view_as(x)

    return denoise


class Bench:
    """One problem, its model, its known parts and their judges."""

    def __init__(self, key: str) -> None:
        self.problem = ALL[key]()
        self.model = patcher(exact_denoiser(self.problem))
        self.given = self.problem.given(2 * GIVEN)[GIVEN:]
        self.judges = [Judge(self.problem, y, 1024) for y in self.given]

    def run(self, method: str, name: str, steps: int, each: float, seed: int) -> dict[str, float | str]:
        sampler, walked = sampler_and_steps(method, name, steps, each)
        schedule = sigmas(self.model, SCHEDULER, walked)
        if method == "exact":  # a denoiser for each known part
            models = [patcher(exact_posterior(self.problem, judge.y, judge.posterior)) for judge in self.judges]
            ys = self.given[:, None].expand(-1, COUNT, -1)
        else:
            models, ys = [self.model], self.given.repeat_interleave(COUNT, 0)[None]
        runs = [inpaint(model, sampler, schedule, self.problem, y, seed) for model, y in zip(models, ys, strict=True)]
        samples, used = torch.cat([x for x, _used in runs]), runs[0][1]
        found = [judge.measure(part) for judge, part in zip(self.judges, samples.split(COUNT), strict=True)]
        return {name: statistics.fmean(f[name] for f in found) for name in ("energy", "gap")} | {"used": used}


def table(cells: dict[str, Any], key: str, name: str) -> str:
    """A row a method, a column a run; empty where nothing is measured."""
    rows = []
    for method in METHODS:
        row = [method]
        for steps, each in RUNS:
            found = [cells.get(f"{key} | {name} | {method} | {steps}x{each:g} | {seed}") for seed in SEEDS]
            if None in found:
                row.append("-")
            else:
                energy, gap = (statistics.fmean(cell[measure] for cell in found) for measure in ("energy", "gap"))
                row.append(f"{energy:.3f} / {gap:.1f}")
        rows.append(row)
    if all(cell == "-" for row in rows for cell in row[1:]):
        return ""
    title = f"{ALL[key]().name}, {name}"
    return Table(title, ["", *(f"{steps} x {each:g}" for steps, each in RUNS)], rows, level=2).text + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", nargs="+", choices=ALL, default=list(ALL))
    parser.add_argument("--solvers", nargs="+", choices=SOLVERS, default=list(SOLVERS))
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    cells = Cells(RESULTS / "exactness" / "few_steps.json")
    for key in options.problems:
        bench = Bench(key)
        for name in options.solvers:
            for steps, each in RUNS:
                for method in options.methods:
                    if method == "exact" and key in LARGE:
                        continue
                    for seed in SEEDS:
                        label = f"{key} | {name} | {method} | {steps}x{each:g} | {seed}"
                        cell = cells.measured(
                            label,
                            lambda method=method, name=name, steps=steps, each=each, seed=seed, bench=bench: bench.run(
                                method, name, steps, each, seed
                            ),
                        )
                        sys.stdout.write(
                            f"{label}: energy {cell['energy']:.4f}, gap {cell['gap']:.2f}, {cell['used']}\n"
                        )
                        sys.stdout.flush()
    tables = [table(cells.found, key, name) for key in ALL for name in SOLVERS]
    write(RESULTS / "few_steps.md", INTRODUCTION + "\n".join(t for t in tables if t))
