"""What our samplers cost against the host's own, both masked, side by side in one run.

    python benchmarks cost                                      minutes, and 6 GB of memory
    python benchmarks cost --network flux --dtype bfloat16      one network of full size, random weights: for a GPU
    python benchmarks cost --network small --repeats 1          the small model, in half a minute

The first writes benchmarks/results/cost.md: the small model, and our share beside the networks of Stable Diffusion. All
methods run in turn, over and over; figures are medians over `--repeats` rounds. Without a GPU it is the CPU's own
seconds that count.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys

import torch

from ..report import RESULTS, Table, write
from .measure import METHODS, TimedModel, peak_memory, times, waits
from .models import LATENTS, SHAPES, load

INTRODUCTION = """# Cost against the host's own sampler with noise_mask

`{command}` on {machine}. euler, karras; medians of {repeats} rounds in which all methods take turns.

*Own*: time outside the model, less the host's: the figure that a busy machine disturbs least. *Peak memory*: of all
tensors, above the host's, in latents of the run. *Waits*: how often, between the first evaluation and the last, the CPU
would stand still until a GPU is done. Match's extra evaluations are one pass of the network instead of two, so they
cost less.

"""


def against_the_host(title: str, timed: TimedModel, repeats: int) -> Table:
    """Time, memory and waits of every method on one model."""
    taken = times(timed, repeats)
    whole, outside = taken["host"]
    host_memory = peak_memory(timed, None)
    rows = []
    for name, method in METHODS.items():
        seconds, own = taken[name][0], taken[name][1] - outside
        rows.append([
            name, timed.evaluations(method), f"{1000 * seconds:.2f}", f"{seconds / whole:.3f}",
            f"{1000 * own:+.2f}", f"{own / whole:+.2%}", f"{peak_memory(timed, method) - host_memory:+.1f}",
            waits(timed, method),
        ])  # fmt: skip
    columns = ["method", "evaluations", "ms an evaluation", "against the host", "own ms an evaluation",
               "own share of the host's", "peak memory, latents more", "waits"]  # fmt: skip
    return Table(title, columns, rows, level=2)


def of_network(name: str, dtype: str, repeats: int) -> Table:
    if name == "small":
        return against_the_host("Small model, latent 16x16, 20 steps, cfg 4", TimedModel(load("small")), repeats)
    shape, cfg = LATENTS[name], 1.0 if name == "flux" else 4.0
    title = f"{name}, {dtype}, latent {'x'.join(map(str, shape))}, cfg {cfg:g}, 4 steps"
    return against_the_host(title, TimedModel(load(name, getattr(torch, dtype)), shape, steps=4, cfg=cfg), repeats)


def shares(repeats: int) -> Table:
    """Own work at the latents of Stable Diffusion, beside one pass of its network for one prompt."""
    rows = []
    for network in ("sd15", "sdxl"):
        shape = LATENTS[network]
        instant = TimedModel(load("instant"), shape)
        taken = times(instant, repeats)
        one_pass = TimedModel(load(network, torch.bfloat16), shape, steps=1, cfg=1.0)
        whole, outside = one_pass.run(None)  # long enough for once
        own = [outside - taken["host"][1] for _, outside in list(taken.values())[1:]]
        shown = [f"{1000 * mine:.1f} ms, {mine / (whole - outside):.2%}" for mine in own]
        most = max(waits(instant, method) for method in METHODS.values())
        rows.append([network, "x".join(map(str, shape[2:])), f"{1000 * (whole - outside):.0f}", *shown, most])
    note = "The network: its own shape, random weights in bfloat16, one prompt. Own work: beside an instant network."
    columns = ["network", "latent", "ms a pass", *list(METHODS)[1:], "waits"]
    return Table("Own work beside the networks of Stable Diffusion", columns, rows, note, level=2)


def machine() -> str:
    cpu = f"{platform.machine()} CPU, {os.cpu_count()} cores"
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else cpu
    return f"{device}, torch {torch.__version__}, 1 thread"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", choices=["small", *SHAPES], help="only this one, which is only printed")
    parser.add_argument("--dtype", default="bfloat16", choices=["float32", "float16", "bfloat16"], help="its weights'")
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    torch.set_num_threads(1)
    command = f"python benchmarks cost {' '.join(sys.argv[1:])}".strip()
    introduction = INTRODUCTION.format(command=command, machine=machine(), repeats=options.repeats)
    if options.network:
        print(introduction + of_network(options.network, options.dtype, options.repeats).text)
        return
    tables = [of_network("small", "", options.repeats), shares(options.repeats)]
    text = introduction + "\n".join(table.text for table in tables)
    print(text)
    write(RESULTS / "cost.md", text)
