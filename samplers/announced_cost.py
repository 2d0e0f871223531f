"""What a run will cost, announced before it begins: its model evaluations, found by a walk without the model."""

from collections.abc import Callable, Iterable
from typing import Any

import comfy.model_management
import comfy.model_patcher
import torch
from torch import Tensor

from .loop import Region, Solver, sample_moves
from .moves import MAX_EVALUATIONS, Descend, Refine
from .noise_level import NoiseLevel
from .plan import Plan
from .progress import Progress
from .solver_kinds import around, name_of, of_the_host, unwrapped
from .solvers import Handed, run_piece, takes_noise_sampler

MAX_WALKED = 1_000
"""Evaluations that a solver is walked for while a run is planned; a longer walk is told from its beginning."""


def announce(
    sampler: Any,
    plan_of: Callable[[Tensor], Plan],
    model: Any,
    x: Tensor,
    sigmas: Tensor,
    extra_args: dict,
    callback: Callable | None,
    disable: bool,
) -> Progress:
    """The progress bars of a run, which show from its start how many model evaluations it will make.

    Arguments:
        sampler, plan_of, model, x, sigmas, extra_args: as in `evaluation_sigmas`.
        callback, disable: as in `Progress`.

    Raises:
        ValueError: as `evaluation_sigmas` does.
    """
    total = len(evaluation_sigmas(sampler, plan_of, model, x, sigmas, extra_args))
    return Progress(callback, total, disable)


def evaluation_sigmas(
    sampler: Any, plan_of: Callable[[Tensor], Plan], model: Any, x: Tensor, sigmas: Tensor, extra_args: dict
) -> list[float]:
    """The sigma of every model evaluation of a run, in order, found by walking it with a denoiser that costs nothing.

    Exact for every solver of fixed steps, up to `MAX_WALKED` evaluations, since it is the solver itself that
    asks; an estimate where it will not be walked without the model.

    Arguments:
        sampler: a KSAMPLER.
        plan_of: the walk over given sigmas.
        model: the host's denoiser (KSamplerX0Inpaint), which stands behind ours.
        x: a state like those of the run.
        extra_args: as the host gives them to the solver.

    Raises:
        ValueError: if the run is longer than a run may be, or the solver does something that we cannot answer.
    """
    options = extra_args.get("model_options", {})
    solver = unwrapped(sampler)[-1]
    if of_the_host(solver) and solver is sampler:  # these look at nothing but the sigmas
        x, sigmas, extra_args = torch.zeros(1, 1, 1, 1), sigmas.float().cpu(), {"model_options": {}, "seed": 0}
    else:
        extra_args = {**extra_args, "model_options": comfy.model_patcher.create_model_options_clone(options)}
    cancelled = comfy.model_management.throw_exception_if_processing_interrupted
    region = DryRegion(
        model.inner_model.inner_model, x.shape, options.get("sampler_post_cfg_function", []), cancelled
    )  # fmt: skip

    def walk(denoise, x, sigmas, extra_args=None, callback=None, disable=None):
        plan, handed = plan_of(sigmas), Handed(region, denoise, model)
        solve = region.counting(dry_solver(solver))
        return sample_moves(handed, x, sigmas, extra_args or {}, moves=plan.moves, levels=plan.levels, solve=solve)

    with torch.random.fork_rng(devices=[x.device] if x.is_cuda else []):  # a solver may draw from the global generator
        try:
            run = around(sampler, walk)
            run(Handed(region, region, model), x, sigmas.clone(), extra_args=extra_args, callback=None, disable=True)
        except Exception as error:
            if isinstance(region.ended, ValueError):
                raise ValueError(f"input sampler: found {name_of(solver)}, which {region.ended}") from error
            if region.ended is not None:
                raise region.ended from error
            return estimated(plan_of(sigmas), sigmas)
    return region.evaluated


def dry_solver(solver: Any) -> Solver:
    """The solver for a walk without a model, spared the noise that it would draw for nothing."""
    options = dict(solver.extra_options)
    if takes_noise_sampler(solver):
        options["noise_sampler"] = lambda sigma, sigma_next: torch.zeros(1, 1, 1, 1)

    def solve(handed, x, sigmas, extra_args, descent):
        return run_piece(solver, handed, x, sigmas, extra_args, options)

    return solve


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

    def refine(
        self, x: Tensor, sigma: Tensor, here: NoiseLevel, after: NoiseLevel, denoise_mask=None, model_options=None,
        seed=None,
    ) -> Tensor:  # fmt: skip
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
