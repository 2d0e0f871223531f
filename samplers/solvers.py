"""Solvers, the host's and other packs': which are refused, and how one runs piece by piece.

Another pack's solver is called unchanged, with the options and the noise that its user chose: over the whole schedule
under Blend, from one jump or extra evaluation to the next under RePaint and Match. A sampler around a sampler is called
once, over the whole schedule. `check_solver` refuses before a run; what a solver does wrong is found out while it runs
(`InpaintingRun.check`), and said with its name.
"""

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import comfy.model_management
import comfy.samplers
import torch
from comfy.k_diffusion import sampling as k_diffusion
from torch import Tensor

from .guider import Guided
from .mathematics.moves import Descend, Move, Refine, steps_walked
from .mathematics.noise_level import noise_level
from .mathematics.seeds import derive_seed

KSAMPLER = comfy.samplers.KSAMPLER

CHOOSES_ITS_STEPS = ("dpm_fast", "dpm_adaptive")
NOT_FOR_FLOW = (
    "sample_ddpm", "sample_dpmpp_2s_ancestral_cfg_pp", "sample_res_multistep_ancestral",
    "sample_res_multistep_ancestral_cfg_pp",
)  # fmt: skip
"""They add the noise of models with a = 1 to any model: a flow is left with too much of it, in the host as well."""
STANDS_STILL = ("sample_unipc", "sample_unipc_bh2")
"""Of order 0 over a single step, these return the state that they were given."""
MAY_STOP_SHORT = ("sample_sa_solver", "sample_sa_solver_pece")
"""In ComfyUI 0.3.75 they return the state of the last but one sigma, if the last is above 0; in 0.33 no more."""

NOISE_OF_SOLVER = 2  # its stream of noise; 1 is that of the jumps
MAX_WALKED = 1_000  # steps of a run whose model evaluations are counted; of a longer one they are not, but its steps


class SolverError(ValueError):
    """A solver failed, or is refused while it runs; says which, and what to do."""


def check_solver(sampler: Any, node: str) -> None:
    """Raises ValueError if `sampler` cannot be walked over given sigmas."""
    if not isinstance(sampler, KSAMPLER):
        raise ValueError(
            f"{node}: input sampler: found {type(sampler).__name__}, wanted a KSAMPLER; use KSamplerSelect"
        )
    for solver in CHOOSES_ITS_STEPS:
        if solver in name_of(unwrapped(sampler)[-1]):
            raise ValueError(
                f"{node}: input sampler: found {solver}, which chooses its own steps, wanted any other sampler"
            )


def check_for_model(sampler: Any, model_sampling: Any) -> None:
    """Raises ValueError if the solver leaves wrong noise in the states of this kind of model."""
    solver = unwrapped(sampler)[-1]
    is_flow = noise_level(model_sampling, torch.tensor(0.5)).a < 1
    if of_the_host(solver) and name_of(solver) in NOT_FOR_FLOW and is_flow:
        raise ValueError(
            f"input sampler: found {name_of(solver)[7:]}, which leaves noise in the pictures of flow models (SD3, "
            "Flux, Wan) even without a mask, wanted another sampler; take euler_ancestral, for example"
        )


def name_of(sampler: Any) -> str:
    return getattr(sampler.sampler_function, "__name__", type(sampler.sampler_function).__name__)


def of_the_host(sampler: Any) -> bool:
    return (getattr(sampler.sampler_function, "__module__", None) or "").startswith("comfy.")


def unwrapped(sampler: Any) -> list[Any]:
    """The sampler, the one that it holds in its options, and so on in; the last is the solver itself.

    Packs that change what a solver sees (Detail Daemon) are samplers around a sampler. One that holds several is taken
    for a solver.
    """
    chain = [sampler]
    while True:
        held = [option for option in chain[-1].extra_options.values() if isinstance(option, KSAMPLER)]
        if len(held) != 1 or any(held[0] is outer for outer in chain):
            return chain
        chain.append(held[0])


def around(sampler: Any, sample: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The function of `sampler`, with `sample` in the place of the solver that it holds; `sample` if it holds none.

    So a sampler around a sampler is called once, over all sigmas, whatever the walk over them.
    """
    for outer in reversed(unwrapped(sampler)[:-1]):
        inside = KSAMPLER(sample)
        options = {k: inside if isinstance(v, KSAMPLER) else v for k, v in outer.extra_options.items()}
        sample = functools.partial(outer.sampler_function, **options)
    return sample


class Solver:
    """The solver in a KSAMPLER, run over one piece of the sigmas after the other, with noise of its own in each.

    The host's solvers get their noise image by image. Another pack's draws its own, of the kind that its user chose,
    from a seed of its own in each piece.

    Arguments:
        sampler: a KSAMPLER; what it holds inside of it is the solver.
        seeds: one an image.
    """

    def __init__(self, sampler: Any, seeds: list[int]):
        self.sampler, self.seeds = unwrapped(sampler)[-1], seeds
        self.host_name = name_of(self.sampler) if of_the_host(self.sampler) else None

    def descend(
        self, denoise: Any, x: Tensor, sigmas: Tensor, extra_args: dict, piece: int,
        callback: Callable[[dict], None],
    ) -> Tensor:  # fmt: skip
        """x at the last of `sigmas`, of x at the first; a step that the solver would leave out is Euler's.

        Arguments:
            denoise: the host's denoiser (KSamplerX0Inpaint), or one that answers in its place.
            piece: its number, from 0.
            callback: k-diffusion's, called at every step.
        """
        # the first piece keeps the seeds, so that a run of one piece is what the host's own sampler makes
        seeds = self.seeds if piece == 0 else [derive_seed(s, NOISE_OF_SOLVER, piece) for s in self.seeds]
        function, options = self.sampler.sampler_function, self.options(x, sigmas, seeds, piece)
        sigmas, extra_args = sigmas.clone(), {**extra_args, "seed": seeds[0]}  # some write into both
        if self.host_name in STANDS_STILL and len(sigmas) == 2:
            function, options = k_diffusion.sample_euler, {}
        elif self.host_name in MAY_STOP_SHORT and sigmas[-1] > 0 and stops_short(function, denoise, sigmas):
            (before, last), recorder = sigmas[-2:].clone(), Recorder(denoise.inner_model, sigmas, denoise)
            x = function(recorder, x, sigmas, extra_args=extra_args, callback=callback, disable=True, **options)
            return x + k_diffusion.to_d(x, before, recorder.denoised) * (last - before)
        return function(denoise, x, sigmas, extra_args=extra_args, callback=callback, disable=True, **options)

    def options(self, x: Tensor, sigmas: Tensor, seeds: list[int], piece: int) -> dict:
        """The solver's options, with noise for this piece."""
        function, options = self.sampler.sampler_function, dict(self.sampler.extra_options)
        if self.host_name and "noise_sampler" in inspect.signature(function).parameters.keys() - options.keys():
            options["noise_sampler"] = noise_sampler(self.host_name, x, sigmas, seeds)
        elif piece > 0 and not self.host_name:
            torch.manual_seed(seeds[0])  # where some take their noise from
            options = {name: moved_on(name, value, piece) for name, value in options.items()}
        return options


def noise_sampler(name: str, x: Tensor, sigmas: Tensor, seeds: list[int]) -> Callable[..., Tensor]:
    """The noise sampler that the host's solver `name` makes for itself, one for each image: a Brownian tree for the
    DPM++ SDE family, which asks for overlapping stretches, independent draws for all others."""
    if "dpmpp" in name and "sde" in name:
        on_cpu = not name.endswith("_gpu")
        lowest, highest = sigmas[sigmas > 0].min(), sigmas.max()
        return k_diffusion.BrownianTreeNoiseSampler(x, lowest, highest, seed=seeds, cpu=on_cpu)
    draws = [k_diffusion.default_noise_sampler(x[k : k + 1], seed=seed) for k, seed in enumerate(seeds)]
    return lambda sigma, sigma_next: torch.cat([draw(sigma, sigma_next) for draw in draws])


def moved_on(name: str, value: Any, piece: int) -> Any:
    """An option of a solver for a later piece: a seed that its user chose would repeat the noise of the first."""
    is_seed = "seed" in name and isinstance(value, int) and not isinstance(value, bool) and value >= 0
    return (value + piece) % 2**63 if is_seed else value


@contextmanager
def naming_solver(sampler: Any, guided: Guided, piece: int | None = None) -> Iterator[None]:
    """Turns whatever a sampler raises into an error that names it and a way out; errors of the model stay theirs.

    Arguments:
        guided: which knows whether the model was at work.
        piece: the steps that the sampler was given, if the run is cut into pieces.
    """
    not_the_solvers = (
        SolverError, comfy.model_management.OOM_EXCEPTION, comfy.model_management.InterruptProcessingException,
    )  # fmt: skip
    try:
        yield
    except Exception as error:
        if guided.asking or isinstance(error, not_the_solvers):
            raise
        failed = f"input sampler: found {name_of(sampler)}, which failed with {type(error).__name__}: {error}"
        advice = "wanted a sampler that runs with this model; take euler, for example"
        if piece is not None:
            failed += f", on a piece of {piece} of the run's steps"
            advice = (
                "wanted a sampler that can run in pieces; take euler, for example, or the method Blend (Blend Sampler)"
                ", which runs any sampler in one piece"
            )
        raise SolverError(f"{failed}, {advice}") from error


class Recorder(comfy.samplers.KSamplerX0Inpaint):
    """The host's denoiser as a solver sees it, which notes what it was asked.

    Arguments:
        guider, sigmas: the host's, or what stands in for them.
        denoise: answers in its place, (x, sigma (B,), **extra_args) -> denoised.

    Attributes:
        asked: the sigma (B,) of every evaluation.
        denoised: the last answer.
    """

    def __init__(self, guider: Any, sigmas: Tensor, denoise: Callable[..., Tensor]):
        super().__init__(guider, sigmas)
        self.denoise, self.asked = denoise, list[Tensor]()

    def __call__(self, x: Tensor, sigma: Tensor, **extra_args: Any) -> Tensor:
        self.asked.append(sigma)
        self.denoised = self.denoise(x, sigma, **extra_args)
        return self.denoised


def one_cell(x: Tensor, sigma: Tensor, model_options: dict | None = None, **extra_args: Any) -> Tensor:
    """The answer to a solver that walks a single cell, to see how it walks. The CFG++ solvers wait for their hook."""
    denoised = torch.zeros_like(x)
    names = "denoised", "cond_denoised", "uncond_denoised"
    for after_guidance in (model_options or {}).get("sampler_post_cfg_function", []):
        after_guidance(dict.fromkeys(names, denoised) | {"cond": [], "uncond": [], "input": x, "sigma": sigma})
    return denoised


def stops_short(function: Callable[..., Tensor], denoise: Any, sigmas: Tensor) -> bool:
    """Whether the solver leaves out the last step, found by letting it take that step alone with one cell."""
    cell, sigmas = torch.ones(1, 1, 1, 1), sigmas[-2:].cpu()
    recorder = Recorder(denoise.inner_model, sigmas, one_cell)
    return torch.equal(function(recorder, cell, sigmas, extra_args={"seed": 0}, disable=True), cell)


def visited(sampler: Any, moves: list[Move], sigmas: Tensor, model_sampling: Any) -> list[float]:
    """The sigma of every model evaluation of a run, in order, found by letting the host's solver walk one cell.

    Of another pack's solver, and where there are more than MAX_WALKED steps to walk, it is the sigma of every step.
    """
    solver, levels, found = unwrapped(sampler)[-1], sigmas.float().cpu(), list[float]()
    pieces = {move: levels[move.start : move.stop + 1] for move in moves if isinstance(move, Descend)}
    walked = of_the_host(solver) and steps_walked(pieces) <= MAX_WALKED
    asked = {move: asked_by(solver, p, model_sampling) if walked else p[:-1].tolist() for move, p in pieces.items()}
    for move in moves:
        if isinstance(move, Descend):
            found += asked[move]
        elif isinstance(move, Refine):
            found += [float(levels[move.level])] * move.evaluations
    return found


def asked_by(solver: Any, sigmas: Tensor, model_sampling: Any) -> list[float]:
    """The sigma of every model evaluation of one of the host's solvers over `sigmas`."""
    patcher = SimpleNamespace(get_model_object=lambda name: model_sampling)
    guider = SimpleNamespace(inner_model=SimpleNamespace(model_sampling=model_sampling), model_patcher=patcher)
    recorder = Recorder(guider, sigmas, one_cell)
    Solver(solver, [0]).descend(recorder, torch.ones(1, 1, 1, 1), sigmas, {"model_options": {}}, 0, lambda report: None)
    return [float(sigma[0]) for sigma in recorder.asked]
