"""Who gets which picture, with real Ray processes and workers that have no ComfyUI."""

import os
import time

import pytest

from batch.job import DONE, FAILED, Job
from batch.ray_cluster import RayCluster, actor
from batch.worker_pool import AT_A_TIME, Pool, Seat


@pytest.fixture
def pool(cluster):
    """pool(paint) has two workers that do `paint(job)` and return what it returns as the entry's "result"."""
    with RayCluster(cluster.address):

        def made(paint):
            class Painter:
                def start(self):
                    return {"host": "none"}

                def paint(self, job):
                    return {"name": job.name, "state": DONE, "result": paint(job)}

                def stop(self):
                    return

            seats = [Seat(actor(Painter, 0.0, AT_A_TIME), number) for number in range(2)]
            found = Pool(seats, lambda running: None, lambda text: None)
            found.open(all_of_them=True)
            return found

        yield made


def jobs(*names):
    return (Job(name) for name in names)


def test_a_picture_that_ends_its_worker_is_set_aside_and_takes_no_other_with_it(pool):
    def paint(job):
        if job.name == "deadly":
            os._exit(1)
        time.sleep(0.1)

    entries = {}
    names = [str(number) for number in range(12)]
    pool(paint).run(jobs(*names[:4], "deadly", *names[4:]), lambda job, entry: entries.update({job.name: entry}))
    assert {name for name, entry in entries.items() if entry["state"] == DONE} == set(names)
    assert entries["deadly"]["state"] == FAILED and entries["deadly"]["tries"] == 3


def test_a_worker_has_its_next_picture_while_it_paints_one(pool):
    together = []  # a copy goes to each worker

    def paint(job):
        """Raises, unless the two pictures of a worker are there at the same time."""
        together.append(job)
        deadline = time.monotonic() + 60
        while len(together) % AT_A_TIME:
            assert time.monotonic() < deadline
            time.sleep(0.01)

    entries = []
    pool(paint).run(jobs("a", "b", "c", "d"), lambda job, entry: entries.append(entry["state"]))
    assert entries == [DONE] * 4


def test_what_is_under_way_is_finished_when_the_run_is_stopped(pool):
    entries = []

    def on_end(job, entry):
        entries.append(job.name)
        made.stopping = True

    made = pool(lambda job: None)
    made.run(jobs(*map(str, range(100))), on_end)
    assert len(entries) == 2 * AT_A_TIME and not any(seat.painting for seat in made.seats)
