"""Ray: joins a cluster or makes one of this machine, has rows checked, and keeps the workers."""

import itertools
import logging
import math
import os
import re
import shutil
import socket
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# Before Ray is imported: nothing is reported to its makers.
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"

import ray
from ray.exceptions import RayError, RayTaskError

from comfyui_host.client import HostFailed, HostGone, clean

from . import Refused
from .check import Job, Task
from .table import Row
from .worker import HOST_GONE, NOT_DONE

ROOMS = Path(__file__).resolve().parents[1]
STORE = 128 << 20  # bytes; only rows of the table go through Ray's object store, never a picture
ROWS, AHEAD = 500, 16  # that one task checks, and tasks that are under way at a time
OWN_FOLDER = re.compile(r"lrb-(\d+)-\w{8}")
NEXT_TO_NO_CPU = 0.01  # a worker waits for its host, but Ray spreads over machines only what wants a processor
STARTS = 3  # that fail in a row, after which a worker that never worked is given up
SECONDS_BETWEEN_STARTS, TICK, END_SECONDS = 5.0, 0.5, 40
PATIENCE = 900.0
"""Seconds that a host may be away, or a cluster take to give a lost worker a new machine, where no other works."""


class Cluster:
    """A connection to Ray, in a `with` statement, or Refused if there is none. The address is a cluster's, "auto"
    for the one that runs on this machine, or empty to start Ray here, and end it too."""

    def __init__(self, address: str):
        self.address = address

    def __enter__(self) -> "Cluster":
        host, colon, port = self.address.rpartition(":")
        try:
            if colon and port.isdigit():  # Ray itself waits for minutes before it says that nobody is there
                socket.create_connection((host, int(port)), timeout=10).close()
        except OSError as error:
            raise Refused(f"cannot join Ray at {self.address}: {error}") from error
        self._folder = _own_folder()
        for attempt in range(STARTS):
            try:
                self._join()
                break
            except Exception as error:  # Ray raises plain ones too: it starts within 30 s, or not at all
                ray.shutdown()
                if self.address or attempt == STARTS - 1:
                    shutil.rmtree(self._folder, ignore_errors=True)
                    what = f"join Ray at {self.address}" if self.address else "start Ray on this machine"
                    raise Refused(f"cannot {what}: {error}") from error
        return self

    def __exit__(self, *_: object) -> None:
        ray.shutdown()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _join(self) -> None:
        # Ray opens its own folder to everyone on the machine, and runs the code that it finds there: it lies below one
        # that is open to nobody else.
        alone: dict[str, Any] = {"object_store_memory": STORE, "_temp_dir": f"{self._folder}/r"}
        # Every machine needs the code of these rooms, and nothing else of the repository. As a working directory it
        # comes before whatever is called `batch` in the folder that the user is in.
        code, leave = Path(self._folder) / "code", shutil.ignore_patterns("__pycache__")
        for room in ("batch", "comfyui_host"):
            shutil.copytree(ROOMS / room, code / room, ignore=leave, dirs_exist_ok=True)
        ray.init(
            address=self.address or "local", log_to_driver=False, logging_level=logging.ERROR,
            include_dashboard=None if self.address else False, runtime_env={"working_dir": str(code)},
            **({} if self.address else alone),
        )  # fmt: skip

    def jobs(self, task: Task, rows: Iterator[Row]) -> Iterator[Job]:
        """The rows, checked, in their order."""
        shared, check = ray.put(task), ray.remote(Task.jobs)
        waiting: deque[Any] = deque()
        while batch := list(itertools.islice(rows, ROWS)):
            waiting.append(check.remote(shared, batch))
            if len(waiting) == AHEAD:
                yield from ray.get(waiting.popleft())
        for call in waiting:
            yield from ray.get(call)


def share_of_gpu(gpus: int, workers: int) -> float:
    """What a worker asks Ray for: a GPU of its own, or an equal part where there are more workers than GPUs."""
    return 1 / math.ceil(workers / gpus) if gpus else 0.0


@dataclass
class Seat:
    """A worker, and what it is doing."""

    actor: Any
    number: int
    starting: Any = None  # the Ray call that starts its host
    painting: dict[Any, Job] = field(default_factory=dict)  # the pictures that it has, by their Ray calls
    facts: dict[str, str] = field(default_factory=dict)  # what its host said of itself, once it has started
    errors: list[str] = field(default_factory=list)  # of failed starts in a row
    ready: bool = False
    given_up: bool = False
    start_at: float = 0.0  # when its host is to be started next, by the clock
    down_since: float = field(default_factory=time.monotonic)  # when it was found to be gone

    def paint(self, job: Job) -> None:
        self.painting[self.actor.paint.remote(job)] = job

    def started(self, call: Any) -> None:
        """Take in how a start has ended."""
        self.starting, wait = None, SECONDS_BETWEEN_STARTS
        try:
            self.facts, self.ready, self.errors = ray.get(call), True, []
        except RayTaskError as error:
            expected = isinstance(error.cause, (HostGone, HostFailed, Refused))
            self.errors.append(clean(str(error.cause) if expected else f"{type(error.cause).__name__}: {error.cause}"))
            self.given_up = isinstance(error.cause, Refused) or (len(self.errors) >= STARTS and not self.facts)
            wait *= bool(self.facts)
        except RayError as error:  # its process is gone; Ray starts another one, on another machine if need be
            self.errors.append(f"a worker ended: {_first_line(error)}")
        self.start_at = time.monotonic() + wait

    def ended(self, call: Any) -> tuple["Seat", Job, dict[str, Any]]:
        """What became of a picture; where the worker's process or its machine is gone, Ray says so."""
        try:
            entry = ray.get(call)
        except RayTaskError as error:
            entry = {"state": NOT_DONE, "error": clean(f"{type(error.cause).__name__}: {error.cause}")}
        except RayError as error:
            entry = {"state": HOST_GONE, "error": f"the worker ended: {_first_line(error)}"}
        if entry["state"] == HOST_GONE and self.ready:
            self.ready, self.start_at, self.down_since = False, 0.0, time.monotonic()
        return self, self.painting.pop(call), entry


class Crew:
    """Workers of a class, each with its arguments. Ray starts one again, on another machine if need be, when its
    process ends. Nothing new is to begin when `stopping` is set."""

    def __init__(self, worker: type, arguments: list[tuple[Any, ...]], at_a_time: int, gpu: float = 0.0):
        actor: Any = ray.remote(worker).options(
            num_cpus=NEXT_TO_NO_CPU, num_gpus=gpu, max_restarts=-1, max_task_retries=0, scheduling_strategy="SPREAD",
            max_concurrency=at_a_time,
        )  # fmt: skip
        self.seats = [Seat(actor.remote(*given), number) for number, given in enumerate(arguments)]
        self.stopping = False

    def open(self, all_of_them: bool) -> list[dict[str, str]]:
        """Wait for the first worker's host, or for all of them, and return what each says of itself. Raises Refused if
        a host lacks something, or none starts."""
        while not self.stopping:
            self.ended()
            given_up = [seat for seat in self.seats if seat.given_up]
            if given_up and (all_of_them or len(given_up) == len(self.seats)):
                raise Refused(given_up[0].errors[-1])
            up = [seat.facts for seat in self.seats if seat.ready]
            if len(up) == len(self.seats) or (up and not all_of_them):
                return up
        return []

    def free(self, has: int) -> list[Seat]:
        """The workers that have so many pictures, and can take one more."""
        return [seat for seat in self.seats if seat.ready and len(seat.painting) == has]

    @property
    def ready(self) -> set[int]:
        return {seat.number for seat in self.seats if seat.ready}

    @property
    def painting(self) -> int:
        """How many pictures the workers have."""
        return sum(len(seat.painting) for seat in self.seats)

    def ended(self) -> list[tuple[Seat, Job, dict[str, Any]]]:
        """Wait a moment, and return which pictures have come back, with what became of them. Hosts that are down are
        started again meanwhile. Raises Refused if no worker is left."""
        for seat in self.seats:
            if not (seat.ready or seat.starting or seat.painting or seat.given_up) and time.monotonic() > seat.start_at:
                seat.starting = seat.actor.start.remote()
        calls = {call: seat for seat in self.seats for call in (seat.starting, *seat.painting) if call is not None}
        if not calls:
            waited = time.monotonic() - PATIENCE
            if all(seat.given_up or seat.down_since < waited for seat in self.seats):
                raise Refused("no host is left:\n" + "\n".join(seat.errors[-1] for seat in self.seats if seat.errors))
            time.sleep(TICK)
            return []
        done, back = ray.wait(list(calls), num_returns=1, timeout=TICK)[0], []
        for call in done:
            if call == calls[call].starting:
                calls[call].started(call)
            else:
                back.append(calls[call].ended(call))
        return back

    def close(self) -> None:
        """End the workers' hosts, and wait until they have ended. One that is still at work ends with its worker."""
        calls = [seat.actor.stop.remote() for seat in self.seats if seat.ready and not seat.painting]
        if calls:
            ray.wait(calls, num_returns=len(calls), timeout=END_SECONDS)


def _first_line(error: Exception) -> str:
    return clean(str(error).strip().partition("\n")[0], 300)


def _own_folder() -> str:
    """A folder that nobody else may enter; those of runs that were killed are deleted. Its path is short: Ray makes
    sockets there, and a socket's path may have 104 characters, of which Ray's own part takes some 70."""
    above = Path("/tmp" if os.name == "posix" else tempfile.gettempdir())  # noqa: S108
    for old in above.glob("lrb-*") if os.name == "posix" else ():
        named = OWN_FOLDER.fullmatch(old.name)
        if named and old.lstat().st_uid == os.getuid() and not _runs(int(named[1])):
            shutil.rmtree(old, ignore_errors=True)
    return tempfile.mkdtemp(prefix=f"lrb-{os.getpid()}-", dir=above)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except OSError as error:
        return isinstance(error, PermissionError)
    return True
