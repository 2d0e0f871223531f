"""One call of a combinator, planned before the first model evaluation: its walk, its known part, its evaluations."""

from types import SimpleNamespace

import torch
from torch import Tensor

from .known_region import SHOWS_THROUGH, Method
from .loop import Solver, sample_moves
from .moves import MAX_EVALUATIONS, Descend, Jump, Move, check_length, steps_walked
from .noise_level import NoiseLevel, noise_levels, window_sigmas


class Plan:
    """The walk of a method over the sigmas of a run; without a method, of the solver alone.

    Attributes:
        moves: the walk.
        levels: the NoiseLevel of every sigma.
        window: the lowest and the highest sigma at which the method is at work.

    Raises:
        ValueError: if the method does not fit the sigmas, or the model has no forward process.
    """

    def __init__(self, method: Method | None, model_sampling, sigmas: Tensor):
        check_length(len(sigmas) - 1)
        self.levels: list[NoiseLevel] = noise_levels(model_sampling, sigmas)
        self.moves: list[Move] = [Descend(0, len(sigmas) - 1)]
        self.window = (0.0, float("inf"))
        if method is not None:
            self.window = window_sigmas(model_sampling, method.start_percent, method.end_percent)
            lowest, highest = self.window
            inside = [i for i, sigma in enumerate(sigmas[:-1].tolist()) if lowest <= sigma <= highest]
            self.moves = method.moves(self.levels, range(inside[0], inside[-1] + 1) if inside else range(0))
        check_length(steps_walked(self.moves))
        for move in set(self.moves):
            if isinstance(move, Jump):
                self.levels[move.start].transition(self.levels[move.stop])

    @property
    def starts_below_full_noise(self) -> bool:
        """Whether the first state still has something of the latent in it (`denoise` below 1)."""
        return float(self.levels[0].a) >= SHOWS_THROUGH * float(self.levels[0].b)


class DryRegion:
    """A denoiser that predicts 0 at once and writes down at which sigma it was asked.

    It stands where a solver expects the host's: some look behind it for `model_sampling`, and the CFG++ solvers wait
    for their hook to be called, with all that the host hands it: cfgpp_ud10_ab (ComfyUI 0.35) asks for `uncond`.
    """

    def __init__(self, model_sampling):
        self.inner_model = SimpleNamespace(
            inner_model=SimpleNamespace(model_sampling=model_sampling),
            model_patcher=SimpleNamespace(get_model_object=lambda name: model_sampling),
        )
        self.evaluated: list[float] = []

    def __call__(self, x: Tensor, sigma: Tensor, denoise_mask=None, model_options=None, seed=None) -> Tensor:
        self.evaluated.append(float(sigma[0]))
        if len(self.evaluated) > MAX_EVALUATIONS:
            raise ValueError(f"found more model evaluations than {MAX_EVALUATIONS}, wanted a shorter schedule")
        denoised = torch.zeros_like(x)
        for after_cfg in (model_options or {}).get("sampler_post_cfg_function", []):
            after_cfg(
                {
                    "denoised": denoised,
                    "cond_denoised": denoised,
                    "uncond_denoised": denoised,
                    "cond": [],
                    "uncond": [],
                    "cond_scale": 1.0,
                    "input": x,
                    "sigma": sigma,
                    "model": self.inner_model.inner_model,
                    "model_options": model_options,
                }
            )
        return denoised

    def expect_jump(self, sigma: Tensor) -> None:
        pass

    def jump(self, x: Tensor, start: NoiseLevel, stop: NoiseLevel) -> Tensor:
        return x

    def refine(self, x: Tensor, sigma: Tensor, denoise_mask=None, model_options=None, seed=None) -> Tensor:
        self(x, sigma, denoise_mask, model_options, seed)
        return x


def evaluation_sigmas(plan: Plan, model_sampling, sigmas: Tensor, solve: Solver) -> list[float]:
    """The sigma of every model evaluation of a run, in order, found by walking it with a model that costs nothing.

    Exact for every solver of fixed steps, since it is the solver itself that asks.
    """
    region = DryRegion(model_sampling)
    with torch.random.fork_rng(devices=[]):  # a solver may draw from the global generator
        sample_moves(
            region,
            torch.zeros(1, 1, 1, 1),
            sigmas.float().cpu(),
            {"model_options": {}, "seed": 0},
            moves=plan.moves,
            levels=plan.levels,
            solve=solve,
        )
    return region.evaluated
