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
from tqdm.auto import tqdm

from ..checks import check_run, check_sigmas, naming
from .guider import Guided, averages_mask
from .known_region import KnownRegion, Method, ignores_noise
from .loop import Solver, sample_moves
from .noise import NoiseStream, derive_seed, image_seeds
from .noise_level import noise_level, window_sigmas
from .plan import Plan, evaluation_sigmas
from .relay import Relay
from .soft_mask import mask_of

NOISE_OF_JUMPS, NOISE_OF_SOLVER = 1, 2  # one stream of noise each

_relay = Relay()


def combine(sampler: Any, method: Method, node: str, name: str = "sampler") -> "Combinator":
    """The SAMPLER that runs `sampler` under `method`; `node` and `name` are what error messages name.

    Raises:
        ValueError: if `sampler` is no KSAMPLER, chooses its own steps, or is a combinator already.
    """
    check_solver(sampler, node, name)
    if isinstance(sampler, Combinator):
        raise ValueError(f"{node}: input sampler: found the output of {sampler.node}, wanted a plain sampler")
    return Combinator(sampler, method, node)


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

    def __init__(self, sampler: comfy.samplers.KSAMPLER, method: Method, node: str):
        def taken_apart(*args, **kwargs):
            raise ValueError(
                f"{node}: found its output inside of another node's sampler, which would run it without its method, "
                f"wanted it the other way round: that node's sampler as the input of this one"
            )

        super().__init__(taken_apart, sampler.extra_options, sampler.inpaint_options)
        self.solver, self.method, self.node = sampler, method, node

    def sample(
        self, model_wrap, sigmas, extra_args, callback, noise, latent_image=None, denoise_mask=None, disable_pbar=False
    ):
        with naming(self.node):
            check_run(sigmas, noise, latent_image, denoise_mask)
            if denoise_mask is not None and not denoise_mask.any():
                return latent_image
            full = denoise_mask is None or bool((denoise_mask >= 1).all())
            model_sampling = model_wrap.inner_model.model_sampling
            plan = Plan(None if full else self.method, model_sampling, sigmas)
            total = len(evaluation_sigmas(plan, model_sampling, sigmas, dry_solver(self.solver)))
        if full:
            denoise_mask = noise.new_ones(1)
        second_stage = not full and not noise.any()
        clean = _relay.find(float(sigmas[0]), latent_image, denoise_mask == 0) if second_stage else None
        with Progress(callback, total, disable_pbar) as progress:

            def walk(model, x, sigmas, extra_args, callback=None, disable=None):
                seeds = image_seeds(extra_args.get("seed") or 0, noise, latent_image)
                region = self.region(model, x, clean, denoise_mask, extra_args, seeds, progress)
                solve = segment_solver(self.solver, None if full else seeds)
                x = sample_moves(region, x, sigmas, extra_args, moves=plan.moves, levels=plan.levels, solve=solve)
                known = denoise_mask == 0
                return torch.where(known, region.at(plan.levels[-1], known).to(x.dtype), x)

            host_sampler = comfy.samplers.KSAMPLER(walk, {}, self.inpaint_options)
            samples = host_sampler.sample(
                model_wrap, sigmas, dict(extra_args), None, noise, latent_image, denoise_mask, disable_pbar=True
            )
        if plan.levels[-1].b > 0 and not full:
            _relay.leave(float(sigmas[-1]), samples, latent_image if clean is None else clean)
        return samples

    def region(
        self,
        model,
        x: Tensor,
        clean: Tensor | None,
        mask: Tensor,
        extra_args: dict,
        seeds: list[int],
        progress: "Progress",
    ) -> KnownRegion:
        """The known part, and the guided model that it is shown to.

        Arguments:
            model: the host's KSamplerX0Inpaint, which knows the initial noise, the latent, the sigmas and the guider.
            x: the state at the first sigma.
            clean: the latent of the first stage, if this is a second one.
        """
        guider, base_model = model.inner_model, model.inner_model.inner_model
        model_sampling = base_model.model_sampling
        lowest, highest = window_sigmas(model_sampling, self.method.start_percent, self.method.end_percent)
        y, noise = model.latent_image, model.noise
        if clean is not None:  # go on with the noise that the first stage left in the known part
            y, noise = clean, noise_level(model_sampling, model.sigmas[0]).noise_in(x, clean)

        known = mask == 0
        regenerated = mask_of(model, mask, extra_args.get("model_options", {}))
        averaged = averages_mask(base_model, guider)

        def noised(x, sigma, noise):
            if averaged:  # the model is not shown the mask, so it must not see a known part cleaner than the rest
                return comfy.model_base.BaseModel.scale_latent_inpaint(base_model, sigma, noise, y)
            return base_model.scale_latent_inpaint(x=x, sigma=sigma, noise=noise, latent_image=y, denoise_mask=mask)

        moves = not ignores_noise(noised, x, model.sigmas[:1])
        guided = Guided(
            guider,
            calc_cond_batch=comfy.samplers.calc_cond_batch,
            mask_shown=None if averaged else regenerated,
            before=comfy.model_management.throw_exception_if_processing_interrupted,
            after=lambda denoised, x: progress(torch.where(known, y, denoised), x),
        )
        return self.method.region(
            inner_model=guider,
            predict=guided.predict,
            predict_conditional=guided.predict_conditional,
            y=y,
            noise=noise,
            regenerated=regenerated,
            noised=noised,
            level=lambda sigma: noise_level(model_sampling, sigma[0]),
            in_window=lambda sigma: moves & (sigma[0] >= lowest) & (sigma[0] <= highest),
            draw=NoiseStream([derive_seed(s, NOISE_OF_JUMPS) for s in seeds], x.shape, x.device).draw,
        )


def segment_solver(sampler: comfy.samplers.KSAMPLER, seeds: list[int] | None) -> Solver:
    """The solver for one descent after the other, with noise of its own in each, image by image.

    Without seeds the solver draws its noise as it does in the host.
    """
    function, options = sampler.sampler_function, sampler.extra_options
    draws = takes_noise_sampler(sampler)

    def solve(region, x, sigmas, extra_args, descent):
        own: dict[str, Any] = {}
        if seeds is not None:
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


class Progress:
    """Counts model evaluations for the host's progress bar and the console's.

    Arguments:
        callback: the host's, (step, denoised, x, total steps) -> None, or None.
        total: evaluations announced.
        disable: whether the console shows nothing.
    """

    def __init__(self, callback: Callable | None, total: int, disable: bool):
        self.callback, self.total, self.done = callback, total, 0
        self.bar = tqdm(total=total, disable=disable)

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *exception) -> None:
        self.bar.close()

    def __call__(self, denoised: Tensor, x: Tensor) -> None:
        if self.callback is not None:
            self.callback(self.done, denoised, x, self.total)
        self.done += 1
        self.bar.update()
