"""The workers at work: who gets which picture, what is tried again where, and how the run ends early.

Ray Data has a pool of actors too. It could not give a failed picture to another host, could not be stopped between two
pictures, and would paint again what a removed machine had already written.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import ray
from ray.exceptions import ActorUnavailableError, RayError, RayTaskError

from .errors import HostGone, Refused
from .job import FAILED, Job
from .worker import HOST_GONE, RETRY, STOP

AT_A_TIME = 2
"""Pictures that a worker has: one that its host paints, and one that waits there, so that the host never does."""
TRIES = 3
STARTS = 3
"""Failed starts in a row after which a worker is given up."""
PATIENCE = 900.0
"""Seconds that a cluster may take to give a lost worker a new machine, where no other worker is left."""
SECONDS_BETWEEN_STARTS = 5.0
TICK = 0.5
END_SECONDS = 30

OnEnd = Callable[[Job, dict[str, Any]], None]


@dataclass
class Seat:
    """A worker, and what it is doing.

    Attributes:
        starting: The Ray call that starts its host; None if none is under way.
        painting: The pictures that it has, by their Ray calls.
        facts: What its host said of itself; empty until it has started once.
        errors: Of failed starts in a row.
        lost_since: When the actor's process was found to be gone; 0 if it is there.
    """

    actor: Any
    number: int
    starting: Any = None
    painting: dict[Any, Job] = field(default_factory=dict)
    facts: dict[str, str] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    ready: bool = False
    lost_since: float = 0.0
    start_at: float = 0.0

    def start(self) -> None:
        self.ready = False
        self.starting = self.actor.start.remote()

    def lose(self) -> None:
        """Ray has to start the actor's process again, perhaps on another machine: look again in a while."""
        now = time.monotonic()
        self.ready, self.lost_since, self.start_at = False, self.lost_since or now, now + SECONDS_BETWEEN_STARTS

    def paint(self, job: Job) -> None:
        self.painting[self.actor.paint.remote(job)] = job

    @property
    def given_up(self) -> bool:
        return len(self.errors) >= STARTS

    @property
    def lost(self) -> bool:
        """There has been no process for so long that none is expected any more."""
        return bool(self.lost_since) and time.monotonic() - self.lost_since > PATIENCE


class Pool:
    """Takes jobs through the workers.

    Arguments:
        seats: The workers.
        tick: Called at least twice a second with the number of pictures under way.
        tell: Called with what the user should know of a host.
    """

    def __init__(self, seats: list[Seat], tick: Callable[[int], None], tell: Callable[[str], None]):
        self.seats, self.tick, self.tell = seats, tick, tell
        self.stopping = False
        self._stopped_by = ""
        self._again: list[Job] = []
        self._tried: dict[str, list[int]] = {}
        self._fresh: Iterator[Job] = iter(())
        self._no_more = False

    def open(self, all_of_them: bool) -> list[dict[str, str]]:
        """Start the workers and wait for the first, or for all of them.

        Returns:
            What each host that has started says of itself.

        Raises:
            Refused: If a host lacks something, or none starts.
        """
        for seat in self.seats:
            seat.start()
        while not self.stopping:
            self._wait()
            up = [seat for seat in self.seats if seat.ready]
            failed = [seat for seat in self.seats if seat.given_up]
            if failed and (all_of_them or len(failed) == len(self.seats)):
                raise Refused(failed[0].errors[-1])
            if len(up) == len(self.seats) or (up and not all_of_them):
                return [seat.facts for seat in up]
        return []

    def run(self, jobs: Iterator[Job], on_end: OnEnd) -> None:
        """Take every job to its end, or set it aside. When `stopping` is set, only finish what is under way.

        Raises:
            Refused: If no worker is left or the results cannot be written; the rest is as it was.
        """
        self._fresh, self._no_more = jobs, False
        while True:
            self._give_out()
            busy = any(seat.painting for seat in self.seats)
            if not busy and (self.stopping or (self._no_more and not self._again)):
                break
            if all(seat.given_up or seat.lost for seat in self.seats):
                errors = "\n".join(seat.errors[-1] if seat.errors else "its machine is gone" for seat in self.seats)
                raise Refused(f"no host is left:\n{errors}")
            for seat, job, entry in self._wait():
                self._end(seat, job, entry, on_end)
        if self._stopped_by:
            raise Refused(self._stopped_by)

    def ask(self, method: str, *arguments: Any) -> Any:
        """What a method of the first worker returns."""
        return ray.get(getattr(self.seats[0].actor, method).remote(*arguments))

    def close(self) -> None:
        """End the workers' hosts, and wait until they have ended. One that is still at work ends with its worker."""
        calls = [seat.actor.stop.remote() for seat in self.seats if seat.ready and not seat.painting]
        if calls:
            ray.wait(calls, num_returns=len(calls), timeout=END_SECONDS)

    def _give_out(self) -> None:
        """Give every worker a picture before any gets a second one."""
        for has in range(AT_A_TIME):
            for seat in self.seats:
                if seat.ready and len(seat.painting) == has and not self.stopping and (job := self._next(seat)):
                    seat.paint(job)

    def _wait(self) -> list[tuple[Seat, Job, dict[str, Any]]]:
        """Wait a moment; take in which workers have started, and return which pictures have come to their end."""
        for seat in self.seats:
            if seat.lost_since and seat.starting is None and not seat.given_up and time.monotonic() > seat.start_at:
                seat.start()
        calls = {call: seat for seat in self.seats for call in (seat.starting, *seat.painting) if call is not None}
        if not calls:
            time.sleep(TICK)
        done, _ = ray.wait(list(calls), num_returns=1, timeout=TICK) if calls else ([], [])
        self.tick(sum(len(seat.painting) for seat in self.seats))
        ends = []
        for call in done:
            seat = calls[call]
            if call == seat.starting:
                seat.starting = None
                self._started(seat, call)
            else:
                ends.append((seat, seat.painting.pop(call), self._painted(call)))
        return ends

    def _started(self, seat: Seat, call: Any) -> None:
        try:
            seat.facts, seat.ready, seat.errors, seat.lost_since = ray.get(call), True, [], 0.0
        except RayTaskError as error:
            cause = error.cause
            known = isinstance(cause, (HostGone, Refused))
            seat.errors.append(str(cause) if known else f"{type(cause).__name__}: {cause}")
            if isinstance(cause, Refused):  # the same the next time
                seat.errors = seat.errors[-1:] * STARTS
            elif seat.facts:  # it has worked before
                self.tell(f"{seat.facts['host']} is gone and will be tried again: {seat.errors.pop()}")
                seat.lose()
            elif not seat.given_up:
                seat.start()
        except ActorUnavailableError:
            seat.lose()
        except RayError as error:
            seat.errors.append(f"a worker ended while it started its host: {_first_line(error)}")
            seat.lose()

    def _painted(self, call: Any) -> dict[str, Any]:
        try:
            return ray.get(call)
        except RayTaskError as error:
            return {"state": RETRY, "error": f"{type(error.cause).__name__}: {error.cause}"}
        except RayError as error:
            return {"state": HOST_GONE, "error": f"the worker ended: {_first_line(error)}"}

    def _end(self, seat: Seat, job: Job, entry: dict[str, Any], on_end: OnEnd) -> None:
        seat.ready = seat.ready and entry["state"] != HOST_GONE
        if not seat.ready and not seat.painting:
            seat.start()
        if entry["state"] == STOP:
            self.stopping, self._stopped_by = True, entry["error"]
            return
        tried = self._tried.pop(job.name, []) + [seat.number]
        if entry["state"] in (RETRY, HOST_GONE):
            if len(tried) < TRIES:
                self._tried[job.name] = tried
                self._again.append(job)
                return
            entry = {**_facts(job), **entry, "state": FAILED}
        on_end(job, {**entry, "tries": len(tried)})

    def _next(self, seat: Seat) -> Job | None:
        """The picture for a worker: one that failed elsewhere, else a new one.

        One that failed is alone with its worker: if it is what ends the hosts, it takes no other with it again.
        """
        if any(job.name in self._tried for job in seat.painting.values()):
            return None
        for job in self._again:
            tried = self._tried[job.name]
            others = [other for other in self.seats if other.ready and other.number not in tried]
            if seat.number not in tried or not others:
                if seat.painting:
                    return None
                self._again.remove(job)
                return job
        fresh = next(self._fresh, None)
        self._no_more = fresh is None
        return fresh


def _facts(job: Job) -> dict[str, Any]:
    """What an entry says of a picture whose worker ended without a word."""
    keys = ("name", "result", "seed", "recipe", "image_at", "mask_at")
    return {key: getattr(job, key) for key in keys}


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
