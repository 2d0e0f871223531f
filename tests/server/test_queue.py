"""A small endurance run; `python benchmarks/endurance` is the long one, and its table is committed."""

from latent_repaint.benchmarks.endurance.jobs import endure


def test_mixed_jobs_of_two_clients_with_interrupts_are_what_they_are_alone_and_leave_nothing(server):
    tally = endure(server, rounds=2, jobs=10, different=7, clients=2, interrupts=0.3, say=lambda row: None)
    assert not tally.wrong
    assert tally.done == 20 and tally.interrupted > 0
    (_, before, tensors, held), *_, (_, after, tensors_after, held_after) = tally.memory[1:]
    # newer hosts keep a varying few of the last results
    assert tensors_after <= tensors + 5 and held_after <= held + 1 and after < before + 50, tally.memory
