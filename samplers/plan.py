"""One call of a combinator, planned before the first model evaluation: its walk and its noise levels."""

from collections.abc import Callable

import torch
from torch import Tensor

from .known_region import Method
from .moves import Descend, Jump, Move, check_length, steps_walked
from .noise_level import NoiseLevel, noise_levels, window_sigmas


class Plan:
    """The walk of a method over the sigmas of a run; without a method, of the solver alone.

    Arguments:
        cells: of one channel of the latent.

    Attributes:
        moves: the walk.
        levels: the NoiseLevel of every sigma.
        full_noise: a/b below which a state counts as pure noise. Half again as much signal as at the model's maximum
            counts too, since not every scheduler begins there.
        window: the lowest and the highest sigma at which the method is at work.

    Raises:
        ValueError: if the method does not fit the sigmas, or the model has no forward process.
    """

    def __init__(self, method: Method | None, model_sampling, sigmas: Tensor, cells: int):
        check_length(len(sigmas) - 1)
        self.levels: list[NoiseLevel] = noise_levels(model_sampling, sigmas)
        self.moves: list[Move] = [Descend(0, len(sigmas) - 1)]
        self.window = (0.0, float("inf"))
        (noisiest,) = noise_levels(model_sampling, torch.as_tensor(model_sampling.sigma_max).reshape(1))
        self.full_noise = max(0.05, 1.5 * float(noisiest.a) / float(noisiest.b))
        if method is not None:
            self.window = window_sigmas(model_sampling, method.start_percent, method.end_percent)
            lowest, highest = self.window
            inside = [i for i, sigma in enumerate(sigmas[:-1].tolist()) if lowest <= sigma <= highest]
            window = range(inside[0], inside[-1] + 1) if inside else range(0)
            self.moves = method.moves(self.levels, window, cells)
        check_length(steps_walked(self.moves))
        for move in set(self.moves):
            if isinstance(move, Jump):
                self.levels[move.start].transition(self.levels[move.stop])

    @property
    def starts_below_full_noise(self) -> bool:
        """Whether the first state still has something of the latent in it (`denoise` below 1)."""
        return float(self.levels[0].a) >= self.full_noise * float(self.levels[0].b)


def plan_over(method: Method | None, model_sampling, sigmas: Tensor, cells: int) -> Callable[[Tensor], Plan]:
    """The plan over the sigmas of a run, or over others, which a sampler around the solver makes of them."""
    plan, own = Plan(method, model_sampling, sigmas, cells), sigmas.float().cpu()
    return lambda given: plan if torch.equal(given.float().cpu(), own) else Plan(method, model_sampling, given, cells)
