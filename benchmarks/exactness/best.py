"""Every method at its best setting, on five small problems and as a rectified flow; its page is results/exactness.md.

For each problem, method and budget every setting of `settings.py` runs once on a small sample with a seed of its own;
the one with the smallest energy distance then runs with three fresh seeds, and these count.
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..report import RESULTS, KeptCells, Table, chosen, write
from .metrics import Judge
from .problems import PROBLEMS, textured_fields
from .sampling import inpaint, model_of, sigmas
from .settings import METHODS, Setting, settings

BUDGETS = (20, 40, 100, 8, 16, 200, 400)  # in the order in which they run
SEEDS = (1, 2, 3)
SELECTION_SEED = 1000
GIVEN, GIVEN_MIXTURE = 4, 16  # known parts of a problem of pictures, and of another: each allows modes of its own
FLOW = "flow"  # the textured fields as a rectified flow
FLOW_BUDGETS = (20, 40, 100)
KEYS = (*PROBLEMS, FLOW)
FOLDER = RESULTS / "exactness"
MEASURES = {
    "energy": "energy distance",
    "sliced": "sliced Wasserstein",
    "modes": "mode-weight total variation",
    "gap": "log-density gap",
    "seam": "seam ratio",
}

INTRODUCTION = """# Distance to the exact posterior

Written by `python benchmarks exactness`; every measured cell is in `exactness/`.

Denoisers that are known in closed form, inside a real host model, sampled by the host's own SamplerCustomAdvanced and
the pack's own samplers. Three seeds. Of the fields four known parts, 384 pictures for each and each seed (96 beyond 100
evaluations); of both 2-D mixtures and the 16-D one, where every known part allows other modes, sixteen known parts and
96 pictures. Each method runs at its best setting (solver, scheduler, steps, jumps or inner steps; see `settings.py`),
chosen for each budget on a sample and a seed of its own by energy distance. Measures: see `metrics.py`; the energy
distance is unbiased, so that exact samples score 0 on average and can score below it; a log-density gap below 0 means
over-smoothed; a seam ratio of 1 means no seam (Composite's `seam_energy`; the cells kept here have root mean squares in
the place of its means, the same to 5%). The ring shows where matching the mean fails.

Where the methods fall short. The noise of the known part is held to what noise could be (`plausible`), which serves
large pictures, distilled models and mixtures (`random.md`) and costs a part of the nearness on one small field: without
that bound Match came to .003 on the random field at 40 evaluations, to .006 on the textures and to .30 on the 16-D
mixture. Blend is one correction a step. On the ring, modes that y rules out lie so near to those it allows that the
mean, which is all that Match matches, does not tell them apart. Match over-smooths with few steps. Blend and Match were
not measured anew at 200 and 400 evaluations.
"""


class BestOfProblem:
    """The cells of one problem: measured once, kept in a file, read from there afterwards.

    Arguments:
        key: one of KEYS.
        path: of the file; None keeps nothing.
        counts: pictures for each of GIVEN known parts, as many in all where there are more: to select a setting, and to
            measure the selected one; beyond 100 evaluations of a problem of pictures a quarter of them.
    """

    def __init__(self, key: str, path: Path | None, counts: tuple[int, int]) -> None:
        self.key, self.cells = key, KeptCells(path)
        self.problem = textured_fields() if key == FLOW else PROBLEMS[key]()
        self.model = model_of(self.problem, flow=key == FLOW)
        given = GIVEN if self.problem.is_picture else GIVEN_MIXTURE
        self.given, self.counts = self.problem.given(given), tuple(count * GIVEN // given for count in counts)
        self.judges = [Judge(self.problem, y, 512 if path is None else 2048) for y in self.given]

    def mean(self, samples: tuple[Tensor, ...]) -> dict[str, float | str]:
        measures = [judge.measure(x) for judge, x in zip(self.judges, samples, strict=True)]
        return {name: statistics.fmean(m[name] for m in measures) for name in measures[0]}

    def floor(self, seed: int) -> dict[str, float | str]:
        """What exact samples of the same number score: the noise of the measures themselves."""
        generator = torch.Generator().manual_seed(seed)
        return self.mean(tuple(judge.posterior.sample(self.counts[1], generator) for judge in self.judges))

    def run(self, setting: Setting, count: int, seed: int) -> dict[str, float | str]:
        """One run of `count` pictures for each known part."""
        y = self.given.repeat_interleave(count, 0)
        schedule = sigmas(self.model, setting.scheduler, setting.steps)
        stacked = 1 if setting.one_picture_a_latent else count
        x, evaluations = inpaint(self.model, setting.sampler, schedule, self.problem, y, seed, stacked)
        return {**self.mean(x.split(count)), "evaluations": evaluations}

    def best(self, method: str, budget: int) -> Setting | None:
        """The setting of the method that comes nearest to the posterior on the selection sample."""

        def energy(setting: Setting) -> float:
            name = f"{method} | {budget} | {setting.label} | selection"
            return self.cells.measured(name, lambda: self.run(setting, self.counts[0], SELECTION_SEED))["energy"]

        return min(settings(method, self.model, budget), key=energy, default=None)

    def measure(self, method: str, budget: int) -> None:
        setting = self.best(method, budget)
        if setting is None:
            return
        count = self.counts[1] // (4 if self.problem.is_picture and budget > 100 else 1)
        for seed in SEEDS:
            name = f"{method} | {budget} | best | seed {seed}"
            cell = self.cells.measured(
                name, lambda seed=seed: {"setting": setting.label, **self.run(setting, count, seed)}
            )
            print(f"{self.key:9} {name:36} {cell['setting']:40} energy {cell['energy']:8.4f}", flush=True)


def best_settings(options: argparse.Namespace) -> None:
    keys = chosen(options.problems, KEYS) if options.problems else ["plane", "field"] if options.quick else KEYS
    methods = chosen(options.methods, METHODS) if options.methods else METHODS
    budgets = [int(budget) for budget in options.budgets.split(",")] if options.budgets else BUDGETS
    if options.quick:
        budgets = [8, 20]
    for key in () if options.report_only else keys:
        path, counts = (None, (16, 32)) if options.quick else (FOLDER / f"{key}.json", (48, 384))
        problem = BestOfProblem(key, path, counts)
        for seed in SEEDS:
            floor = problem.cells.measured(f"floor | seed {seed}", lambda seed=seed, one=problem: one.floor(seed))
            print(f"{key:9} exact samples against exact samples: energy {floor['energy']:8.4f}")
        for budget in budgets:
            for method in methods:
                if key != FLOW or budget in FLOW_BUDGETS:
                    problem.measure(method, budget)
    if not options.quick:
        kept = {key: KeptCells(FOLDER / f"{key}.json").found for key in KEYS}
        write(RESULTS / "exactness.md", "\n".join([INTRODUCTION, *(tables(*item) for item in kept.items() if item[1])]))


def tables(key: str, cells: dict[str, Any]) -> str:
    """Energy distance against budget, and all measures at 40 and 100 evaluations, in Markdown."""
    budgets = sorted({int(name.split(" | ")[1]) for name in cells if " | best | " in name})
    found = {
        (method, budget): [cell for name, cell in cells.items() if name.startswith(f"{method} | {budget} | best | ")]
        for method in METHODS
        for budget in budgets
    }
    floor = [cell for name, cell in cells.items() if name.startswith("floor")]
    rows = [[method, *(spread(found[method, budget]) for budget in budgets)] for method in METHODS]
    name = "textured fields, rectified flow" if key == FLOW else PROBLEMS[key]().name
    heading = f"## {name}\n\nEnergy distance, mean of the seeds ± half their range.\n"
    note = f"Exact samples of the same number: {spread(floor)}."
    parts = [heading, Table("", ["evaluations", *map(str, budgets)], rows, note).text]
    measures = [measure for measure in MEASURES if measure in floor[0]]
    header = ["method", "best setting", "used", *(MEASURES[measure] for measure in measures)]
    for budget in (budget for budget in (40, 100) if budget in budgets):
        rows = [
            [method, some[0]["setting"], some[0]["evaluations"], *means(some, measures)]
            for method in METHODS
            if (some := found[method, budget])
        ]
        rows.append(["exact samples", "", "", *means(floor, measures)])
        parts += [f"At {budget} evaluations:\n", Table("", header, rows).text]
    return "\n".join(parts)


def spread(cells: list[dict[str, Any]]) -> str:
    energies = [cell["energy"] for cell in cells]
    return f"{statistics.fmean(energies):.4f} ± {(max(energies) - min(energies)) / 2:.4f}" if cells else "-"


def means(cells: list[dict[str, Any]], measures: list[str]) -> list[str]:
    return [f"{statistics.fmean(cell[measure] for cell in cells):.4f}" for measure in measures]
