"""All cells of one family, and the law of its jumps: what each process of the command works at, and imports."""

import time
import warnings
from dataclasses import dataclass

import torch

from comfyui_host.tiny import sigmas

from .cells import Cell, Found, cells, family, jump_error, run

DRAWS = 1_000_000


@dataclass(frozen=True)
class Run:
    """All cells of one family, the law of its jumps, and what the processor needed for them."""

    found: dict[Cell, Found]
    jump: float
    seconds: float


def run_family(name: str) -> Run:
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")  # of solvers, about rounding and numpy
    start = time.process_time()
    found = {cell: attempt(cell) for cell in cells() if cell.family == name}
    return Run(found, law(name), time.process_time() - start)


def attempt(cell: Cell) -> Found:
    """A cell that raises is a wrong one, and the others go on."""
    try:
        return run(cell)
    except Exception as error:
        return Found(wrong=f"{type(error).__name__}: {error}")


def law(name: str) -> float:
    """The worst of some forward jumps against direct noising, in standard errors."""
    model = family(name).model
    sampling, schedule = model.get_model_object("model_sampling"), sigmas(model, 6).tolist()
    pairs = [(low, high) for high in range(3) for low in range(high + 1, 5)]
    return max(jump_error(sampling, schedule[low], schedule[high], DRAWS, seed=9 * low + high) for low, high in pairs)
