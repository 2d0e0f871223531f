"""What is to be done, before it is done: every picture once, with what earlier runs know of it.

It lies in a file that is deleted afterwards and not in memory, so that a table of a million rows costs no more than one
of a thousand.
"""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from .job import DONE, FAILED, LEFT, Job

TODO, SKIPPED = "to do", "done before"
TABLES = """
    CREATE TABLE past (name TEXT PRIMARY KEY, entry TEXT) WITHOUT ROWID;
    CREATE TABLE plan (number INTEGER PRIMARY KEY, name TEXT, result TEXT, state TEXT, job TEXT, entry TEXT);
    CREATE UNIQUE INDEX results ON plan (result);
"""


class Plan:
    """Use it in a `with` statement.

    Arguments:
        retry_failed: Whether what failed before, and did not change, is done again.
    """

    def __init__(self, retry_failed: bool):
        self.retry_failed = retry_failed
        self._folder = tempfile.TemporaryDirectory(prefix="batch-plan-")

    def __enter__(self) -> Plan:
        self._base = sqlite3.connect(Path(self._folder.name) / "plan.sqlite", isolation_level=None)
        self._base.execute("PRAGMA synchronous = OFF")
        self._base.execute("PRAGMA journal_mode = OFF")
        self._base.executescript(TABLES)
        return self

    def __exit__(self, *_: object) -> None:
        self._base.close()
        self._folder.cleanup()

    def remember(self, entries: Iterable[dict[str, Any]]) -> None:
        """Take in what earlier runs noted, oldest first."""
        self._base.execute("BEGIN")
        rows = ((entry["name"], json.dumps(entry)) for entry in entries)
        self._base.executemany("INSERT OR REPLACE INTO past VALUES (?, ?)", rows)
        self._base.execute("COMMIT")

    def add(self, jobs: Iterable[Job]) -> None:
        """Take in pictures. Two with one result are both refused: either would overwrite the other."""
        self._base.execute("BEGIN")
        for job in jobs:
            twin = self._twin(job)
            state, entry = (FAILED, {"error": job.error}) if job.error else self._state(job)
            result = None if twin or not job.result else job.result  # the index allows any number of None
            row = (job.name, result, state, job.to_json(), json.dumps(entry))
            self._base.execute("INSERT INTO plan (name, result, state, job, entry) VALUES (?, ?, ?, ?, ?)", row)
        self._base.execute("COMMIT")

    def counts(self) -> dict[str, int]:
        """How many pictures are in each state."""
        found = dict(self._base.execute("SELECT state, COUNT(*) FROM plan GROUP BY state").fetchall())
        return {state: found.get(state, 0) for state in (TODO, DONE, SKIPPED, FAILED)}

    def bytes_to_do(self) -> int:
        """The size of all pictures that are to be done."""
        size = "SUM(CAST(json_extract(job, '$.image_at') AS INTEGER))"  # of "size:time" the cast takes the size
        (found,) = self._base.execute(f"SELECT {size} FROM plan WHERE state = ?", (TODO,)).fetchone()  # noqa: S608
        return found or 0

    def end(self, job: Job, entry: dict[str, Any]) -> None:
        """Note what became of one picture."""
        state = entry["state"] if entry["state"] != LEFT else TODO
        self._base.execute(
            "UPDATE plan SET state = ?, entry = ? WHERE result = ?", (state, json.dumps(entry), job.result)
        )

    def rows(self, *states: str) -> Iterator[tuple[Job, dict[str, Any]]]:
        """Job and entry of the manifest of the pictures in these states, in the order of the table."""
        last, marks = 0, ", ".join("?" * len(states))
        page = f"SELECT number, job, entry FROM plan WHERE number > ? AND state IN ({marks}) LIMIT 256"  # noqa: S608
        while rows := self._base.execute(page, (last, *states)).fetchall():
            last = rows[-1][0]
            yield from ((Job.from_json(job), json.loads(entry)) for _, job, entry in rows)

    def _twin(self, job: Job) -> bool:
        """Whether another row has the same result; both get an error that names the other."""
        found = self._base.execute("SELECT number, name FROM plan WHERE result = ?", (job.result,)).fetchone()
        if not found:
            return False
        number, name = found
        both = f"its result would be {job.result}, and so would that of"
        job.error = job.error or f"{both} '{name}': give them other names"
        values = (FAILED, json.dumps({"error": f"{both} '{job.name}': give them other names"}), number)
        self._base.execute("UPDATE plan SET state = ?, entry = ? WHERE number = ?", values)
        return True

    def _state(self, job: Job) -> tuple[str, dict[str, Any]]:
        found = self._base.execute("SELECT entry FROM past WHERE name = ?", (job.name,)).fetchone()
        job.before = json.loads(found[0]) if found else {}
        if not job.unchanged(job.before):
            return TODO, {}
        if job.before["state"] == DONE and job.exists:
            return SKIPPED, job.before
        if job.before["state"] == FAILED and not self.retry_failed:
            return FAILED, job.before
        return TODO, {}
