"""Many jobs of mixed settings through the queue, by two clients at once, with interrupts, on a host of its own; then
as many of the host's own nodes alone, on another one, to tell whose memory it is that grows.

    python benchmarks endurance [--jobs 500]

writes benchmarks/results/endurance.md. Every picture is compared, byte for byte, with what the same job gave alone at
the start. Exit status 1 if one differs.
"""

import argparse
import random
import re
import time

from comfyui_host import install
from comfyui_host.server_process import serve

from ..report import RESULTS, Table, write
from .jobs import CENSUS, Tally, endure, hosts_own_jobs, mixed_jobs

ROUNDS, FORGETFUL, DIFFERENT, CLIENTS, INTERRUPTS = 10, 5, 28, 2, 0.1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=500)
    options = parser.parse_args()
    start = time.monotonic()
    host = install.find_host()
    (version,) = re.findall(r'__version__ = "(.*)"', (host.tree / "comfyui_version.py").read_text(encoding="utf-8"))
    tallies = []
    for pool in (mixed_jobs(DIFFERENT, random.Random(0)), hosts_own_jobs(DIFFERENT)):
        with serve(host, plugin=CENSUS) as server:
            tallies.append(endure(server, pool, ROUNDS, options.jobs // ROUNDS, CLIENTS, INTERRUPTS, FORGETFUL))
    ours, hosts_own = tallies
    text = page(options.jobs, version, (time.monotonic() - start) / 60, ours, hosts_own)
    write(RESULTS / "endurance.md", text)
    wrong = ours.wrong + hosts_own.wrong
    print(*wrong, sep="\n")
    return 1 if wrong else 0


def page(jobs: int, version: str, minutes: float, ours: Tally, hosts_own: Tally) -> str:
    first, last, end = ours.memory[1].jobs, ours.memory[FORGETFUL].jobs, ours.memory[-1].jobs
    introduction = f"""# Endurance

`python benchmarks endurance --jobs {jobs}` on ComfyUI {version}, CPU, {minutes:.0f} min: {DIFFERENT} different jobs
over all methods and many solvers, {CLIENTS} clients at once, one job in {1 / INTERRUPTS:.0f} interrupted and queued
again. Beside it, as a control, the same number of jobs of the host's own nodes alone: KSampler with a noise mask, on
a fresh host.

Jobs done: {ours.done}. Interrupted: {ours.interrupted}. **Wrong results: {len(ours.wrong)}** (picture compared byte
for byte with the same job run alone at the start, and the number of model evaluations). The control:
{hosts_own.done}, {hosts_own.interrupted}, {len(hosts_own.wrong)}.
"""
    stock = ["resident memory, MB", "history, MB", "tensors alive", "held by them, MB"]
    rows = [[*mine.row(), *its.row()[1:]] for mine, its in zip(ours.memory, hosts_own.memory, strict=True)]
    note = f"""The first row is after each job has run once. Tensors: those that Python's collector knows in the
host's process, model weights not counted. History: what the host keeps of each prompt for its page, up to 10,000 of
them, as Python counts its objects. Up to {last} jobs the host was told to forget it before each round, so that
whatever else grows can be seen; from there on it was kept."""
    spans = {"forgotten": (first, last, 1, FORGETFUL), "kept": (last, end, FORGETFUL, ROUNDS)}
    grown = [
        [f"history {what}, {since} to {until} jobs", *growth(ours, *rounds), *growth(hosts_own, *rounds)]
        for what, (since, until, *rounds) in spans.items()
    ]
    header = ["growth after the first round, MB", *("resident memory", "history") * 2]
    last_note = """Resident memory also goes up and down by some 15 MB, with either kind of jobs: what a job needs
for a moment, the process keeps or gives back."""
    tables = [Table("", ["jobs done", *stock, *stock], rows, note), Table("", header, grown, last_note)]
    legend = "Left: this pack's jobs; right: the control.\n"
    return "\n".join([introduction, legend, *(table.text for table in tables)])


def growth(tally: Tally, first: int, last: int) -> list[str]:
    before, after = tally.memory[first], tally.memory[last]
    return [f"{after.resident - before.resident:+.1f}", f"{after.history - before.history:+.2f}"]
