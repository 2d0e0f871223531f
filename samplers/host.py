"""The bridge to ComfyUI: a KSAMPLER in, a KSAMPLER out. The only file under samplers/ that imports comfy.

The host calls `KSAMPLER.sample` with everything explicit. Here it is checked, the walk over the noise levels is planned
and announced, and the host's own KSAMPLER runs it, with our loop in the place of the solver.
"""

import inspect
from collections.abc import Callable
from typing import Any

import comfy.model_base
import comfy.model_management
import comfy.samplers
import torch
from comfy.k_diffusion import sampling as k_diffusion
from torch import Tensor

from ..checks import check_run, check_sigmas, naming
from .guider import Guided, averages_mask
from .known_region import AtLevel, KnownRegion, Method, ignores_noise
from .loop import Solver, sample_moves
from .noise import NoiseStream, derive_seed, image_seeds
from .noise_level import noise_level
from .plan import Plan, evaluation_sigmas
from .progress import Progress
from .soft_mask import mask_of

NOISE_OF_JUMPS, NOISE_OF_SOLVER = 1, 2  # one stream of noise each


def combine(sampler: Any, method: Method, node: str, name: str = "sampler", kept: Tensor | None = None) -> "Combinator":
    """The SAMPLER that runs `sampler` under `method`; `node` and `name` are what error messages name.

    Arguments:
        kept: the clean latent of the known part, (B, C, ...), for a stage that starts from a noisy one.

    Raises:
        ValueError: if `sampler` is no KSAMPLER, chooses its own steps, or is a combinator already.
    """
    check_solver(sampler, node, name)
    if isinstance(sampler, Combinator):
        raise ValueError(f"{node}: input sampler: found the output of {sampler.node}, wanted a plain sampler")
    return Combinator(sampler, method, node, kept)


def check_solver(sampler: Any, node: str, name: str = "sampler") -> None:
    """Raises ValueError if `sampler` cannot be walked over given sigmas."""
    if not isinstance(sampler, comfy.samplers.KSAMPLER):
        raise ValueError(f"{node}: input sampler: found {type(sampler).__name__}, wanted a KSAMPLER (KSamplerSelect)")
    solver = getattr(sampler.sampler_function, "__name__", "")
    if "dpm_fast" in solver or "dpm_adaptive" in solver:
        raise ValueError(f"{node}: input {name}: found {solver}, which chooses its own steps, wanted any other sampler")


def evaluations(sampler: comfy.samplers.KSAMPLER, model_sampling, sigmas: Tensor, node: str) -> list[float]:
    """The sigma of every model evaluation that `sampler` will make over `sigmas`, in order."""
    check_solver(sampler, node)
    method = sampler.method if isinstance(sampler, Combinator) else None
    with naming(node):
        check_sigmas(sigmas)
        plan = Plan(method, model_sampling, sigmas)
        solver = sampler.solver if isinstance(sampler, Combinator) else sampler
        return evaluation_sigmas(plan, model_sampling, sigmas, dry_solver(solver))


class Combinator(comfy.samplers.KSAMPLER):
    """A KSAMPLER that respects the known part of the latent, whatever solver it runs.

    Other packs' combinators take a KSAMPLER's `sampler_function` and run it themselves. Ours refuses: run without
    `sample` it could only be the solver alone.
    """

    def __init__(self, sampler: comfy.samplers.KSAMPLER, method: Method, node: str, kept: Tensor | None):
        def taken_apart(*args, **kwargs):
            raise ValueError(
                f"{node}: found its output inside of another node's sampler, which would run it without its method, "
                f"wanted it the other way round: that node's sampler as the input of this one"
            )

        super().__init__(taken_apart, sampler.extra_options, sampler.inpaint_options)
        self.solver, self.method, self.node, self.kept = sampler, method, node, kept

    def sample(
        self, model_wrap, sigmas, extra_args, callback, noise, latent_image=None, denoise_mask=None, disable_pbar=False
    ):
        with naming(self.node):
            check_run(sigmas, noise, latent_image, denoise_mask)
        if denoise_mask is None or bool((denoise_mask >= 1).all()):  # nothing is known: the plain sampler
            return self.solver.sample(model_wrap, sigmas, extra_args, callback, noise, latent_image, None, disable_pbar)
        if not denoise_mask.any():
            return latent_image
        model_sampling = model_wrap.inner_model.model_sampling
        with naming(self.node):
            y = self.clean_latent(model_wrap, noise, latent_image)
            plan = Plan(self.method, model_sampling, sigmas)
            total = len(evaluation_sigmas(plan, model_sampling, sigmas, dry_solver(self.solver)))
        known = denoise_mask == 0
        with naming(self.node), Progress(callback, total, disable_pbar) as progress:

            def walk(model, x, sigmas, extra_args, callback=None, disable=None):
                seeds = image_seeds(extra_args.get("seed") or 0, noise, y)
                region = self.region(model, x, y, denoise_mask, extra_args, plan, seeds, progress)
                solve = segment_solver(self.solver, seeds)
                x = sample_moves(region, x, sigmas, extra_args, moves=plan.moves, levels=plan.levels, solve=solve)
                return torch.where(known, region.at(plan.levels[-1], known).to(x.dtype), x)

            host_sampler = comfy.samplers.KSAMPLER(walk)
            return host_sampler.sample(
                model_wrap, sigmas, dict(extra_args), None, noise, latent_image, denoise_mask, disable_pbar=True
            )

    def clean_latent(self, model_wrap, noise: Tensor, latent_image: Tensor) -> Tensor:
        """y: `kept` as the model scales it, else the latent that the run starts from; (B, C, ...).

        Raises:
            ValueError: if `kept` has another shape, or is missing where the latent is noisy already.
        """
        if self.kept is None:
            if not noise.any():
                raise ValueError(
                    "input kept: found nothing, in a stage that adds no noise of its own, so that its kept part is "
                    "noisy already, wanted the clean latent: connect what went into the first stage's latent_image"
                )
            return latent_image
        if self.kept.shape[1:] != latent_image.shape[1:] or len(latent_image) % len(self.kept):
            raise ValueError(
                f"input kept: found shape {list(self.kept.shape)}, wanted {list(latent_image.shape)}, that of the "
                "latent to sample, or a batch that divides it"
            )
        y = self.kept.to(latent_image)
        if y.any():  # the host leaves an empty latent alone
            y = model_wrap.inner_model.process_latent_in(y)
        return y.repeat(len(latent_image) // len(y), *[1] * (y.ndim - 1))

    def region(
        self,
        model,
        x: Tensor,
        y: Tensor,
        mask: Tensor,
        extra_args: dict,
        plan: Plan,
        seeds: list[int],
        progress: Progress,
    ) -> KnownRegion:
        """The known part, and the guided model that it is shown to.

        Arguments:
            model: the host's KSamplerX0Inpaint, which knows the initial noise, the sigmas and the guider.
            x: the state at the first sigma.
            y: the clean latent.
        """
        guider, base_model = model.inner_model, model.inner_model.inner_model
        model_sampling = base_model.model_sampling
        lowest, highest = plan.window
        free = mask_of(model, mask, extra_args.get("model_options", {}))
        averaged = averages_mask(base_model, guider)

        def noised(x, sigma, noise):
            if averaged:  # the model is not shown the mask, so it must not see a known part cleaner than the rest
                return comfy.model_base.BaseModel.scale_latent_inpaint(base_model, sigma, noise, y)
            return base_model.scale_latent_inpaint(x=x, sigma=sigma, noise=noise, latent_image=y, denoise_mask=mask)

        moves = not ignores_noise(noised, x, model.sigmas[:1])
        begins = bool(model.noise.any())  # else a first stage has already painted what is free
        at = AtLevel(
            level=lambda sigma: noise_level(model_sampling, sigma[0]),
            free=free,
            noised=noised,
            in_window=lambda sigma: moves & (sigma[0] >= lowest) & (sigma[0] <= highest),
            old_content=bool(((mask > 0) & (mask < 1)).any()) or (begins and plan.starts_below_full_noise),
        )
        guided = Guided(
            guider,
            calc_cond_batch=comfy.samplers.calc_cond_batch,
            mask_shown=None if averaged else free,
            before=comfy.model_management.throw_exception_if_processing_interrupted,
            report=progress,
        )
        noise = self.first_noise(model.noise, seeds) if begins else plan.levels[0].noise_in(x, y)
        draw = NoiseStream([derive_seed(s, NOISE_OF_JUMPS) for s in seeds], x.shape, x.device).draw
        region = self.method.region(guided, at, y, noise, draw)
        if at.old_content and not begins:
            region.blank = free(model.sigmas[:1])
        return region

    def first_noise(self, noise: Tensor, seeds: list[int]) -> Tensor:
        """The initial e, image by image: the run's own noise, or what the host draws instead for `ddim`."""
        if not self.solver.inpaint_options.get("random", False):
            return noise
        generators = [torch.Generator().manual_seed((seed + 1) % 2**64) for seed in seeds]
        return torch.stack([torch.randn(noise.shape[1:], generator=g) for g in generators]).to(noise)


def segment_solver(sampler: comfy.samplers.KSAMPLER, seeds: list[int]) -> Solver:
    """The solver for one descent after the other, with noise of its own in each, image by image."""
    function, options = sampler.sampler_function, sampler.extra_options
    draws = takes_noise_sampler(sampler)

    def solve(region, x, sigmas, extra_args, descent):
        own: dict[str, Any] = {}
        # the first descent keeps the seeds, so that a walk of one descent is what the host's own sampler makes
        here = seeds if descent == 0 else [derive_seed(s, NOISE_OF_SOLVER, descent) for s in seeds]
        extra_args["seed"] = here[0]
        if draws:
            own["noise_sampler"] = noise_sampler(function, x, sigmas, here)
        return function(region, x, sigmas, extra_args=extra_args, callback=None, disable=True, **options, **own)

    return solve


def dry_solver(sampler: comfy.samplers.KSAMPLER) -> Solver:
    """The solver for a walk without a model, spared the noise that it would draw for nothing."""
    function, options = sampler.sampler_function, dict(sampler.extra_options)
    if takes_noise_sampler(sampler):
        options["noise_sampler"] = lambda sigma, sigma_next: torch.zeros(1, 1, 1, 1)

    def solve(region, x, sigmas, extra_args, descent):
        return function(region, x, sigmas, extra_args=extra_args, callback=None, disable=True, **options)

    return solve


def takes_noise_sampler(sampler: comfy.samplers.KSAMPLER) -> bool:
    """Whether the solver takes a source of noise, and was not given one."""
    named = inspect.signature(sampler.sampler_function).parameters
    return "noise_sampler" in named and "noise_sampler" not in sampler.extra_options


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
