"""Every model family x method x solver x scheduler on tiny models in the real host: does each keep every promise?

    python benchmarks/matrix                       all of it: ten thousand cells, some twenty minutes on one core
    python benchmarks/matrix --families eps sd3    only these, printed and not kept

The cells and their checks are those of the tests (`tests/host/cells.py`), which run every fifty-third.
"""

import argparse
import csv
import sys
import time
import warnings
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "demo"), str(ROOT / "tests" / "host")]

import in_process  # noqa: E402

HOST = in_process.start()

import torch  # noqa: E402
from cells import METHODS, SCHEDULERS, SOLVERS, STEPS, TOLERANCE, Cell, Found, cells, family, jump_error, run  # noqa: E402
from families import FAMILIES  # noqa: E402
from tiny import sigmas  # noqa: E402

RESULTS = ROOT / "benchmarks" / "results" / "matrix"
DRAWS = 1_000_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--families", nargs="+", choices=list(FAMILIES), default=list(FAMILIES), metavar="NAME")
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")  # of solvers, about rounding and numpy
    found, rows = {}, []
    for name in options.families:
        start = time.process_time()
        found |= {cell: attempt(cell) for cell in cells() if cell.family == name}
        own = [found[cell] for cell in found if cell.family == name]
        counts = [sum(map(bool, (f.wrong for f in own))), sum(bool(f.refused and not f.wrong) for f in own)]
        per_method = {m: sum(right(f) for c, f in found.items() if c[:2] == (name, m)) for m in METHODS}
        seconds = time.process_time() - start
        rows.append(f"| {name} | {' | '.join(map(str, per_method.values()))} | {counts[1]} | {counts[0]} | "
                    f"{law(name):.1f} | {seconds:.0f} |")  # fmt: skip
        sys.stdout.write(rows[-1] + "\n")
        sys.stdout.flush()
    wrong = [f"- {' '.join(cell)}: {f.wrong}" for cell, f in found.items() if f.wrong]
    if options.families == list(FAMILIES):
        keep(found)
        RESULTS.with_suffix(".md").write_text(page(rows, wrong, found))
    sys.stdout.write("\n".join(wrong) + "\n")
    sys.exit(bool(wrong))


def attempt(cell: Cell) -> Found:
    """A cell that raises is a wrong one, and the others go on."""
    try:
        return run(cell)
    except Exception as error:
        return Found(wrong=f"{type(error).__name__}: {error}")


def right(found: Found) -> bool:
    return not found.wrong and not found.refused


def law(name: str) -> float:
    """The worst of some forward jumps against direct noising, in standard errors."""
    model = family(name).model
    sampling, schedule = model.get_model_object("model_sampling"), sigmas(model, 6).tolist()
    pairs = [(low, high) for high in range(3) for low in range(high + 1, 5)]
    return max(jump_error(sampling, schedule[low], schedule[high], DRAWS, seed=9 * low + high) for low, high in pairs)


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
