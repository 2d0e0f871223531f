"""A small endurance run; `python benchmarks endurance` is the long one, and its table is committed."""

import random

from benchmarks.endurance.jobs import endure, mixed_jobs


def test_mixed_jobs_of_two_clients_with_interrupts_are_what_they_are_alone_and_leave_nothing(server):
    tally = endure(server, mixed_jobs(9, random.Random(0)), rounds=2, jobs=10, clients=2, interrupts=0.3)
    assert not tally.wrong
    assert tally.done == 20 and tally.interrupted > 0
    _, before, after = tally.memory
    # newer hosts keep a varying few of the last results
    assert after.tensors <= before.tensors + 5 and after.held <= before.held + 1, tally.memory
    assert after.resident < before.resident + 50, tally.memory
