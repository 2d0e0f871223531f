"""The bridge to ComfyUI: a KSAMPLER in, a KSAMPLER out. Under samplers/, comfy is imported here, in announced_cost.py,
solvers.py and solver_kinds.py alone.

The host calls `KSAMPLER.sample` with everything explicit. Here it is checked, the walk over the noise levels is planned
and its cost announced, and the host's own KSAMPLER runs it, with our loop in the place of the solver.
"""

import logging
from collections.abc import Callable
from math import prod
from types import SimpleNamespace
from typing import Any

import comfy.model_base
import comfy.model_management
import comfy.samplers
import torch
from torch import Tensor

from ..checks import check_run, check_sigmas, naming
from .announced_cost import announce, evaluation_sigmas
from .guider import Guided, averages_mask
from .known_region import AtLevel, KnownRegion, Method, ignores_noise
from .loop import sample_moves
from .noise import NoiseStream, derive_seed, image_seeds
from .noise_level import noise_level
from .plan import Plan, plan_over
from .progress import Progress
from .soft_mask import mask_of
from .solver_kinds import around, check_for_model, check_solver
from .solvers import Handed, blamed, segment_solver

NOISE_OF_JUMPS = 1  # its stream of noise; 2 is that of the solvers


def combine(
    sampler: Any,
    method: Method,
    node: str,
    name: str = "sampler",
    kept: Tensor | None = None,
    note: Callable[[str], None] = logging.info,
) -> "Combinator":
    """The SAMPLER that runs `sampler` under `method`; `node` and `name` are what error messages name.

    Arguments:
        kept: the clean latent of the known part, (B, C, ...), for a stage that starts from a noisy one.
        note: called at the end of a run with what the person should know of it, if anything.

    Raises:
        ValueError: if `sampler` is no KSAMPLER, chooses its own steps, or is a combinator already.
    """
    check_solver(sampler, node, name)
    if isinstance(sampler, Combinator):
        raise ValueError(
            f"{node}: input sampler: found the output of {sampler.node}, wanted a plain sampler; use KSamplerSelect"
        )
    return Combinator(sampler, method, node, kept, note)


def evaluations(
    sampler: comfy.samplers.KSAMPLER, model_sampling: Any, sigmas: Tensor, node: str, model: Any = None
) -> list[float]:
    """The sigma of every model evaluation that `sampler` will make over `sigmas`, in order.

    Arguments:
        model: a MODEL, for solvers that look at more than its sampling; else some are only estimated.
    """
    check_solver(sampler, node)
    method = sampler.method if isinstance(sampler, Combinator) else None
    channels = 4 if model is None else model.model.latent_format.latent_channels
    state = torch.zeros(1, channels, 64, 64)
    behind = SimpleNamespace(
        inner_model=SimpleNamespace(
            inner_model=SimpleNamespace(model_sampling=model_sampling) if model is None else model.model,
            model_patcher=model or SimpleNamespace(get_model_object=lambda name: model_sampling),
            conds={},
            cfg=1.0,
        ),
        latent_image=state,
        noise=state,
        sigmas=sigmas,
    )
    with naming(node):
        check_sigmas(sigmas)
        solver = sampler.solver if isinstance(sampler, Combinator) else sampler
        extra_args = {"model_options": {} if model is None else model.model_options, "seed": 0, "denoise_mask": state}
        plan_of = plan_over(method, model_sampling, sigmas, prod(state.shape[2:]))
        return evaluation_sigmas(solver, plan_of, behind, state, sigmas, extra_args)


class Combinator(comfy.samplers.KSAMPLER):
    """A KSAMPLER that respects the known part of the latent, whatever solver it runs.

    Other packs' combinators take a KSAMPLER's `sampler_function` and run it themselves. Ours refuses: run without
    `sample` it could only be the solver alone.
    """

    def __init__(
        self,
        sampler: comfy.samplers.KSAMPLER,
        method: Method,
        node: str,
        kept: Tensor | None,
        note: Callable[[str], None],
    ):
        def taken_apart(*args, **kwargs):
            raise ValueError(
                f"{node}: found its output inside another node's sampler, which would leave the method out, wanted it "
                "the other way round; connect that node's sampler to the input of this one"
            )

        super().__init__(taken_apart, sampler.extra_options, sampler.inpaint_options)
        self.solver, self.method, self.node, self.kept, self.note = sampler, method, node, kept, note

    def sample(
        self, model_wrap, sigmas, extra_args, callback, noise, latent_image=None, denoise_mask=None, disable_pbar=False
    ):
        with naming(self.node):
            check_run(sigmas, noise, latent_image, denoise_mask)
        if denoise_mask is None or bool((denoise_mask >= 1).all()):  # nothing is known: the plain sampler
            return self.solver.sample(model_wrap, sigmas, extra_args, callback, noise, latent_image, None, disable_pbar)
        if not denoise_mask.any():
            return latent_image
        if len(sigmas) == 1:  # no step to walk: the latent with the noise of that level, as in the host
            stay = comfy.samplers.KSAMPLER(lambda model, x, sigmas, **kwargs: x)
            return stay.sample(model_wrap, sigmas, dict(extra_args), None, noise, latent_image, None, disable_pbar)
        model_sampling = model_wrap.inner_model.model_sampling
        sigmas = sigmas.to(torch.promote_types(sigmas.dtype, torch.float32))
        with naming(self.node):
            y = self.clean_latent(model_wrap, noise, latent_image)
            plan_of = plan_over(self.method, model_sampling, sigmas, prod(y.shape[2:]))
            check_for_model(self.solver, model_sampling)
            host = comfy.samplers.KSamplerX0Inpaint(model_wrap, sigmas)
            host.noise, host.latent_image = noise, latent_image
            x = model_sampling.noise_scaling(sigmas[0], noise, latent_image)
            known_args = {**extra_args, "denoise_mask": denoise_mask}
            progress = announce(self.solver, plan_of, host, x, sigmas, known_args, callback, disable_pbar)
        known = denoise_mask == 0
        with naming(self.node), progress:

            def run(model, x, sigmas, extra_args, callback=None, disable=None):
                # in half precision the host's own sum over the prompts divides by 0
                x = x.to(torch.promote_types(x.dtype, torch.float32))
                seeds = image_seeds(extra_args.get("seed") or 0, noise, y)
                region = self.region(model, x, y, denoise_mask, extra_args, plan_of(sigmas), seeds, progress)

                def walk(denoise, x, sigmas, extra_args=None, callback=None, disable=None):
                    plan = plan_of(sigmas)
                    solve = segment_solver(self.solver, seeds, plan.moves, lambda: region.guided.asking)
                    return sample_moves(
                        Handed(region, denoise, model), x, sigmas, extra_args or {}, moves=plan.moves,
                        levels=plan.levels, solve=solve,
                    )  # fmt: skip

                whole, handed = around(self.solver, walk), Handed(region, region, model)
                with blamed(self.solver, lambda: region.guided.asking):
                    x = whole(handed, x, sigmas.clone(), extra_args=extra_args, callback=None, disable=True)
                if not x.isfinite().all():
                    raise ValueError(
                        "found NaN or infinity in what the model and the sampler made, wanted finite numbers; load the "
                        "model in a higher precision (fp32 or bf16), or take a lower cfg or another sampler"
                    )
                if region.note:
                    self.note(region.note)
                return torch.where(known, region.at(plan_of(sigmas).levels[-1], known).to(x.dtype), x)

            host_sampler = comfy.samplers.KSAMPLER(run)
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
                    "input kept: found nothing, wanted the clean latent, because this stage adds no noise of its own "
                    "and its kept part is noisy already; connect the latent that went into the first stage"
                )
            return latent_image
        if self.kept.shape[1:] != latent_image.shape[1:] or len(latent_image) % len(self.kept):
            raise ValueError(
                f"input kept: found shape {list(self.kept.shape)}, wanted {list(latent_image.shape)}, that of the "
                "latent to sample, or a batch that divides it; connect the latent that went into the first stage"
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
        soft = bool(((mask > 0) & (mask < 1)).any())
        begins = bool(model.noise.any())  # else a first stage has already painted what is free
        at = AtLevel(
            level=lambda sigma: noise_level(model_sampling, sigma[0]),
            free=free,
            noised=noised,
            in_window=lambda sigma: moves & (sigma[0] >= lowest) & (sigma[0] <= highest),
            full_noise=plan.full_noise if soft or (begins and plan.starts_below_full_noise) else None,
        )
        guided = Guided(
            guider,
            sampling_function=comfy.samplers.sampling_function,
            coverage=coverage,
            free=free,
            model_options=extra_args.get("model_options", {}),
            mask_shown=None if averaged else free,
            before=comfy.model_management.throw_exception_if_processing_interrupted,
            report=progress,
            leave_out=progress.leave_out,
        )
        noise = self.first_noise(model.noise, seeds) if begins else plan.levels[0].noise_in(x, y)
        draw = NoiseStream([derive_seed(s, NOISE_OF_JUMPS) for s in seeds], x.shape, x.device).draw
        region = self.method.region(guided, at, y, noise, draw)
        if soft and not begins:
            region.blank = free(model.sigmas[:1])
        return region

    def first_noise(self, noise: Tensor, seeds: list[int]) -> Tensor:
        """The initial e, image by image: the run's own noise, or what the host draws instead for `ddim`."""
        if not self.solver.inpaint_options.get("random", False):
            return noise
        generators = [torch.Generator().manual_seed((seed + 1) % 2**64) for seed in seeds]
        return torch.stack([torch.randn(noise.shape[1:], generator=g) for g in generators]).to(noise)


LIMITS = {"area", "mask", "strength", "timestep_start", "timestep_end"}  # of a prompt, in the host's words


def coverage(prompts: list[dict], x: Tensor, sigma: Tensor) -> Tensor | None:
    """Where the host asks one of the prompts about a cell at this level, boolean, as x; None if everywhere.

    Areas, masks, strengths and times are counted by the host itself: it divides by this sum.
    """
    if any(not LIMITS & prompt.keys() or "default" in prompt for prompt in prompts):
        return None  # one without limits, or one that takes what the others leave
    count, sides = torch.zeros_like(x), x.ndim - 2
    for prompt in prompts:
        bare = {name: value for name, value in prompt.items() if name not in ("control", "gligen", "hooks")}
        counted = comfy.samplers.get_area_and_mult(bare | {"model_conds": {}}, x, sigma)
        if counted is not None:
            there = count
            for side in range(sides if counted.area is not None else 0):
                there = there.narrow(side + 2, counted.area[sides + side], counted.area[side])
            there += counted.mult
    return count != 0
