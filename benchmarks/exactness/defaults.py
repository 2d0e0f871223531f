"""The defaults of the nodes for 20 to 30 steps, decided by measurement: one setting varied, all else held.

    python benchmarks defaults            the whole table, an hour on one core; resumes where it stopped
    python benchmarks defaults --report-only

The 16-D mixture, both fields, and the textured fields under a learnt denoiser, whose column has the last word where
the exact ones disagree. Each figure is the mean over two inner solvers, two known parts and two seeds.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

# isort: off
from ..report import RESULTS, Cells, Table, write
from .analytic_model import exact_denoiser, inpaint, patcher, sigmas, solver
from .learnt import load
from .metrics import Judge
from .problems import PROBLEMS, textured_fields
from .page import title

# importable only once analytic_model has started the host
from latent_repaint.samplers.methods import Blend
from latent_repaint.samplers.host import combine
from latent_repaint.samplers.methods import Method
from latent_repaint.samplers.methods import MAX_RATIO, MIN_RATIO, Match
from latent_repaint.samplers.methods import RePaint, RePaintBudget
# isort: on

KEYS = ("weak", "field", "textures", "learnt")
SOLVERS = ("euler", "euler_ancestral")
SEEDS, GIVEN, COUNT, LEARNT_COUNT = (1, 2), 2, 128, 48

INTRODUCTION = """# What decided the defaults

Written by `python benchmarks defaults`. Energy distance to the exact posterior, karras schedule, mean over
euler and euler_ancestral, two known parts and two seeds ± the standard error of these eight, most of which is what one
known part is harder than the other and common to the rows of a table. The default in bold: where several are as good
within the spread, the one that guards against what these problems do not have (a leak above 0 against feedback that
winds up), and 20 steps because users choose their steps."""


@dataclass(frozen=True)
class Choice:
    """One row: a setting of one option, on a schedule of so many steps."""

    section: str
    label: str
    steps: int
    method: Method
    is_default: bool = False


def choices() -> Iterator[Choice]:
    for steps in (20, 30):
        for noise in ("fixed", "fresh", "predicted"):
            yield Choice(
                "Blend: known_noise", f"{noise}, {steps} steps", steps, Blend(known_noise=noise), noise == "predicted"
            )
    section = "Match: inner_steps at 20 steps"
    for inner in (0.0, 0.5, 1.0, 2.0, 4.0):
        yield Choice(section, f"{inner:g}", 20, Match(inner_steps=inner), inner == 1)
    section = "Match: steps against inner_steps, 40 evaluations in all"
    for steps in (40, 30, 20, 10, 5):
        yield Choice(
            section, f"{steps} steps, {40 / steps - 1:.3g}", steps, Match(inner_steps=40 / steps - 1), steps == 20
        )
    section = "Match: the noise levels b/a that get the extra evaluations, 20 steps, inner_steps 1"
    usual, others = (MIN_RATIO, MAX_RATIO), ((0.1, 10.0), (0.3, 3.0), (0.3, 5.0), (0.3, 10.0), (0.5, 5.0))
    for low, high in ((0.0, 1e9), (0.03, 3.0), (0.1, 1.0), usual, *others):
        method = Match(inner_steps=1.0, lowest=low, highest=high)
        yield Choice(section, f"{low:g} to {high:g}", 20, method, (low, high) == usual)
    section = "Match: leak, 20 steps, inner_steps 1"
    for leak in (0.0, 0.1, 0.3, 0.5, 0.7):
        yield Choice(section, f"{leak:g}", 20, Match(inner_steps=1.0, leak=leak), leak == Match.leak)
    section = "Match: leak, 20 steps, inner_steps 4"
    for leak in (0.0, 0.1, 0.3, 0.5):
        yield Choice(section, f"{leak:g}", 20, Match(inner_steps=4.0, leak=leak), leak == Match.leak)
    section = "RePaint: jump_length and jump_n_sample at 20 steps"
    for length, visits in ((1, 2), (1, 3), (1, 5), (5, 2), (5, 3), (5, 5), (10, 3), (10, 5)):
        method = RePaint(jump_length=length, jump_n_sample=visits)
        yield Choice(section, f"J={length}, r={visits}", 20, method, (length, visits) == (1, 3))
    section = "RePaint: start_percent and end_percent, 20 steps, J=1"
    for start, end, visits in ((0.0, 1.0, 3), (0.0, 0.5, 5), (0.25, 0.75, 5), (0.5, 1.0, 5)):
        method = RePaint(jump_length=1, jump_n_sample=visits, start_percent=start, end_percent=end)
        yield Choice(section, f"{start:g} to {end:g}, r={visits}", 20, method, (start, end) == (0, 1))
    section = "KSampler's repaint: start_percent of its jumps, 20 steps, 2 evaluations a step"
    for start in (0.0, 0.25, 0.5, 0.75):
        method = RePaintBudget(evaluations_per_step=2.0, start_percent=start)
        yield Choice(section, f"{start:g}", 20, method, start == RePaintBudget.start_percent)


class Study:
    """One problem: the mean energy distance of a choice, kept in a file."""

    def __init__(self, key: str, path: Path) -> None:
        self.problem = textured_fields() if key == "learnt" else PROBLEMS[key]()
        self.model = patcher(load() if key == "learnt" else exact_denoiser(self.problem))
        self.count, self.cells, self.key = LEARNT_COUNT if key == "learnt" else COUNT, Cells(path), key
        self.given = self.problem.given(GIVEN)
        self.judges = [Judge(self.problem, y, 2048) for y in self.given]

    def measure(self, choice: Choice) -> dict[str, float]:
        """Energy distance, its standard error over the eight runs, and the model evaluations of a run."""

        def energies() -> dict[str, float]:
            found, evaluations = [], 0
            y = self.given.repeat_interleave(self.count, 0)
            for inner in SOLVERS:
                sampler = combine(solver(inner), choice.method, "benchmark")
                for seed in SEEDS:
                    schedule = sigmas(self.model, "karras", choice.steps)
                    x, evaluations = inpaint(self.model, sampler, schedule, self.problem, y, seed)
                    parts = zip(self.judges, x.split(self.count), strict=True)
                    found += [judge.measure(part)["energy"] for judge, part in parts]
            error = statistics.stdev(found) / len(found) ** 0.5
            return {"energy": statistics.fmean(found), "error": error, "evaluations": evaluations}

        return self.cells.measured(f"{self.key} | {choice.section} | {choice.label}", energies)


def page(path: Path) -> str:
    """The tables of all that was measured so far, in Markdown."""
    cells = Cells(path).found
    sections: dict[str, list[list[str]]] = {}
    for choice in choices():
        found = [cells.get(f"{key} | {choice.section} | {choice.label}") for key in KEYS]
        energies = [f"{cell['energy']:.3f} ± {cell['error']:.3f}" if cell else "-" for cell in found]
        evaluations = next((str(cell["evaluations"]) for cell in found if cell), "-")
        row = [choice.label, evaluations, *energies]
        sections.setdefault(choice.section, []).append([f"**{x}**" if choice.is_default else x for x in row])
    columns = ["", "evaluations", *map(title, KEYS)]
    return "\n".join([INTRODUCTION, "", *(Table(name, columns, rows, level=2).text for name, rows in sections.items())])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--report-only", action="store_true", help="write the tables from what is there")
    parser.add_argument("--keys", nargs="+", choices=KEYS, default=list(KEYS))
    options = parser.parse_args()
    torch.set_num_threads(1)
    path = RESULTS / "exactness" / "defaults.json"
    for key in () if options.report_only else options.keys:
        study = Study(key, path)
        for choice in choices():
            cell = study.measure(choice)
            sys.stdout.write(f"{key:9} {choice.section:50} {choice.label:22} {cell['energy']:8.4f}\n")
            sys.stdout.flush()
    write(RESULTS / "defaults.md", page(path))
