"""Coarse weights and compiled models against the same in float32, with the host's own sampler as the measure."""

from __future__ import annotations

import time
from statistics import mean
from typing import Any

import torch
from comfy_api.torch_helpers import set_torch_compile_wrapper
from torch import Tensor

from ..cost import models
from ..cost.measure import METHODS, Case
from ..report import Table
from . import HOST

DTYPES = {
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
    "float8_e4m3fn": torch.float8_e4m3fn,
    "float8_e5m2": torch.float8_e5m2,
}
FEWEST = 0.002  # of the painted part: a difference that counts as none
ALLOWED = 2.0  # times the host's own difference in the same precision
WITH_FEEDBACK = {"Blend predicted": 3.0, "RePaint 1/2": 3.0, "Match 1": 5.0}
"""The same for methods that answer what the model says of the kept part, or ask it twice, its errors included: with
every weight changed by 1 % at random, Match's picture moves 5 times as far as the host's at 20 steps, without any
coarse arithmetic."""
SEEDS = range(6)
"""Pictures that a difference is the mean of: in coarse weights now and then another picture comes out."""
SHOWN = ("host", "Blend predicted", "RePaint 1/2", "Match 1")


def demo(dtype: torch.dtype) -> tuple[Any, list, list]:
    """The demo model with weights of this dtype, and two prompts."""
    path = HOST.folder_paths.get_full_path("checkpoints", HOST.demo_checkpoint)
    weights = HOST.comfy.utils.load_torch_file(path).items()
    weights = {name: weight for name, weight in weights if name.startswith("model.diffusion_model.")}
    model = HOST.comfy.sd.load_diffusion_model_state_dict(weights, {"dtype": dtype})
    return model, *models.load("demo", torch.float32)[1:]


def painted(loaded: tuple[Any, list, list], name: str, steps: int, seed: int = 0) -> tuple[Tensor, float, float]:
    """The painted part, the largest change of a kept cell, and the seconds that an evaluation took.

    They tell something where the same was painted before: the first time it is loaded, and compiled.
    """
    case = Case(loaded, steps=steps)
    case.noise = HOST.custom_sampler.RandomNoise.execute(seed)[0]
    start = time.perf_counter()
    samples = case.sample(METHODS[name])
    seconds = (time.perf_counter() - start) / case.evaluations(METHODS[name])
    given = case.latent
    kept = (samples - given["samples"]).abs() * (1 - given["noise_mask"])
    return samples * given["noise_mask"], kept.max().item(), seconds


def difference(found: Tensor, wanted: Tensor) -> float:
    return float((found - wanted).norm() / wanted.norm())


def parity(small: bool) -> Table:
    """Every precision against float32, each method on its own."""
    steps = 4 if small else 20
    exact = demo(torch.float32)
    wanted = {(name, seed): painted(exact, name, steps, seed)[0] for name in SHOWN for seed in SEEDS}
    rows = []
    again = max(difference(painted(exact, name, steps)[0], wanted[name, SEEDS[0]]) for name in SHOWN)
    for label, dtype in DTYPES.items():
        loaded, hosts = demo(dtype), 0.0
        for name in SHOWN:
            runs = [(painted(loaded, name, steps, seed), wanted[name, seed]) for seed in SEEDS]
            off = mean(difference(found, exactly) for (found, _kept, _seconds), exactly in runs)
            kept = max(kept for (_found, kept, _seconds), _exactly in runs)
            hosts = off if name == "host" else hosts
            allowed = max(FEWEST, WITH_FEEDBACK.get(name, ALLOWED) * hosts)
            right = name == "host" or (off <= allowed and kept <= 1e-5)
            rows.append([label, name, f"{off:.4f}", f"{allowed:.4f}", f"{kept:.1e}", "yes" if right else "**no**"])
    columns = ["weights", "method", "difference from float32", "allowed", "kept part off by", "within"]
    fed_back = ", ".join(f"{name}: {times:g} times" for name, times in WITH_FEEDBACK.items())
    note = (
        f"The demo model, {steps} steps, cfg 4. Difference: of the painted part, root mean square over float32's, "
        f"mean of {len(SEEDS)} seeds. Allowed: {ALLOWED:g} times what the host's own sampler differs by in the same "
        f"precision, more where the model's errors come back to it ({fed_back}), {FEWEST:g} at least. The kept part "
        f"may be off by 1e-5. The same seed in float32 once more differs by {again:.1e}."
    )
    return Table("Precision", columns, rows, note, level=2)


def compiled(small: bool) -> Table:
    """The host's TorchCompileModel in front of every method."""
    exact = demo(torch.float32)
    backend, steps, rows = ("eager", 4, []) if small else ("inductor", 20, [])
    for name in SHOWN[:: 3 if small else 1]:  # the host and Match, where a CPU compiles
        painted(exact, name, steps)
        wanted, _kept, seconds = painted(exact, name, steps)
        torch.compiler.reset()
        torch._dynamo.utils.counters.clear()
        model = exact[0].clone()
        set_torch_compile_wrapper(model=model, backend=backend)
        painted((model, *exact[1:]), name, steps)
        found, kept, quick = painted((model, *exact[1:]), name, steps)
        graphs = torch._dynamo.utils.counters["stats"]["unique_graphs"]
        off = difference(found, wanted)
        rows.append([name, f"{off:.1e}", f"{kept:.1e}", str(graphs), f"{1000 * seconds:.2f}", f"{1000 * quick:.2f}"])
    columns = ["method", "difference from the plain model", "kept part off by", "graphs", "plain, ms", "compiled, ms"]
    note = (
        f"The demo model in float32, backend {backend}. A graph more than the host's is one compilation "
        "more: Match may ask for one prompt alone where the host asks for both."
    )
    return Table("torch.compile", columns, rows, note, level=2)
