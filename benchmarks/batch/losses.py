"""What is lost, or done twice, when hosts and workers are killed and the run is interrupted."""

from __future__ import annotations

import json
import time
from pathlib import Path

from .trial import DEMO_MODEL, HOST, WORKER, Trial, digests, kill, make_pictures, run

COUNT = 200


def measure(folder: Path, repository: Path, count: int | None) -> None:
    """Print what happened, and whether two disturbed workers gave the bytes of one that was left in peace."""
    count = count or COUNT
    make_pictures(folder / "pictures", count)
    one, two, three = (folder / name for name in ("one", "two", "three"))
    for workers, out in ((1, one), (2, two)):
        started = time.monotonic()
        code, _ = run(folder / "pictures", out, *DEMO_MODEL, "--workers", workers, repository=repository)
        _tell(f"{workers} workers", out, code, time.monotonic() - started)
    print(f"the same bytes: {_same(one, two)}")
    what = HOST, WORKER, HOST, "Ctrl-C", HOST, WORKER, "Ctrl-C"
    events = zip((0.10, 0.20, 0.35, 0.50, 0.60, 0.70, 0.85), what, strict=True)
    command = [folder / "pictures", three, *DEMO_MODEL, "--workers", 2]
    started = time.monotonic()
    trial = Trial(*command, repository=repository)
    for share, what in events:
        while _lines(three) < share * count:
            if trial.ended():
                raise SystemExit(trial.output())
            time.sleep(0.1)
        if what == "Ctrl-C":
            trial.interrupt()
            code = trial.end()
            print(f"Ctrl-C at {_lines(three)}: exit code {code}, left over: {trial.left_over() or 'nothing'}")
            trial = Trial(*command, repository=repository)
        else:
            print(f"kill -9 of {what} {_killed(trial, what)} at {_lines(three)}")
    code = trial.end()
    _tell("2 workers, disturbed", three, code, time.monotonic() - started)
    print(f"the same bytes: {_same(one, three)}; left over: {trial.left_over() or 'nothing'}")


def _tell(what: str, out: Path, code: int, seconds: float) -> None:
    names = [json.loads(line)["name"] for line in (out / "manifest.jsonl").read_text(encoding="utf-8").splitlines()]
    print(
        f"{what}: exit code {code}, {seconds:.0f} s, {len(digests(out))} results, {len(names)} lines in the manifest, "
        f"{len(names) - len(set(names))} of them a second time"
    )


def _killed(trial: Trial, kind: str) -> int:
    """The process that was killed; waits for one, if it is just being started again."""
    while not (pid := kill(trial.processes(kind))):
        time.sleep(0.1)
    return pid


def _same(one: Path, other: Path) -> str:
    """Yes, or which results differ."""
    first, second = digests(one), digests(other)
    unlike = sorted(name for name in first.keys() | second.keys() if first.get(name) != second.get(name))
    return "yes" if not unlike else f"no, {len(unlike)} differ: {', '.join(unlike)}"


def _lines(out: Path) -> int:
    path = out / "manifest.jsonl"
    return path.read_text(encoding="utf-8").count("\n") if path.exists() else 0
