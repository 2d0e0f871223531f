"""RePaint: walk back up the schedule so that the regenerated part can agree with the known part."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor

from ..known_region import AtLevel, Guidance, KnownRegion, Method
from ..moves import Move, itinerary, paper_jumps, spread
from ..noise_level import NoiseLevel


@dataclass(frozen=True, kw_only=True)
class Resampling(Method):
    """Walks with jumps, and with noise of the known part that is drawn anew at every evaluation.

    A jump gives old content back as it was (see `KnownRegion`). What the repeated evaluations are good for there is the
    noise of the known part, so it is predicted and not drawn anew.
    """

    known_noise: str = "fresh"

    def region(
        self, guided: Guidance, at: AtLevel, y: Tensor, noise: Tensor, draw: Callable[[], Tensor]
    ) -> KnownRegion:
        has_old_content = at.full_noise is not None
        known_noise = "predicted" if has_old_content and self.known_noise == "fresh" else self.known_noise
        return KnownRegion(guided, at, y, noise, draw, known_noise)


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

    The noisiest quarter is left out: jumps there cost as much and gain least (benchmarks/results/defaults.md).
    """

    evaluations_per_step: float
    start_percent: float = 0.25

    def moves(self, levels: Sequence[NoiseLevel], window: range, cells: int) -> list[Move]:
        steps = len(levels) - 1
        # a run of few steps may have none in the window: the total holds all the same
        places = [i for i in range(1, steps) if i - 1 in window] or range(1, steps)
        extra = round(steps * (self.evaluations_per_step - 1))
        return itinerary(steps, 1, spread(extra, places))
