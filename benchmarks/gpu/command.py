"""All that needs a GPU to mean something: precision, waits, cost at full size, memory modes, compiled models.

    python benchmarks gpu                      everything, some half an hour; on a CPU with small shapes
    python benchmarks gpu precision shapes     only these parts, the others as they were measured last
    python benchmarks gpu --small              small shapes, to see that it works

COMFYUI_PATH names a ComfyUI whose Python has a torch for your GPU. Writes benchmarks/results/gpu.md, and says in its
first line what it ran on. A part that fails is named with its error, and the others go on.
"""

from __future__ import annotations

import argparse
import gc
import random
import re
import subprocess
import sys
from collections.abc import Callable, Iterator

import torch

from comfyui_host import install
from comfyui_host.client import Client
from comfyui_host.server_process import serve

from ..cost import measure, models
from ..cost.command import against_the_host, machine
from ..endurance.jobs import CENSUS, PICTURES, endure, mixed_jobs, run
from ..report import RESULTS, Table, write
from . import HOST
from .precision import compiled, parity

SHAPES = {  # latent and cfg; the small latents are for a CPU
    "sd15": ((1, 4, 64, 64), (1, 4, 8, 8), 4.0),
    "sdxl": ((1, 4, 128, 128), (1, 4, 8, 8), 4.0),
    "flux": ((1, 16, 128, 128), (1, 16, 8, 8), 1.0),
    "wan": ((1, 16, 21, 60, 104), (1, 16, 3, 8, 8), 4.0),
}
JOBS, CLIENTS, INTERRUPTS = 100, 2, 0.1
KEPT = "<!-- {} -->"  # begins a part, so that it can be found again


def tests(small: bool) -> Table:
    """The host tier on the device, in a process of its own."""
    where = "tests/host/test_precision.py" if small else "tests/host"
    command = [sys.executable, "-m", "pytest", "-q", "-c", "tests/pytest.ini", where]
    done = subprocess.run(command, cwd=install.ROOT, capture_output=True, text=True)
    lines = [line for line in done.stdout.splitlines() if line.strip()]
    failed = [f"`{line}`" for line in lines if line.startswith(("FAILED", "ERROR"))]
    rows = [[f"`python -m pytest {where}`", lines[-1] if lines else done.stderr[-500:]]]
    return Table("Tests inside the host", ["command", "result"], rows, "\n".join(failed), level=2)


def shapes(small: bool) -> Iterator[str]:
    """Time, waits and memory beside the host's own sampler, networks with random weights."""
    for name, (full, tiny, cfg) in SHAPES.items():
        dtype = torch.float32 if small else torch.float16 if name.startswith("sd") else torch.bfloat16
        try:
            loaded = models.load(name, dtype, small)
            case = measure.Case(loaded, tiny if small else full, steps=4, cfg=cfg)
            latent = "x".join(map(str, case.latent["samples"].shape))
            title = f"{name}{' made small' if small else ''}, {str(dtype)[6:]}, latent {latent}, cfg {cfg:g}, 4 steps"
            yield against_the_host(title, case, 1 if small else 3)
        except torch.OutOfMemoryError:
            yield f"## {name}\n\nNot enough memory on this GPU.\n"
        finally:
            loaded = case = None
            HOST.comfy.model_management.unload_all_models()
            gc.collect()
            HOST.comfy.model_management.soft_empty_cache()


def jobs(small: bool) -> Table:
    """Mixed jobs through the queue, two clients, one job in ten interrupted: not a byte may be lost."""
    count, different = (8, 4) if small else (JOBS, 28)
    with serve(install.find_host(), plugin=CENSUS) as server:
        pool = mixed_jobs(different, random.Random(0))
        tally = endure(server, pool, 1, count, CLIENTS, INTERRUPTS)
    row = [tally.done, tally.interrupted, len(tally.wrong), *tally.memory[-1].row()[1:]]
    header = ["jobs", "interrupted", "wrong", "resident memory, MB", "history, MB", "tensors alive", "held, MB"]
    note = (
        "Every picture against the same job alone, byte for byte; the tensors are those alive in the host at the end."
    )
    return Table("Jobs", header, [row], "\n".join([note, *tally.wrong]), level=2)


def modes(small: bool) -> Table:
    """The same jobs in every memory mode of the host, and on every GPU: the first row's pictures must come again."""
    found: dict[str, list[str]] = {}
    tried: list[tuple[str, ...]] = [(), ("--lowvram",), ("--novram",)]
    if not torch.cuda.is_available():  # the host takes no memory mode beside --cpu
        tried = [(), ("--disable-smart-memory",)]
    tried += [("--cuda-device", str(k)) for k in range(1, torch.cuda.device_count())]
    pool = mixed_jobs(3 if small else 14, random.Random(1))
    for arguments in tried:
        with serve(install.find_host(), arguments=arguments) as server:
            client = Client(server.address)
            for picture in PICTURES.values():
                client.upload(install.ROOT / "demo" / picture)
            found[" ".join(arguments) or "as it starts"] = [run(client, job)[0] for job in pool]
    first = next(iter(found.values()))
    rows = [
        [name, str(len(pool)), str(sum(a == b for a, b in zip(pictures, first, strict=True)))]
        for name, pictures in found.items()
    ]
    note = f"GPUs: {torch.cuda.device_count()}. Two GPUs of different kinds round differently."
    return Table("Memory modes and devices", ["ComfyUI started with", "jobs", "same bytes"], rows, note, level=2)


PARTS: dict[str, Callable] = {
    "tests": tests,
    "precision": parity,
    "shapes": shapes,
    "jobs": jobs,
    "modes": modes,
    "compile": compiled,
}


def text_of(name: str, small: bool) -> str:
    """A part in Markdown, or what stopped it."""
    try:
        made = PARTS[name](small)
        return made.text if isinstance(made, Table) else "\n".join(made)
    except Exception as error:  # of any part, on any machine: the others are worth having
        first = [*str(error).splitlines(), ""][0]
        return f"## {name}\n\n**Stopped by {type(error).__name__}: {first}**\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of: {', '.join(PARTS)}")
    parser.add_argument("--small", action="store_true", help="small shapes and few jobs, as without a GPU")
    parser.add_argument("--threads", type=int, default=1, help="of the CPU")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        sys.exit(f"gpu: found {', '.join(sorted(unknown))}, wanted some of: {', '.join(PARTS)}")
    torch.set_num_threads(options.threads)
    small = options.small or not torch.cuda.is_available()
    path = RESULTS / "gpu.md"
    first = first_line(small)
    parts = earlier(path.read_text(encoding="utf-8"), first) if path.exists() else {}
    for name in options.parts or PARTS:
        parts[name] = text_of(name, small)
        print(parts[name])
        body = [f"{KEPT.format(part)}\n{parts[part].strip()}\n" for part in PARTS if part in parts]
        write(path, "\n".join([f"# On a GPU\n\n{first}\n", *body]))


def first_line(small: bool) -> str:
    if torch.cuda.is_available():
        return f"`python benchmarks gpu{' --small' if small else ''}` on {machine()}."
    return (
        "**Run on a CPU with small shapes, to show that the command works: no figure here says anything about a GPU.** "
        f"`python benchmarks gpu` on {machine()}."
    )


def earlier(text: str, first: str) -> dict[str, str]:
    """The parts of a page that was written on the same machine."""
    if first not in text:
        return {}
    found = re.split(r"<!-- (\w+) -->\n", text)
    return dict(zip(found[1::2], found[2::2], strict=True))
