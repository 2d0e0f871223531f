"""The half of the bridge to ComfyUI that runs solvers, the host's and other packs', piece by piece of a walk."""

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import comfy.model_management
import torch
from comfy.k_diffusion import sampling as k_diffusion
from torch import Tensor

from .loop import Region, Solver
from .moves import Move
from .noise import derive_seed
from .solver_kinds import name_of, of_the_host, unwrapped

NOISE_OF_SOLVER = 2  # its stream of noise; 1 is that of the jumps

STANDS_STILL = ("sample_unipc", "sample_unipc_bh2")
"""Of order 0 over a single step, these return the state that they were given."""
MAY_STOP_SHORT = ("sample_sa_solver", "sample_sa_solver_pece")
"""In ComfyUI 0.3.75 they return the state of the last but one sigma, if the last is above 0; in 0.33 no more."""


class Handed:
    """What a solver is handed: `denoise` in the place of the host's denoiser, and whatever else that one has.

    Arguments:
        region: jumps and refines.
        denoise: (x, sigma (B,), **extra_args) -> denoised; the region, or what another sampler made of it.
        model: the host's KSamplerX0Inpaint, behind which solvers look for the latent, the guider and the network.
    """

    def __init__(self, region: Region, denoise: Callable[..., Tensor], model: Any):
        self.expect_jump, self.jump, self.refine = region.expect_jump, region.jump, region.refine
        self._region, self._denoise, self._model = region, denoise, model

    def __call__(self, x: Tensor, sigma: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        return self._denoise(x, sigma, *args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_model"], name)

    def calling(self, denoise: Callable[..., Tensor]) -> "Handed":
        """The same with another denoiser."""
        return Handed(self._region, denoise, self._model)


def segment_solver(sampler: Any, seeds: list[int], moves: Sequence[Move], asking: Callable[[], bool]) -> Solver:
    """The solver for one descent after the other, with noise of its own in each, image by image.

    Another pack's solver draws its own noise, of the kind that its user chose, from a seed of its own in each descent.

    Arguments:
        sampler: a KSAMPLER; what it holds inside of it is the solver.
        seeds: one an image.
        moves: the walk.
        asking: whether the model is at work, or failed: its errors are not the solver's.
    """
    solver = unwrapped(sampler)[-1]
    draws = takes_noise_sampler(solver)

    def solve(handed, x, sigmas, extra_args, descent):
        # the first descent keeps the seeds, so that a walk of one descent is what the host's own sampler makes
        here = seeds if descent == 0 else [derive_seed(s, NOISE_OF_SOLVER, descent) for s in seeds]
        extra_args["seed"] = here[0]
        options = dict(solver.extra_options)
        if draws:
            options["noise_sampler"] = noise_sampler(solver.sampler_function, x, sigmas, here)
        elif descent > 0 and not of_the_host(solver):
            torch.manual_seed(here[0])  # where some take their noise from
            options = {name: moved_on(name, value, descent) for name, value in options.items()}
        with blamed(solver, asking, len(sigmas) - 1 if len(moves) > 1 else None):
            return run_piece(solver, handed, x, sigmas, extra_args, options)

    return solve


def moved_on(name: str, value: Any, descent: int) -> Any:
    """An option of a solver for a later descent: a seed that its user chose would repeat the noise of the first."""
    is_seed = "seed" in name and isinstance(value, int) and not isinstance(value, bool) and value >= 0
    return (value + descent) % 2**63 if is_seed else value


class SolverError(ValueError):
    """A solver failed; says which, and what to do."""


@contextmanager
def blamed(sampler: Any, asking: Callable[[], bool], piece: int | None = None) -> Iterator[None]:
    """Turns whatever a sampler raises into an error that names it and a way out; errors of the model stay theirs.

    Arguments:
        asking: whether the model is at work, or failed, or the run was cancelled before it was asked.
        piece: the steps that the sampler was given, if the walk is cut into pieces.
    """
    try:
        yield
    except Exception as error:
        if asking() or isinstance(error, (SolverError, comfy.model_management.OOM_EXCEPTION)):
            raise
        found = f"input sampler: found {name_of(sampler)}, which failed with {type(error).__name__}: {error}"
        if piece is None:
            raise SolverError(
                f"{found}, wanted a sampler that runs with this model; take euler, for example"
            ) from error
        raise SolverError(
            f"{found}, on a piece of {piece} of the run's steps, wanted a sampler that can run in pieces; take euler, "
            "for example, or the method Blend (Blend Sampler), which runs any sampler in one piece"
        ) from error


def run_piece(solver: Any, handed: Handed, x: Tensor, sigmas: Tensor, extra_args: dict, options: dict) -> Tensor:
    """The solver over `sigmas`, to the last of them: a step that it would leave out is Euler's."""
    function, last = solver.sampler_function, sigmas[-1]
    own = of_the_host(solver)
    if own and name_of(solver) in STANDS_STILL and len(sigmas) == 2:
        return k_diffusion.sample_euler(handed, x, sigmas, extra_args=extra_args, disable=True)
    if not (own and name_of(solver) in MAY_STOP_SHORT and last > 0 and stops_short(function, handed, sigmas)):
        return function(handed, x, sigmas, extra_args=extra_args, callback=None, disable=True, **options)
    asked: list[Tensor] = []

    def remember(x, sigma, **extra_args):
        asked[:] = [handed(x, sigma, **extra_args)]
        return asked[0]

    before = sigmas[-2].clone()
    x = function(
        handed.calling(remember), x, sigmas, extra_args=extra_args, callback=None, disable=True, **options
    )  # fmt: skip
    return x + k_diffusion.to_d(x, before, asked[0]) * (last - before)


def stops_short(function: Callable[..., Tensor], handed: Handed, sigmas: Tensor) -> bool:
    """Whether the solver leaves out the last step, found by letting it take that step alone with one cell."""
    cell = torch.ones(1, 1, 1, 1)
    blank = handed.calling(lambda x, sigma, **extra_args: torch.zeros_like(x))
    return torch.equal(function(blank, cell, sigmas[-2:].cpu(), extra_args={"seed": 0}, disable=True), cell)


def takes_noise_sampler(solver: Any) -> bool:
    """Whether it is one of the host's solvers that takes a source of noise, and was not given one."""
    if not of_the_host(solver):
        return False
    named = inspect.signature(solver.sampler_function).parameters
    return "noise_sampler" in named and "noise_sampler" not in solver.extra_options


def noise_sampler(function: Callable, x: Tensor, sigmas: Tensor, seeds: list[int]) -> Callable[..., Tensor]:
    """The noise sampler that a host's solver makes for itself, one for each image: a Brownian tree for the DPM++ SDE
    family, which asks for overlapping stretches, independent draws for all others."""
    name = getattr(function, "__name__", "")
    if "dpmpp" in name and "sde" in name:
        on_cpu = not name.endswith("_gpu")
        lowest, highest = sigmas[sigmas > 0].min(), sigmas.max()
        return k_diffusion.BrownianTreeNoiseSampler(x, lowest, highest, seed=seeds, cpu=on_cpu)
    draws = [k_diffusion.default_noise_sampler(x[k : k + 1], seed=seed) for k, seed in enumerate(seeds)]
    return lambda sigma, sigma_next: torch.cat([draw(sigma, sigma_next) for draw in draws])
