"""What our samplers cost against the host's own, both masked, side by side in one run.

    python benchmarks cost

The demo model, how cost grows, and our share beside the networks of Stable Diffusion with random weights: minutes, and
6 GB of memory. All methods run in turn, over and over, and it is the CPU's own seconds that count; figures are medians
over `--repeats` rounds. Writes benchmarks/results/cost.md and cost.png.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys

import torch

from ..report import COLOURS, RESULTS, Panel, Point, Table, plot, write
from . import measure, models

GROWTH = {  # what is varied: (a value, the latent's shape, steps)
    "steps": [(n, (1, 4, 32, 32), n) for n in (10, 20, 40)],
    "batch": [(n, (n, 4, 32, 32), 20) for n in (1, 2, 4, 8)],
    "latent size": [(n, (1, 4, n, n), 20) for n in (16, 32, 64, 128)],
    "frames": [(n, (1, 4, n, 32, 32), 20) for n in (1, 5, 13)],
}
SHOWN = {
    "host": COLOURS["host"],
    "Blend predicted": COLOURS["blend predicted"],
    "RePaint 1/2": COLOURS["repaint"],
    "Match 1": COLOURS["match"],
}

INTRODUCTION = """# Cost against the host's own sampler with noise_mask

`{command}` on {machine}. euler, karras; medians of {repeats} rounds in which all methods take turns.

*Own*: time outside the model, less the host's: the figure that a busy machine disturbs least. *Peak memory*: of all
tensors, above the host's, in latents of the run.
*Waits*: how often, between the first evaluation and the last, the CPU would stand still until a GPU is done. Match's
extra evaluations are one pass of the network instead of two, so they cost less.

Importing the pack into a running host: {importing}.

"""


def against_the_host(title: str, case: measure.Case, repeats: int) -> str:
    """Time, memory and waits of every method on one model."""
    taken = measure.times(case, measure.METHODS, repeats)
    whole, outside = taken["host"]
    memory = {name: measure.peak_memory(case, method) for name, method in measure.METHODS.items()}
    rows = []
    for name, method in measure.METHODS.items():
        seconds, own = taken[name][0], taken[name][1] - outside
        row = {
            "method": name,
            "evaluations": case.evaluations(method),
            "ms an evaluation": f"{1000 * seconds:.2f}",
            "against the host": f"{seconds / whole:.3f}",
            "own ms an evaluation": f"{1000 * own:+.2f}",
            "own share of the host's": f"{own / whole:+.2%}",
            "peak memory, latents more": f"{memory[name] - memory['host']:+.1f}",
            "waits": measure.waits(case, method),
        }
        rows.append(row)
        print(*row.values(), sep=" | ")
    return Table.of(title, rows, level=2).text


def profiled(case: measure.Case) -> str:
    """What torch.profiler sees outside the model."""
    rows = []
    for name, method in measure.METHODS.items():
        count, milliseconds = measure.operators(case, method)
        rows.append([name, f"{count:.0f}", f"{milliseconds:.2f}"])
    title = "Under torch.profiler, outside the demo model"
    return Table(title, ["method", "operators an evaluation", "ms in them"], rows, level=2).text


def shares(repeats: int) -> str:
    """Own work at the latents of Stable Diffusion, beside one pass of its network for one prompt."""
    names = [name for name in SHOWN if name != "host"]
    rows: list[list[str | float]] = []
    for network, shape in (("sd15", (1, 4, 64, 64)), ("sdxl", (1, 4, 128, 128))):
        instant = measure.Case(models.load("instant", torch.float32), shape)
        taken = measure.times(instant, {name: measure.METHODS[name] for name in SHOWN}, repeats)
        own = [taken[name][1] - taken["host"][1] for name in names]
        waits = max(measure.waits(instant, measure.METHODS[name]) for name in names)
        case = measure.Case(models.load(network, torch.bfloat16), shape, steps=1, cfg=1.0)
        whole, outside = case.run(None)  # one pass, long enough
        seconds = whole - outside
        shown = [f"{1000 * mine:.1f} ms, {mine / seconds:.2%}" for mine in own]
        rows.append([network, "x".join(map(str, shape[2:])), f"{1000 * seconds:.0f}", *shown, str(waits)])
    note = (
        "The network: its own shape with random weights in bfloat16, one prompt. Own work: beside an instant network."
    )
    columns = ["network", "latent", "ms a pass", *names, "waits"]
    return Table("Own work beside the networks of Stable Diffusion", columns, rows, note, level=2).text


def growth(repeats: int) -> tuple[str, list[Panel]]:
    """Milliseconds an evaluation outside the model, by steps, jumps, batch, size and frames."""
    parts, panels = [], []
    loaded = models.load("instant", torch.float32)
    methods = {name: measure.METHODS[name] for name in SHOWN}
    for what, cases in GROWTH.items():
        lines: dict[str, list[Point]] = {name: [] for name in SHOWN}
        rows = []
        for value, shape, steps in cases:
            taken = measure.times(measure.Case(loaded, shape, steps), methods, repeats)
            for name in SHOWN:
                lines[name].append(Point(value, *[1000 * taken[name][1]] * 3))
            rows.append([str(value), *(f"{1000 * taken[name][1]:.2f}" for name in SHOWN)])
        parts.append(Table(f"Outside the model, ms an evaluation, by {what}", [what, *SHOWN], rows, level=2).text)
        panels.append(Panel(f"ms an evaluation, by {what}", lines, [value for value, _, _ in cases]))
    jumps = {
        f"{length}/{visits}": measure.RePaint(jump_length=length, jump_n_sample=visits)
        for length, visits in ((1, 1), (1, 2), (1, 5), (5, 2), (5, 5))
    }
    case = measure.Case(loaded, (1, 4, 32, 32))
    taken = measure.times(case, jumps, repeats)
    rows = [[name, str(case.evaluations(jumps[name])), f"{1000 * taken[name][1]:.2f}"] for name in jumps]
    title = "The same by RePaint's jump_length/jump_n_sample"
    parts.append(Table(title, ["jumps", "evaluations", "ms"], rows, level=2).text)
    return "\n".join(parts), panels


def import_milliseconds(repeats: int) -> str:
    """What importing the pack adds to a host that has imported itself: the least of some new processes."""
    code = (
        "import sys, time; from comfyui_host import in_process; in_process.start(); "
        "import comfy_api.v0_0_2, comfy_extras.nodes_mask, latent_preview; start = time.perf_counter(); "
        "import latent_repaint.nodes; sys.stdout.write(str(time.perf_counter() - start))"
    )
    command, pipes = [sys.executable, "-c", code], {"cwd": RESULTS.parents[1], "capture_output": True, "check": True}
    milliseconds = sorted(1000 * float(subprocess.run(command, **pipes).stdout) for _ in range(repeats))
    return f"{milliseconds[len(milliseconds) // 2]:.0f} ms (least {milliseconds[0]:.0f})"


def machine() -> str:
    cpu = f"{platform.machine()} CPU, {os.cpu_count()} cores"
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else cpu
    return f"{device}, torch {torch.__version__}, {torch.get_num_threads()} thread(s)"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    case = measure.Case(models.load("demo", torch.float32))
    parts = [against_the_host("Demo model, latent 16x16, 20 steps, cfg 4", case, options.repeats), profiled(case)]
    parts.append(shares(options.repeats))
    text, panels = growth(options.repeats)
    plot(panels, SHOWN, "outside the model:", RESULTS / "cost.png")
    command = "python benchmarks cost " + " ".join(sys.argv[1:])
    facts = {"command": command.strip(), "machine": machine(), "importing": import_milliseconds(options.repeats)}
    introduction = INTRODUCTION.format(repeats=options.repeats, **facts)
    write(RESULTS / "cost.md", introduction + "\n".join([*parts, text]) + "\n![growth](cost.png)\n")
