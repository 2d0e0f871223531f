"""What is lost, or done twice, when hosts and workers are killed and the run is interrupted."""

from __future__ import annotations

import time
from pathlib import Path

from .trial import DEMO_MODEL, HOST, WORKER, Trial, digests, kill, lines, make_pictures

COUNT = 200
EVENTS = {0.10: HOST, 0.20: WORKER, 0.35: HOST, 0.50: "Ctrl-C", 0.60: HOST, 0.70: WORKER, 0.85: "Ctrl-C"}
"""What happens, by the share of the pictures that are done then."""


def measure(folder: Path, repository: Path, count: int | None) -> None:
    """Print what happened, and whether two disturbed workers gave the bytes of one that was left in peace."""
    count = count or COUNT
    make_pictures(folder / "pictures", count)
    outs = {name: folder / name for name in ("1 worker", "2 workers", "2 workers, disturbed")}
    for name, out in outs.items():
        command = [folder / "pictures", out, *DEMO_MODEL, "--workers", name[0]]
        started, trial = time.monotonic(), Trial(*command, repository=repository)
        for share, what in EVENTS.items() if name.endswith("disturbed") else ():
            while len(lines(out)) < share * count:
                if trial.ended():
                    raise SystemExit(trial.output())
                time.sleep(0.1)
            if what == "Ctrl-C":
                trial.interrupt()
                print(f"Ctrl-C at {len(lines(out))}: exit code {trial.end()}, left over: {trial.left_over()}")
                trial = Trial(*command, repository=repository)
                continue
            while not (pid := kill(trial.processes(what))):  # one is just being started again
                time.sleep(0.1)
            print(f"kill -9 of {what} {pid} at {len(lines(out))}")
        code, names = trial.end(), [entry["name"] for entry in lines(out)]
        same = "the same bytes" if digests(out) == digests(outs["1 worker"]) else "OTHER BYTES"
        print(
            f"{name}: exit code {code}, {time.monotonic() - started:.0f} s, {len(digests(out))} results, {len(names)} "
            f"lines in the manifest, {len(names) - len(set(names))} of them a second time, {same}, left over: "
            f"{trial.left_over()}"
        )
