"""A run: what is to be done, who does it, what became of it."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import report
from .errors import Refused
from .job import DONE, FAILED, Job
from .manifest import Manifest
from .plan import SKIPPED, TODO, Plan
from .prepare import Setup, check_writable, findings
from .progress import Progress, say, span
from .ray_cluster import RayCluster, actor, share_of_gpu
from .stop import Stop
from .worker import Worker
from .worker_pool import AT_A_TIME, Pool, Seat

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
    with RayCluster(options.address) as cluster, Plan(options.retry_failed) as plan:
        plan.remember(Manifest(found.task.out).entries())
        for jobs in cluster.jobs(found.source, found.checker.masks_beside, found.checker):
            plan.add(jobs)
        this = Run(options, found, stop, cluster, plan, Progress(plan.counts()[TODO]))
        this.tell()
        if options.dry_run:
            this.preview(schedule)
        else:
            this.check_space()
            this.paint()
        return 1 if plan.counts()[FAILED] else 0


def _install(repository: Path) -> None:
    """Have the embedded ComfyUI before several workers want it at once."""
    if subprocess.run([sys.executable, str(repository / "comfyui_host"), "--install"]).returncode:
        raise Refused("the embedded ComfyUI cannot be installed; use --comfyui DIR or --host URL")


def unlike_versions(facts: list[dict[str, str]]) -> str:
    """A warning about hosts that may not give the same bytes; empty if they are of one version."""
    hosts = {fact["version"]: fact["host"] for fact in facts}
    shown = ", ".join(f"{version} at {host}" for version, host in sorted(hosts.items()))
    return f"Warning: the hosts have different versions ({shown}); their results may differ" if len(hosts) > 1 else ""


@dataclass
class Run:
    """A run after its plan.

    Attributes:
        hosts: How many pictures each host has brought to their end.
    """

    options: argparse.Namespace
    found: Setup
    stop: Stop
    cluster: RayCluster
    plan: Plan
    progress: Progress
    hosts: Counter[str] = field(default_factory=Counter)

    def tell(self) -> None:
        """Say what will be done, and what cannot be."""
        counts = self.plan.counts()
        say(
            f"{sum(counts.values())} pictures: {counts[TODO]} to do, {counts[SKIPPED]} done before and unchanged, "
            f"{counts[FAILED]} set aside"
        )
        for number, (job, entry) in enumerate(self.plan.rows(FAILED)):
            if number == SHOWN:
                say("  ...")
                break
            say(f"  set aside: {job.name}: {entry.get('error')}")

    def check_space(self) -> None:
        """A PNG is seldom smaller than the picture that it was made of.

        Raises:
            Refused: If the disk of OUT has no room for as much.
        """
        out, size = self.found.task.out, self.plan.bytes_to_do()
        if out.local and (free := shutil.disk_usage(out.local).free) < size:
            need = f"the pictures to do have {size / 1e6:.0f} MB"
            raise Refused(f"{out.url} has {free / 1e6:.0f} MB free, and {need}: free some")

    def preview(self, schedule: str) -> None:
        """Say picture by picture what would be done, and how many model evaluations that is.

        Arguments:
            schedule: The node that counts them, if there is one.
        """
        else_mask = "its alpha" if self.found.task.workflow.wants_mask else "none"
        for job, _ in self.plan.rows(TODO):
            say(f"  {job.name} -> {job.result}, mask {job.mask or else_mask}, seed {job.seed}")
        if not schedule:
            say("Model evaluations: not known; a Schedule (Latent RePaint) node in the workflow would count them")
            return
        pool = self._pool(1)
        try:
            if not pool.open(all_of_them=True):
                raise KeyboardInterrupt
            each = pool.ask("evaluations", schedule)
        finally:
            pool.close()
        in_all = f"{each} a picture, {each * self.progress.total} in all" if each else "the Schedule node did not say"
        say(f"Model evaluations: {in_all}")

    def paint(self) -> None:
        """Do what is to be done, and leave a report, however it ends.

        Raises:
            Refused: If the hosts do not fit, or none is left, or the results cannot be written.
            KeyboardInterrupt: If it was interrupted.
        """
        try:
            if self.progress.total:
                self._paint()
        finally:
            summary, out = self._summary(), self.found.task.out
            sheet = report.write(self.plan, out, self.found.source.root, summary)
            out.tidy()
            say(f"{report.table(summary)}\n  contact sheet  {sheet}")
        if self.stop.asked:
            raise KeyboardInterrupt

    def _paint(self) -> None:
        pool = self._pool(self.progress.total)
        say(f"Waiting for {len(pool.seats)} ComfyUI")
        try:
            if unlike := unlike_versions(pool.open(all_of_them=bool(self.options.host))):
                say(unlike)
            with Manifest(self.found.task.out) as manifest:

                def on_end(job: Job, entry: dict[str, Any]) -> None:
                    manifest.add(entry)
                    self._ended(job, entry)

                self.progress.restart()
                pool.run((job for job, _ in self.plan.rows(TODO)), on_end)
        finally:
            self.progress.end()
            pool.close()

    def _pool(self, at_most: int) -> Pool:
        """The workers: one for each host that was named, or as many as were asked for, or one a GPU, or one."""
        gpus = 0 if self.options.host else self.cluster.gpus()
        wanted = min(len(self.options.host) or self.options.workers or gpus or 1, at_most)
        addresses = (self.options.host or [""] * wanted)[:wanted]
        share = share_of_gpu(gpus, wanted)
        actors = [actor(Worker, share, AT_A_TIME, self.found.task, address) for address in addresses]
        seats = [Seat(actor, number) for number, actor in enumerate(actors)]
        pool = self.stop.pool = Pool(seats, self.progress.draw, self.progress.say)
        return pool

    def _ended(self, job: Job, entry: dict[str, Any]) -> None:
        self.plan.end(job, entry)
        self.hosts[entry.get("host", "none")] += 1
        self.progress.count(entry["state"] == FAILED)
        if entry["state"] == FAILED:
            self.progress.say(f"failed: {job.name}: {entry['error']}")

    def _summary(self) -> list[tuple[str, str]]:
        counts, progress = self.plan.counts(), self.progress
        painting = ("painting", f"{span(progress.seconds)}, {progress.rate():.1f} pictures a minute")
        return [
            ("done now", str(counts[DONE])),
            ("done before and unchanged", str(counts[SKIPPED])),
            ("failed or set aside", str(counts[FAILED])),
            ("left", str(counts[TODO])),
            *([painting] if self.hosts else []),
            *((f"on {host}", str(count)) for host, count in sorted(self.hosts.items())),
        ]
