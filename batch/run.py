"""A run: what is to be done, who does it, what became of it.

A picture is done when the manifest has a line that says so. When a ComfyUI dies, its worker notices; when a worker
dies, the crew does. Their pictures come back not done, and go round again after the others, three times at most: at
another worker if there is one, alone there. Then they are set aside with their last error. A run that is killed has
nothing to clean up: the next one reads the manifest.
"""

import argparse
import shutil
import subprocess
import sys
import unicodedata
from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any

import numpy as np

from comfyui_host.client import clean

from . import BadPicture, Refused, pictures
from .check import Job, Jobs, Task
from .cluster import Cluster, Crew, ray, share_of_gpu
from .manifest import DONE, FAILED, Manifest, key_of
from .places import strip_name
from .prepare import findings
from .report import MARK, PREVIEW, REPORT, Stop, preview, progress, report, say
from .table import Counts
from .worker import STOP, Worker

PASSES = 3
AT_A_TIME = 2  # pictures that a worker has: one that its host paints, and one that waits, so that the host never does
AHEAD = 100  # pictures among which one is looked for that a worker has not tried yet
PREVIEWED, SCHEDULE = 8, "LatentRepaint_Schedule"


def run(options: argparse.Namespace, task: Task, stop: Stop) -> int:
    """Plan, paint, report; the exit code. Raises Refused if that cannot go on, KeyboardInterrupt if it is stopped."""
    out, prompt = task.out, task.workflow.prompt
    out.check_writable()
    schedule = next((node for node in prompt if prompt[node]["class_type"] == SCHEDULE), "")
    if not (options.host or options.comfyui) and (schedule or not options.dry_run):
        # Have the embedded ComfyUI before several workers want it at once.
        if subprocess.run([sys.executable, f"{task.repository}/comfyui_host", "--install"]).returncode:
            raise Refused("the embedded ComfyUI cannot be installed; use --comfyui DIR or --host URL")
    with Manifest(out, write=not options.dry_run) as manifest, Cluster(options.address) as cluster:
        this = BatchRun(options, task, stop, cluster, manifest)
        try:
            this.plan()
            this.show()
            if options.dry_run:
                this.list(schedule)
            else:
                this.check_space()
                this.paint()
        finally:
            out.tidy(parts=not options.dry_run)  # else they may be another run's
    return 1 if len(this.aside) else 0


def unlike_versions(facts: list[dict[str, str]]) -> str:
    """A warning about hosts that may not give the same bytes; empty if they are of one version."""
    hosts = {fact["version"]: fact["host"] for fact in facts}
    shown = ", ".join(f"{version} at {host}" for version, host in sorted(hosts.items()))
    return f"Warning: the hosts have different versions ({shown}); their results may differ" if len(hosts) > 1 else ""


@dataclass
class BatchRun:
    """What one call of the command does."""

    options: argparse.Namespace
    task: Task
    stop: Stop
    cluster: Cluster
    manifest: Manifest
    todo: Jobs = field(default_factory=Jobs)  # what is not done yet
    aside: Jobs = field(default_factory=Jobs)  # what cannot be done, with the reason in each job
    skipped: int = 0  # done before, and not changed
    done: int = 0  # now
    hosts: Counter[str] = field(default_factory=Counter)  # the pictures that each has brought to their end

    def plan(self) -> None:
        """Tell apart what is to do, what is done, and what cannot be done."""
        out, results = self.task.out, array("q")
        for job in self.cluster.jobs(self.task, self.task.rows()):
            job.before = self.manifest.last(job.name)
            before = job.before.get("state") if job.unchanged() else ""
            if job.error:
                self.aside.add(job)
                continue
            results.append(_key_of_result(job))
            if before == DONE and job.result_at:
                self.skipped += 1
            elif before == FAILED and not self.options.retry_failed:
                kind = "that failed before (--retry-failed tries again)"
                self._set_aside(job, BadPicture(kind, str(job.before.get("error"))))
            elif job.result_at and not (job.before.get("result") == job.result or out.taken(strip_name(job.result))):
                self._set_aside(job, out.occupied(job.result))
            else:
                self.todo.add(job)
        keys, counts = np.unique(np.array(results, np.int64), return_counts=True)
        if twins := set(keys[counts > 1].tolist()):
            self._set_twins_aside(twins)

    def show(self) -> None:
        """Say what will be done, by which nodes, and what cannot be; and draw the first pictures with their masks."""
        aside, out = Counts(), self.task.out
        for job in self.aside:
            aside.add(job.kind, f"{job.name}: {job.error}")
        lines = [
            *findings(self.task),
            f"{len(self.todo) + self.skipped + len(self.aside)} pictures: {len(self.todo)} to do, {self.skipped} done "
            f"before and unchanged, {len(self.aside)} set aside",
            *self._changes(),
            *self.task.source.left_out.lines("left out"),
            *aside.lines("set aside"),
        ]
        say("\n".join(lines))
        page = preview(lines, map(self._previewed, islice(self.todo, PREVIEWED)))
        out.write_own(PREVIEW, page.encode(), MARK.encode())
        say(f"the first pictures with their masks: {out.link(PREVIEW)}")

    def _changes(self) -> Iterator[str]:
        """What a person might miss afterwards: results of earlier runs, and what results do not keep."""
        replaced, other, loses = 0, 0, Counter[str]()
        for job in self.todo:
            replaced += bool(job.result_at)
            other += bool(job.result_at) and job.before.get("image_at", job.image_at) != job.image_at
            loses.update(job.loses)
        if replaced:
            also = f"; of {other} of them the picture is newer, or another of the same name" if other else ""
            yield f"{replaced} results of an earlier run will be replaced{also}"
        if loses:
            yield f"lost in the results: {', '.join(f'{kind} ({count})' for kind, count in sorted(loses.items()))}"

    def list(self, schedule: str) -> None:
        """Say picture by picture what would be done, and how many model evaluations the node `schedule` counts."""
        else_mask = "its alpha" if self.task.workflow.wants_mask else "none"
        for job in self.todo:
            say("  " + clean(f"{job.name} -> {job.result}, mask {job.mask or else_mask}, seed {job.seed}"))
        if not schedule:
            return
        crew = self._crew(1)
        try:
            if not crew.open(all_of_them=True):
                raise KeyboardInterrupt
            each = ray.get(crew.seats[0].actor.evaluations.remote(schedule))
        finally:
            crew.close()
        in_all = f"{each} a picture, {each * len(self.todo)} in all" if each else "the Schedule node did not say"
        say(f"Model evaluations: {in_all}")

    def check_space(self) -> None:
        """Raises Refused if OUT has no room for as much as the pictures have: a PNG of the same is seldom smaller."""
        out, size = self.task.out, self.todo.bytes
        if out.local and (free := shutil.disk_usage(out.local).free) < size:
            need = f"the pictures to do have {size / 1e6:.0f} MB"
            raise Refused(f"{out.shown} has {free / 1e6:.0f} MB free, and {need}: free some")

    def paint(self) -> None:
        """Do what is to be done, and leave a report, however it ends."""
        self.progress = progress(len(self.todo))
        try:
            if len(self.todo):
                self._paint()
        finally:
            self.progress.close()
            say(self._report())
        if self.stop.asked:
            raise KeyboardInterrupt

    def _paint(self) -> None:
        crew = self._crew(len(self.todo))
        say(f"Waiting for {len(crew.seats)} ComfyUI")
        try:
            if unlike := unlike_versions(crew.open(all_of_them=bool(self.options.host))):
                say(unlike)
            self.progress.unpause()  # the clock counts from here
            for number in range(PASSES):
                self.todo = self._pass(crew, AT_A_TIME if number == 0 else 1)
                if crew.stopping or not len(self.todo):
                    return
            for job in self.todo:  # not done after the last pass
                self._end(job, {**job.facts(), "state": FAILED, "error": job.error, "tries": PASSES})
            self.todo = Jobs()
        finally:
            crew.close()

    def _pass(self, crew: Crew, at_a_time: int) -> Jobs:
        """Give each picture that is to do to one worker; return those not done: "done" and "failed" are their ends."""
        queue, not_done, cannot_write = Queue(self.todo), Jobs(), ""
        while True:
            for has in range(at_a_time):  # every worker gets one before any gets a second
                for seat in crew.free(has):
                    if not crew.stopping and (job := queue.take(seat.number, crew.ready)):
                        seat.paint(job)
            if not crew.painting and (crew.stopping or not queue.near):
                break
            for seat, job, entry in crew.ended():
                if entry["state"] in (DONE, FAILED):
                    self._end(job, {**entry, "tries": len(job.tried) + 1})
                    continue
                if entry["state"] == STOP:
                    crew.stopping, cannot_write = True, entry["error"]
                job.error, job.tried = entry["error"], [*job.tried, seat.number]
                not_done.add(job)
        for job in queue:  # the run is stopping
            not_done.add(job)
        if cannot_write:
            raise Refused(cannot_write)
        return not_done

    def _end(self, job: Job, entry: dict[str, Any]) -> None:
        """Note what became of a picture: from here on it is done, or set aside."""
        self.manifest.add(entry)
        if host := entry.get("host"):
            self.hosts[host] += 1
        self.progress.update()
        if entry["state"] == DONE:
            self.done += 1
            return
        self._set_aside(job, BadPicture("that failed", entry["error"]))
        say(clean(f"failed: {job.name}: {job.error}"))

    def _crew(self, at_most: int) -> Crew:
        """The workers: one for each host that was named, or as many as were asked for, or one a GPU, or one."""
        found = 0 if self.options.host else int(ray.cluster_resources().get("GPU", 0))
        wanted = min(len(self.options.host) or self.options.workers or found or 1, at_most)
        addresses = (self.options.host or [""] * wanted)[:wanted]
        arguments = [(self.task, address) for address in addresses]
        crew = self.stop.crew = Crew(Worker, arguments, AT_A_TIME, share_of_gpu(found, wanted))
        return crew

    def _set_aside(self, job: Job, error: BadPicture) -> None:
        job.fail(error)
        self.aside.add(job)

    def _set_twins_aside(self, twins: set[int]) -> None:
        """Pictures with one result, up to capitals, which some filesystems do not tell apart, are all set aside."""
        old, self.todo = self.todo, Jobs()
        names: dict[int, list[str]] = {key: [] for key in twins}
        for job in old:
            names.get(_key_of_result(job), []).append(job.name)
        for job in old:
            if (key := _key_of_result(job)) not in twins:
                self.todo.add(job)
                continue
            other = next((f"'{name}'" for name in names[key] if name != job.name), "another row")
            both = f"its result would be {job.result}, and so would that of {other}: give them other names"
            self._set_aside(job, BadPicture("pictures with one result", both))

    def _previewed(self, job: Job) -> tuple[str, bytes]:
        """A caption and small pictures: the original, and the same with what will be painted in red."""
        task = self.task
        try:
            picture = pictures.read(task.source.root.read(job.name), job.name)
            mask = task.mask(job, task.mask_place(job).read(job.mask) if job.mask else b"", picture)
            panels = [picture.pixels, pictures.overlaid(picture, mask)]
            return f"{job.name}, mask {job.mask or 'its alpha'}", pictures.strip(panels, picture)
        except (BadPicture, OSError) as error:
            return f"{job.name}: {error}", b""

    def _report(self) -> str:
        """Write OUT/report.html; what the terminal gets of it is returned."""
        out, clock = self.task.out, self.progress.format_dict
        rate = 60 * clock["n"] / max(clock["elapsed"], 1e-9)
        painting = ("painting", f"{self.progress.format_interval(clock['elapsed'])}, {rate:.1f} pictures a minute")
        summary = [
            ("done now", str(self.done)),
            ("done before and unchanged", str(self.skipped)),
            ("failed or set aside", str(len(self.aside))),
            ("left", str(self.progress.total - clock["n"])),
            *([painting] if self.hosts else []),
            *((f"on {host}", str(count)) for host, count in sorted(self.hosts.items())),
        ]
        count = sum(entry.get("state") == DONE for entry in self.manifest.latest())
        done = (entry for entry in self.manifest.latest() if entry.get("state") == DONE)
        failed = (f"{job.name}: {job.error}" for job in self.aside)
        for name, page in report(done, count, failed, self.task.source.root, summary):
            out.write_own(name, page.encode(), MARK.encode())
        return "\n".join(f"  {label:26} {text}" for label, text in [*summary, ("contact sheet", out.link(REPORT))])


class Queue:
    """The pictures of one pass, in their order, but for those that a worker has tried already."""

    def __init__(self, jobs: Jobs):
        self._jobs = iter(jobs)
        self.near = list(islice(self._jobs, AHEAD))

    def take(self, worker: int, ready: set[int]) -> Job | None:
        """The next picture for a worker: one that it has not tried, or that all others have."""
        for job in self.near:
            if worker not in job.tried or ready <= set(job.tried):
                self.near.remove(job)
                self.near.extend(islice(self._jobs, 1))
                return job
        return None

    def __iter__(self) -> Iterator[Job]:
        """Those that nobody has taken."""
        return chain(self.near, self._jobs)


def _key_of_result(job: Job) -> int:
    return key_of(unicodedata.normalize("NFC", job.result).casefold())
