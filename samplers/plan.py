"""One call of a combinator, planned before the first model evaluation: its walk, its known part, its evaluations."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from .known_region import Method
from .loop import Region, Solver
from .moves import MAX_EVALUATIONS, Descend, Jump, Move, Refine, check_length, steps_walked
from .noise_level import NoiseLevel, noise_levels, window_sigmas

MAX_WALKED = 1_000
"""Evaluations that a solver is walked for while a run is planned; a longer walk is told from its beginning."""


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


class Enough(Exception):
    """A solver was walked as far as planning goes."""


class DryRegion:
    """A denoiser that costs nothing and writes down at which sigma it was asked.

    The CFG++ solvers wait for their hook to be called, with all that the host hands it: cfgpp_ud10_ab (ComfyUI 0.35)
    asks for `uncond`.

    Attributes:
        evaluated: the sigma of every evaluation so far, those estimated among them.
        ended: the error after which there is nothing to plan: the run was cancelled, or is refused.

    Arguments:
        base_model: the host's, for hooks.
        shape: of the states that the solver will be asked to denoise.
        hooks: those that the run has after guidance; a solver's own are the others.
        before: called before every evaluation; it may raise, to cancel.
    """

    def __init__(self, base_model: Any, shape: torch.Size, hooks: Iterable[Callable], before: Callable[[], None]):
        self.base_model, self.shape, self.hooks, self.before = base_model, shape, list(hooks), before
        self.evaluated: list[float] = []
        self.ended: Exception | None = None
        self.found: dict[tuple[float, float, int], list[float]] = {}  # of every stretch that a solver was asked about
        self.walked = self.steps = 0  # evaluations of solvers that were not estimated, and their steps

    def __call__(self, x: Tensor, sigma: Tensor, denoise_mask=None, model_options=None, seed=None) -> Tensor:
        try:
            self.before()
        except Exception as cancelled:
            self.ended = cancelled
            raise
        if x.shape != self.shape:
            asked, whole = (" x ".join(map(str, shape[2:])) for shape in (x.shape, self.shape))
            self.ended = ValueError(
                f"asks the model about {asked} cells of a latent of {whole}, wanted one that keeps the size; "
                "take another sampler"
            )
            raise self.ended
        if self.walked >= MAX_WALKED:
            raise Enough
        self.walked += 1
        self.evaluated.append(float(sigma[0]))
        denoised = x / (1 + self.evaluated[-1] ** 2)  # of data of unit variance that know nothing of each other
        for after_cfg in (model_options or {}).get("sampler_post_cfg_function", []):
            if after_cfg not in self.hooks:
                after_cfg(self.handed_to_hooks(x, sigma, denoised, model_options))
        return denoised

    def handed_to_hooks(self, x: Tensor, sigma: Tensor, denoised: Tensor, model_options: Any) -> dict:
        names = "denoised", "cond_denoised", "uncond_denoised"
        return dict.fromkeys(names, denoised) | {
            "cond": [], "uncond": [], "cond_scale": 1.0, "input": x, "sigma": sigma, "model": self.base_model,
            "model_options": model_options,
        }  # fmt: skip

    def expect_jump(self, sigma: Tensor) -> None:
        pass

    def jump(self, x: Tensor, start: NoiseLevel, stop: NoiseLevel) -> Tensor:
        return x

    def refine(self, x: Tensor, sigma: Tensor, fall: float, denoise_mask=None, model_options=None, seed=None) -> Tensor:
        self.evaluated.append(float(sigma[0]))
        return x

    def counting(self, solve: Solver) -> Solver:
        """`solve`, asked once about each stretch of the sigmas; an estimate where it fails or has been asked enough."""

        def count(region: Region, x: Tensor, sigmas: Tensor, extra_args: dict, descent: int) -> Tensor:
            stretch = (float(sigmas[0]), float(sigmas[-1]), len(sigmas))
            if stretch in self.found:
                self.evaluated += self.found[stretch]
            else:
                levels, begun = sigmas[:-1].tolist(), len(self.evaluated)
                try:
                    if self.walked >= MAX_WALKED:
                        raise Enough
                    # some compute all their coefficients before they begin
                    x = solve(region, x, sigmas[: MAX_WALKED + 1], extra_args, descent)
                    rest = levels[MAX_WALKED:] and self.rest(self.evaluated[begun:], levels)
                except Enough:
                    rest = self.rest(self.evaluated[begun:], levels)
                except Exception:
                    if self.ended is not None:
                        raise
                    self.walked -= len(self.evaluated) - begun
                    del self.evaluated[begun:]
                    rest = self.rest([], levels)
                self.steps += len(levels) - len(set(rest))
                self.evaluated += rest
                self.found[stretch] = self.evaluated[begun:]
            if len(self.evaluated) > MAX_EVALUATIONS:
                self.ended = ValueError(
                    f"asks the model more than {MAX_EVALUATIONS} times in this run, wanted a shorter schedule"
                )
                raise self.ended
            return x

        return count

    def rest(self, seen: list[float], levels: list[float]) -> list[float]:
        """The evaluations of a stretch after those `seen`, as many a step as before."""
        done = sum(level >= seen[-1] for level in levels) if seen else 0
        evaluations, steps = (len(seen), done) if done else (self.walked, self.steps)
        return [level for level in levels[done:] for _ in range(max(round(evaluations / max(steps, 1)), 1))]


def estimated(plan: Plan, sigmas: Tensor) -> list[float]:
    """The sigma of every evaluation of a run of one evaluation a step."""
    levels, visited = sigmas.tolist(), []
    for move in plan.moves:
        if isinstance(move, Descend):
            visited += levels[move.start : move.stop]
        elif isinstance(move, Refine):
            visited += [levels[move.level]] * move.evaluations
    return visited
