"""Pictures a minute by the number of hosts, and the processor time of each part for a picture."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterable
from pathlib import Path

import psutil

from comfyui_host.server_process import Server

from . import overhead
from .trial import WORKER, Trial, ends, make_pictures
from .waiting import SECONDS_AN_EVALUATION, waiting_flow, waiting_hosts

HOSTS = (1, 2, 4, 8, 16)
STEPS, SIDE, GRAIN = 8, 512, 8.0
PICTURES_A_HOST = 24  # with few, the end of a run, when some hosts have none left, counts for much
SECONDS_BETWEEN_LOOKS = 1.0


def measure(folder: Path, repository: Path, count: int | None) -> None:
    """Print the tables of scaling and of the overhead.

    Rates count from the end of each host's first picture to the end of the last one.

    Arguments:
        count: Pictures for each host.
    """
    count = count or PICTURES_A_HOST
    (folder / "flow.json").write_text(json.dumps(waiting_flow(STEPS)))
    print(f"{SIDE} x {SIDE} pixels, {STEPS} evaluations of {SECONDS_AN_EVALUATION} s, {psutil.cpu_count()} processors")
    print("| hosts | pictures | pictures a minute | efficiency | host | worker | Ray | command | processors busy |")
    print("|---|---|---|---|---|---|---|---|---|")
    first = 0.0
    with waiting_hosts(max(HOSTS)) as servers:
        for hosts in HOSTS:
            make_pictures(folder / f"in {hosts}", hosts * count, SIDE, GRAIN)
            out = folder / f"out {hosts}"
            options = [part for server in servers[:hosts] for part in ("--host", server.address)]
            trial = Trial(folder / "flow.json", folder / f"in {hosts}", out, *options, repository=repository)
            clock = Clock(trial, servers[:hosts])
            if trial.end():
                raise SystemExit(trial.output())
            ended = ends(out)
            rate = 60 * (len(ended) - hosts) / (ended[-1] - ended[hosts - 1])
            first = first or rate
            shares, busy = clock.between(ended[hosts - 1], ended)
            print(
                f"| {hosts} | {len(ended)} | {rate:.1f} | {rate / hosts / first:.2f} | "
                + " | ".join(f"{1000 * share:.0f} ms" for share in shares)
                + f" | {busy:.2f} |"
            )
        overhead.measure(folder, repository, servers[0])


class Clock(threading.Thread):
    """Looks once a second at the processor time of the hosts and of all that `python batch` has started."""

    def __init__(self, trial: Trial, servers: Iterable[Server]):
        super().__init__(daemon=True)
        self.trial, self.hosts = trial, [psutil.Process(server.process.pid) for server in servers]
        self._looks: list[tuple[float, list[float]]] = []
        self._known: dict[int, tuple[int, float]] = {}
        self.start()

    def run(self) -> None:
        while not self.trial.ended():
            self._look(0, self.hosts)
            others = self.trial.descendants()
            workers = {process.pid for process in self.trial.processes(WORKER)}
            self._look(1, [process for process in others if process.pid in workers])
            self._look(2, [process for process in others if process.pid not in workers])
            self._look(3, [psutil.Process(self.trial.pid)])
            sums = [sum(used for kind, used in self._known.values() if kind == wanted) for wanted in range(4)]
            self._looks.append((time.time(), sums))
            time.sleep(SECONDS_BETWEEN_LOOKS)

    def _look(self, kind: int, processes: Iterable[psutil.Process]) -> None:
        for process in processes:
            try:
                used = process.cpu_times()
                self._known[process.pid] = kind, used.user + used.system
            except psutil.Error:
                continue

    def between(self, start: float, ended: list[float]) -> tuple[list[float], float]:
        """Seconds a picture of host, worker, Ray and command, and the processors that they kept busy."""
        looks = [look for look in self._looks if start <= look[0] <= ended[-1]]
        (since, before), (until, after) = looks[0], looks[-1]
        pictures = sum(since < at <= until for at in ended)
        used = [late - early for early, late in zip(before, after, strict=True)]
        return [seconds / pictures for seconds in used], sum(used) / (until - since)
