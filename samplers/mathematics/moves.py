"""The moves that a walk over the noise levels is made of, and the walks: integers only.

A schedule of `steps` steps has the levels 0 (most noise) to `steps` (the end of the sigmas); the model is evaluated at
level i to go from i to i + 1.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

MAX_EVALUATIONS = 100_000
"""Of one run: a workflow from somebody else must not be able to ask for more."""


class Descend(NamedTuple):
    """Let the solver run from level `start` down to level `stop`, its history intact on the way."""

    start: int
    stop: int


class Jump(NamedTuple):
    """Diffuse forward from level `start` up to the noisier level `stop` < `start`."""

    start: int
    stop: int


class Refine(NamedTuple):
    """Spend `evaluations` extra model evaluations at one level, without leaving it."""

    level: int
    evaluations: int


Move = Descend | Jump | Refine


def paper_jumps(steps: int, jump_length: int, jump_n_sample: int, window: range) -> dict[int, int]:
    r"""RePaint's rule: from every timestep :math:`t = j`, :math:`j \in \{0, J, 2J, \dots\}, j < T - J`, jump back
    :math:`J` levels, :math:`r - 1` times.

    The paper's timestep t counts down to 0; our level after reaching it is T - 1 - t.

    References:
        RePaint (Lugmayr et al., 2022), section 4.2, algorithm 1, and its released schedule;
        https://arxiv.org/abs/2201.09865

    Arguments:
        steps: T, the number of steps of the schedule.
        jump_length: J, levels of one jump.
        jump_n_sample: r, how often each stretch of J levels is sampled, the first time included.
        window: the levels whose evaluations may be repeated.

    Returns:
        How many jumps start at each level.
    """
    levels = (steps - 1 - t for t in range(0, steps - jump_length, jump_length))
    return {i: jump_n_sample - 1 for i in levels if i - jump_length in window and i - 1 in window}


def spread(count: int, places: Sequence[int]) -> dict[int, int]:
    """Distribute `count` things over `places` as evenly as integers allow (Bresenham's line): the sum is exact."""
    if not places:
        return {}
    n = len(places)
    return {place: (k + 1) * count // n - k * count // n for k, place in enumerate(places)}


def share(count: int, weights: Mapping[int, float]) -> dict[int, int]:
    """Distribute `count` things in proportion to positive weights: each place gets its share rounded down, and what is
    left goes to the largest fractions (Hamilton's method). The sum is exact."""
    total = sum(weights.values())
    shares = {place: count * weight / total for place, weight in weights.items()}
    counts = {place: int(exact) for place, exact in shares.items()}
    left = count - sum(counts.values())
    for place in sorted(shares, key=lambda place: counts[place] - shares[place])[:left]:
        counts[place] += 1
    return counts


def itinerary(steps: int, jump_length: int, jumps: Mapping[int, int]) -> list[Move]:
    """The walk down `steps` levels that jumps `jump_length` levels back as often as `jumps` says at each level.

    Returns:
        Moves; the levels of consecutive moves meet, the first starts at 0 and the last ends at `steps`.

    Raises:
        ValueError: if the walk is longer than MAX_EVALUATIONS.
    """
    check_length(steps + jump_length * sum(jumps.values()))
    left = {level: count for level, count in jumps.items() if count > 0}
    moves: list[Move] = []
    start = level = 0
    while level < steps:
        level += 1
        if left.get(level, 0):
            left[level] -= 1
            moves += [Descend(start, level), Jump(level, level - jump_length)]
            start = level = level - jump_length
    return [*moves, Descend(start, steps)]


def refined(steps: int, counts: Mapping[int, int]) -> list[Move]:
    """The walk down `steps` levels with `counts[i]` extra evaluations at level i before its step.

    A step with extra evaluations is a run of its own, so that a multistep solver never mixes a history with a state
    that was moved behind its back.
    """
    moves: list[Move] = []
    start = 0
    for level in range(steps):
        if counts.get(level, 0):
            if start < level:
                moves.append(Descend(start, level))
            moves += [Refine(level, counts[level]), Descend(level, level + 1)]
            start = level + 1
    return [*moves, Descend(start, steps)] if start < steps else moves


def check_length(steps: int) -> None:
    """Raises ValueError if a walk of so many solver steps and extra evaluations is longer than MAX_EVALUATIONS."""
    if steps > MAX_EVALUATIONS:
        raise ValueError(f"found {steps} steps in all, wanted at most {MAX_EVALUATIONS}; use fewer steps")


def steps_walked(moves: Iterable[Move]) -> int:
    """Solver steps plus extra evaluations of a walk: its cost for a solver of one evaluation a step."""
    cost = 0
    for move in moves:
        if isinstance(move, Descend):
            cost += move.stop - move.start
        elif isinstance(move, Refine):
            cost += move.evaluations
    return cost
