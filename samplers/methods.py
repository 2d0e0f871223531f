"""The methods: each is a walk over the noise levels (`mathematics/moves.py`), and a noise of the known part
(`mathematics/known_noise.py`).

A new method is a subclass of `Method` here. If it shows the known part under another noise, that is a subclass of
`FixedNoise` there, and a name in `KNOWN_NOISE` offers it to the nodes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import log
from typing import NamedTuple

from torch import Tensor

from .mathematics.known_noise import FixedNoise, FreshNoise, MatchedNoise, PredictedNoise
from .mathematics.moves import (
    Descend,
    Move,
    check_length,
    itinerary,
    paper_jumps,
    refined,
    share,
    spread,
    steps_walked,
)
from .mathematics.noise_level import NoiseLevel, noise_levels, window_sigmas

KNOWN_NOISE: dict[str, type[FixedNoise]] = {"fixed": FixedNoise, "fresh": FreshNoise, "predicted": PredictedNoise}

MIN_RATIO, MAX_RATIO = 0.1, 3.0  # of b/a, for latents of about unit deviation: l and u of Match
SIDE = 12.0  # cells: the side of a picture up to which u is MAX_RATIO


class Walk(NamedTuple):
    """What a run visits: the level of each sigma, with float coefficients, and the moves from the first to the last."""

    levels: list[NoiseLevel]
    moves: list[Move]


@dataclass(frozen=True, kw_only=True)
class Method:
    """How a run walks its noise levels, and what noise its known part has.

    Arguments:
        start_percent, end_percent: the window of the schedule in which the method is at work.
    """

    start_percent: float = 0.0
    end_percent: float = 1.0

    def moves(self, levels: Sequence[NoiseLevel], window: range, cells: int) -> list[Move]:
        """The walk over the levels of a schedule, its end included.

        Arguments:
            window: the places inside the percents.
            cells: of one channel of a latent: height times width, times frames.
        """
        return [Descend(0, len(levels) - 1)]

    def noise(self, y: Tensor, first: Tensor, draw: Callable[[], Tensor], has_old_content: bool) -> FixedNoise:
        """The noise of the known part, for one run.

        Arguments:
            y, first, draw: the clean latent, the initial noise and () -> fresh noise, as in `FixedNoise`.
            has_old_content: whether cells become free with their old content still in them.
        """
        raise NotImplementedError

    def walk(self, model_sampling, sigmas: Tensor, cells: int) -> Walk:
        """The walk over the sigmas of a run, (steps + 1,).

        Raises:
            ValueError: if the method does not fit the sigmas, or the model has no forward process.
        """
        check_length(len(sigmas) - 1)
        levels = noise_levels(model_sampling, sigmas)
        lowest, highest = window_sigmas(model_sampling, self.start_percent, self.end_percent)
        inside = [i for i, sigma in enumerate(sigmas[:-1].tolist()) if lowest <= sigma <= highest]
        moves = self.moves(levels, range(inside[0], inside[-1] + 1) if inside else range(0), cells)
        check_length(steps_walked(moves))
        return Walk(levels, moves)


@dataclass(frozen=True, kw_only=True)
class Blend(Method):
    """One walk down the schedule; `known_noise` is one of KNOWN_NOISE."""

    known_noise: str = "predicted"

    def noise(self, y: Tensor, first: Tensor, draw: Callable[[], Tensor], has_old_content: bool) -> FixedNoise:
        return KNOWN_NOISE[self.known_noise](y, first, draw)


@dataclass(frozen=True, kw_only=True)
class Resampling(Method):
    """Walks with jumps back up, so that the regenerated part can agree with the known part; `known_noise` as in Blend.

    A jump gives old content back as it was (`InpaintingRun.jump`). There, the repeated evaluations can only make the
    noise of the known part better, so it is predicted and not drawn anew.
    """

    known_noise: str = "fresh"

    def noise(self, y: Tensor, first: Tensor, draw: Callable[[], Tensor], has_old_content: bool) -> FixedNoise:
        name = "predicted" if has_old_content and self.known_noise == "fresh" else self.known_noise
        return KNOWN_NOISE[name](y, first, draw)


@dataclass(frozen=True, kw_only=True)
class RePaint(Resampling):
    """Resampling with the paper's jump schedule, on any list of sigmas.

    References:
        RePaint (Lugmayr et al., 2022), section 4.2 and appendix B; https://arxiv.org/abs/2201.09865
    """

    jump_length: int
    jump_n_sample: int

    def moves(self, levels: Sequence[NoiseLevel], window: range, cells: int) -> list[Move]:
        """Jumps only where all the evaluations which they repeat lie in the window.

        Raises:
            ValueError: if a jump is longer than the schedule.
        """
        steps = len(levels) - 1
        if self.jump_length > steps:
            raise ValueError(
                f"input jump_length: found {self.jump_length}, wanted at most {steps}, the number of steps"
            )
        jumps = paper_jumps(steps, self.jump_length, self.jump_n_sample, window)
        return itinerary(steps, self.jump_length, jumps)


@dataclass(frozen=True, kw_only=True)
class RePaintBudget(Resampling):
    """Resampling of single steps, spread evenly so that the walk has exactly round(steps * evaluations_per_step).

    The noisiest quarter is left out: jumps there cost as much and gain least (docs/notebook.md, Defaults).
    """

    evaluations_per_step: float
    start_percent: float = 0.25

    def moves(self, levels: Sequence[NoiseLevel], window: range, cells: int) -> list[Move]:
        steps = len(levels) - 1
        # a run of few steps may have none in the window: the total holds all the same
        places = [i for i in range(1, steps) if i - 1 in window] or range(1, steps)
        extra = round(steps * (self.evaluations_per_step - 1))
        return itinerary(steps, 1, spread(extra, places))


@dataclass(frozen=True, kw_only=True)
class Match(Method):
    r"""One walk down the schedule with extra evaluations where they pay, `inner_steps` a step on average.

    What they are good for is told in `MatchedNoise`. Each step has a share of them in proportion to how much of its
    fall in log sigma lies between l and u,

    .. math:: \log \frac{\min(\sigma_i, u)}{\max(\sigma_{i+1}, l)} \text{ where that is above 0}, \qquad
              \sigma = b / a, \quad u = 3 \max(1, \sqrt{N} / 12)

    with N cells of one channel. Below l, the regenerated part hardly moves any more. Above u, y is invisible: what N
    cells share, as those of a large picture share its composition, is seen in :math:`\sqrt{N}` times the noise that
    hides one of them.

    Arguments:
        inner_steps: extra model evaluations a step; 0 is Blend with predicted noise.
    """

    inner_steps: float

    def moves(self, levels: Sequence[NoiseLevel], window: range, cells: int) -> list[Move]:
        steps = len(levels) - 1
        low, high = MIN_RATIO, MAX_RATIO * max(1.0, cells**0.5 / SIDE)
        falls = {i: overlap(levels[i + 1].ratio, levels[i].ratio, low, high) for i in window if levels[i + 1].b > 0}
        weights = {i: fall for i, fall in falls.items() if fall > 0}
        if window and not weights:  # no step falls between low and high: the nearest has them, so that the total holds
            weights = {min(window, key=lambda i: abs(log(levels[i].ratio / (low * high) ** 0.5))): 1.0}
        return refined(steps, share(round(self.inner_steps * steps), weights) if weights else {})

    def noise(self, y: Tensor, first: Tensor, draw: Callable[[], Tensor], has_old_content: bool) -> FixedNoise:
        return MatchedNoise(y, first, draw) if self.inner_steps else PredictedNoise(y, first, draw)


def overlap(bottom: float, top: float, low: float, high: float) -> float:
    """How much of the way from `top` down to `bottom` lies between `low` and `high`, in the logarithm; 0 if nothing."""
    return max(0.0, log(min(top, high)) - log(max(bottom, low)))
