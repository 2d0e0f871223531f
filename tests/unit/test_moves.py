"""The walk over the levels: RePaint's released schedule entry by entry, and budgets to the evaluation."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latent_repaint.samplers.mathematics.moves import (
    Descend,
    Jump,
    Refine,
    itinerary,
    paper_jumps,
    refined,
    spread,
    steps_walked,
)


def paper_levels(steps: int, jump_length: int, jump_n_sample: int) -> list[int]:
    """The timesteps of the paper's algorithm 1 with its jumps, T - 1 .. 0 and -1 at the end, written down directly."""
    jumps = {t: jump_n_sample - 1 for t in range(0, steps - jump_length, jump_length)}
    t, visited = steps, []
    while t >= 1:
        t -= 1
        visited.append(t)
        if jumps.get(t, 0) > 0:
            jumps[t] -= 1
            for _ in range(jump_length):
                t += 1
                visited.append(t)
    return [*visited, -1]


def levels(moves, steps: int) -> list[int]:
    """Every level visited, as the paper counts: T - 1 at the noisiest, -1 at the end."""
    visited = [0]
    for move in moves:
        step = 1 if isinstance(move, Descend) else -1
        visited += range(move.start + step, move.stop + step, step)
    return [steps - 1 - level for level in visited]


@pytest.mark.parametrize(
    ("steps", "jump_length", "jump_n_sample", "evaluations"),
    [
        (250, 10, 10, 2410),
        (20, 5, 5, 80),
        (20, 10, 10, 110),
        (20, 1, 5, 96),
        (30, 1, 3, 88),
        (20, 20, 5, 20),
        (20, 3, 1, 20),
    ],
)
def test_the_papers_schedule_entry_by_entry(steps, jump_length, jump_n_sample, evaluations):
    jumps = paper_jumps(steps, jump_length, jump_n_sample, range(steps))
    moves = itinerary(steps, jump_length, jumps)
    assert levels(moves, steps) == paper_levels(steps, jump_length, jump_n_sample)
    assert steps_walked(moves) == evaluations


@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 6), st.integers(0, 60), st.integers(0, 60))
def test_jumps_repeat_only_evaluations_inside_the_window(steps, jump_length, jump_n_sample, first, last):
    window = range(first, last)
    moves = itinerary(steps, jump_length, paper_jumps(steps, jump_length, jump_n_sample, window))
    assert moves[0].start == 0 and moves[-1].stop == steps
    for before, after in zip(moves, moves[1:], strict=False):
        assert before.stop == after.start
    for move in moves:
        if isinstance(move, Jump):
            assert move.stop in window and move.start - 1 in window


def test_a_walk_that_is_too_long_is_refused():
    with pytest.raises(ValueError, match="found 100010 steps in all, wanted at most 100000"):
        itinerary(10, 5, {10: 20_000})


@given(st.integers(0, 500), st.lists(st.integers(), min_size=1, max_size=40, unique=True))
def test_spread_is_exact_and_even(count, places):
    counts = spread(count, places)
    assert sum(counts.values()) == count
    assert max(counts.values()) - min(counts.values()) <= 1


def test_spread_over_nothing_is_nothing():
    assert spread(5, []) == {}


@given(st.integers(1, 40), st.dictionaries(st.integers(0, 39), st.integers(0, 4)))
def test_refined_walks_every_step_once(steps, counts):
    moves = refined(steps, counts)
    stretches = [m for m in moves if isinstance(m, Descend)]
    assert [level for m in stretches for level in range(m.start, m.stop)] == list(range(steps))
    asked = {level: count for level, count in counts.items() if count and level < steps}
    assert {m.level: m.evaluations for m in moves if isinstance(m, Refine)} == asked
    for before, after in zip(moves, moves[1:], strict=False):
        if isinstance(before, Refine):
            assert after == Descend(before.level, before.level + 1)
