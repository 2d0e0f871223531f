"""How far is each inpainting sampler from the exact posterior, at equal numbers of model evaluations?

    python benchmarks exactness            all problems, hours on two cores; resumes where it was stopped
    python benchmarks exactness --quick    a minute: small samples, small budgets, nothing kept
    python benchmarks exactness --random SEED    twelve mixtures of fields drawn from a seed; see random_command.py

For each problem, method and budget every setting of `methods.py` runs once on a small sample with a seed of its own;
the one with the smallest energy distance then runs with three fresh seeds, and these count.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from pathlib import Path

import torch
from torch import Tensor

from ..report import RESULTS, Cells
from . import random_command
from .analytic_model import exact_denoiser, inpaint, patcher, sigmas
from .methods import METHODS, Setting
from .metrics import Judge
from .page import VARIANTS, write_page
from .problems import PROBLEMS, Problem, textured_fields

BUDGETS = (20, 40, 100, 8, 16, 200, 400)  # in the order in which they run
SEEDS = (1, 2, 3)
SELECTION_SEED = 1000
GIVEN, GIVEN_MIXTURE = 4, 16  # known parts of a problem of pictures, and of another: each allows modes of its own


class Bench:
    """The cells of one problem: measured once, kept in a file, read from there afterwards.

    Arguments:
        key: the problem's name in the files; "flow" is the textured fields as a rectified flow.
        path: of the file; None keeps nothing.
        counts: pictures for each of GIVEN known parts, as many in all where there are more: to select a setting, and to
            measure the selected one; beyond 100 evaluations of a problem of pictures a quarter of them.
    """

    def __init__(self, key: str, path: Path | None, counts: tuple[int, int]) -> None:
        self.key, self.cells = key, Cells(path)
        self.problem: Problem = textured_fields() if key in VARIANTS else PROBLEMS[key]()
        self.model = patcher(exact_denoiser(self.problem), flow=key == "flow")
        given = GIVEN if self.problem.is_picture else GIVEN_MIXTURE
        self.given, self.counts = self.problem.given(given), tuple(count * GIVEN // given for count in counts)
        self.judges = [Judge(self.problem, y, 512 if path is None else 2048) for y in self.given]

    def _mean(self, samples: tuple[Tensor, ...]) -> dict[str, float]:
        measures = [judge.measure(x) for judge, x in zip(self.judges, samples, strict=True)]
        return {name: statistics.fmean(m[name] for m in measures) for name in measures[0]}

    def floor(self, seed: int) -> dict[str, float | str]:
        """What exact samples of the same number score: the noise of the measures themselves."""
        generator = torch.Generator().manual_seed(seed)
        return self._mean(tuple(judge.posterior.sample(self.counts[1], generator) for judge in self.judges))

    def run(self, setting: Setting, count: int, seed: int) -> dict[str, float | str]:
        """One run of `count` pictures for each known part."""
        y = self.given.repeat_interleave(count, 0)
        schedule = sigmas(self.model, setting.scheduler, setting.steps)
        stacked = 1 if setting.one_picture_a_latent else count
        x, evaluations = inpaint(self.model, setting.sampler, schedule, self.problem, y, seed, stacked)
        return {**self._mean(x.split(count)), "evaluations": evaluations}

    def best(self, method: str, budget: int) -> Setting | None:
        """The setting of the method that comes nearest to the posterior on the selection sample."""
        settings = list(METHODS[method](self.model, budget))

        def energy(setting: Setting) -> float:
            name = f"{method} | {budget} | {setting.label} | selection"
            return self.cells.measured(name, lambda: self.run(setting, self.counts[0], SELECTION_SEED))["energy"]

        return min(settings, key=energy) if settings else None

    def measure(self, method: str, budget: int) -> None:
        setting = self.best(method, budget)
        if setting is None:
            return
        count = self.counts[1]
        if self.problem.is_picture and budget > 100:
            count //= 4
        for seed in SEEDS:
            name = f"{method} | {budget} | best | seed {seed}"
            cell = self.cells.measured(
                name, lambda seed=seed: {"setting": setting.label, **self.run(setting, count, seed)}
            )
            sys.stdout.write(f"{self.key:9} {name:36} {cell['setting']:40} energy {cell['energy']:8.4f}\n")
            sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    if any(argument.startswith("--random") for argument in sys.argv):
        return random_command.main()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--problems", nargs="+", choices=[*PROBLEMS, *VARIANTS], default=[*PROBLEMS, *VARIANTS])
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--budgets", nargs="+", type=int, choices=BUDGETS, default=list(BUDGETS))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--random", metavar="SEED", help="with options of its own: see random_command.py")
    parser.add_argument("--report-only", action="store_true", help="write table and plot from what is there")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.quick:
        options.budgets, options.problems = [8, 20], ["plane", "field"]
    cells = RESULTS / "exactness"
    cells.mkdir(parents=True, exist_ok=True)
    for key in () if options.report_only else options.problems:
        counts = (16, 32) if options.quick else (48, 384)
        bench = Bench(key, None if options.quick else cells / f"{key}.json", counts)
        for seed in SEEDS:
            floor = bench.cells.measured(f"floor | seed {seed}", lambda seed=seed, bench=bench: bench.floor(seed))
            sys.stdout.write(f"{key:9} exact samples against exact samples: energy {floor['energy']:8.4f}\n")
        for budget in options.budgets:
            for method in options.methods:
                if key not in VARIANTS or budget in (20, 40, 100):
                    bench.measure(method, budget)
    if not options.quick:
        write_page(cells, RESULTS)
