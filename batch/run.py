"""A run: what is to be done, who does it, what became of it."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from . import report
from .engine import Engine, actor, share_of_gpu
from .errors import Refused
from .job import DONE, FAILED, Job
from .manifest import Manifest
from .plan import SKIPPED, TODO, Plan
from .pool import Pool, Seat
from .prepare import Setup, check_writable, findings
from .progress import Progress, say, span
from .stop import Stop
from .worker import Worker

SHOWN = 20
SCHEDULE = "LatentRepaint_Schedule"


def run(options: argparse.Namespace, found: Setup, stop: Stop) -> int:
    """Plan, paint, report; the exit code.

    Raises:
        Refused: If the run cannot start or cannot go on.
        KeyboardInterrupt: If it was interrupted.
    """
    say(findings(found.task.workflow))
    if not options.dry_run:
        check_writable(found.task.out)
    schedule = next((n for n, node in found.task.workflow.prompt.items() if node["class_type"] == SCHEDULE), "")
    if not (options.host or options.comfyui) and (schedule or not options.dry_run):
        _install(Path(found.task.repository))
    with Engine(options.address) as engine, Plan(options.retry_failed) as plan:
        size = _fill(plan, engine, found, options)
        counts = plan.counts()
        _tell(plan, counts)
        if options.dry_run:
            _dry(options, engine, found, plan, schedule, stop)
            return 1 if counts[FAILED] else 0
        _check_space(found, size)
        hosts: Counter[str] = Counter()
        progress = Progress(counts[TODO])
        try:
            if counts[TODO]:
                _paint(options, engine, found, plan, stop, hosts, progress)
        finally:
            summary = _summary(plan.counts(), hosts, progress)
            sheet = report.write(plan, found.task.out, found.source.root, summary)
            found.task.out.tidy()
            say(f"{report.table(summary)}\n  contact sheet  {sheet}")
        if stop.asked:
            raise KeyboardInterrupt
        return 1 if plan.counts()[FAILED] else 0


def _install(repository: Path) -> None:
    """Have the embedded ComfyUI before several workers want it at once."""
    if subprocess.run([sys.executable, str(repository / "comfyui_host"), "--install"]).returncode:
        raise Refused("the embedded ComfyUI cannot be installed; use --comfyui DIR or --host URL")


def _fill(plan: Plan, engine: Engine, found: Setup, options: argparse.Namespace) -> int:
    """Fill the plan, and return how many bytes the pictures have that are to be done."""
    plan.remember(Manifest(found.task.out).entries())
    for jobs in engine.jobs(found.source, found.checker.masks_beside, found.checker):
        plan.add(jobs)
    return plan.bytes_to_do()


def _tell(plan: Plan, counts: dict[str, int]) -> None:
    say(
        f"{sum(counts.values())} pictures: {counts[TODO]} to do, {counts[SKIPPED]} done before and unchanged, "
        f"{counts[FAILED]} set aside"
    )
    _tell_failures(plan, "set aside")


def _tell_failures(plan: Plan, what: str) -> None:
    for number, (job, entry) in enumerate(plan.rows(FAILED)):
        if number == SHOWN:
            say("  ...")
            break
        say(f"  {what}: {job.name}: {entry.get('error')}")


def _check_space(found: Setup, size: int) -> None:
    """A PNG is seldom smaller than the picture that it was made of."""
    if found.task.out.local and (free := shutil.disk_usage(found.task.out.local).free) < size:
        need = f"the pictures to do have {size / 1e6:.0f} MB"
        raise Refused(f"{found.task.out.url} has {free / 1e6:.0f} MB free, and {need}: free some")


def _pool(options: argparse.Namespace, engine: Engine, found: Setup, progress: Progress) -> Pool:
    gpus = 0 if options.host else engine.gpus()
    wanted = min(len(options.host) or options.workers or gpus or 1, max(progress.total, 1))
    addresses = options.host or [""] * wanted
    share = share_of_gpu(gpus, wanted)
    seats = [
        Seat(actor(Worker, share, found.task, address), number) for number, address in enumerate(addresses[:wanted])
    ]
    return Pool(seats, progress.draw, progress.say)


def _dry(options: argparse.Namespace, engine: Engine, found: Setup, plan: Plan, schedule: str, stop: Stop) -> None:
    for job, _ in plan.rows(TODO):
        say(f"  {job.name} -> {job.result}, mask {job.mask or 'none'}, seed {job.seed}")
    if not schedule:
        say("Model evaluations: not known before the run; a Schedule (Latent RePaint) node in the workflow counts them")
        return
    pool = stop.pool = _pool(options, engine, found, Progress(1))
    try:
        if not pool.open(all_of_them=True):
            raise KeyboardInterrupt
        each = pool.ask("evaluations", schedule)
    finally:
        pool.close()
    total = f"{each} a picture, {each * plan.counts()[TODO]} in all" if each else "the Schedule node did not say"
    say(f"Model evaluations: {total}")


def _paint(
    options: argparse.Namespace,
    engine: Engine,
    found: Setup,
    plan: Plan,
    stop: Stop,
    hosts: Counter[str],
    progress: Progress,
) -> None:
    pool = stop.pool = _pool(options, engine, found, progress)
    say(f"Waiting for {len(pool.seats)} ComfyUI")
    try:
        facts = pool.open(all_of_them=bool(options.host))
        versions = sorted({fact["version"] for fact in facts})
        if len(versions) > 1:
            say(f"Warning: the hosts have different versions ({', '.join(versions)}); their results may differ")
        with Manifest(found.task.out) as manifest:

            def on_end(job: Job, entry: dict[str, Any]) -> None:
                manifest.add(entry)
                plan.end(job, entry)
                hosts[entry.get("host", "none")] += 1
                progress.count(entry["state"] == FAILED)
                if entry["state"] == FAILED:
                    progress.say(f"failed: {job.name}: {entry['error']}")

            progress.restart()
            pool.run((job for job, _ in plan.rows(TODO)), on_end)
    finally:
        progress.end()
        pool.close()


def _summary(after: dict[str, int], hosts: Counter[str], progress: Progress) -> list[tuple[str, str]]:
    return [
        ("done now", str(after[DONE])),
        ("done before and unchanged", str(after[SKIPPED])),
        ("failed or set aside", str(after[FAILED])),
        ("left", str(after[TODO])),
        ("painting", f"{span(progress.seconds)}, {progress.rate():.1f} pictures a minute"),
        *((f"on {host}", str(count)) for host, count in sorted(hosts.items())),
    ]
