r"""How a run goes, from the first noise level to the last: one call of an inpainting sampler.

RePaint's algorithm 1, with a solver in the place of its reverse step: down the noise levels, and now and then back up,
with the known part put into every state that the model is shown. `InpaintingRun.sample` makes these moves. The solver
calls the run itself (`__call__`) for every model evaluation.
"""

from collections.abc import Callable
from functools import partial
from math import prod
from typing import Any

import comfy.model_base
import comfy.samplers
import torch
from torch import Tensor

from .guider import Guided, averages_mask
from .mathematics.known_noise import Conditional, Here
from .mathematics.moves import MAX_EVALUATIONS, Descend, Jump, steps_walked
from .mathematics.noise_level import NoiseLevel, full_noise, window_sigmas
from .mathematics.seeds import NoiseStream, derive_seed, image_seeds
from .mathematics.soft_mask import SoftMask
from .methods import Method
from .progress import Progress
from .solvers import Solver, SolverError, name_of, naming_solver

NOISE_OF_JUMPS = 1  # its stream of noise; 2 is that of the solvers
NEVER = float("inf"), float("-inf")  # a window of no sigma


class InpaintingRun(comfy.samplers.KSamplerX0Inpaint):
    r"""The host's denoiser, under which the known part y is shown to the model as it wants to see it.

    With m = 1 on the regenerated part of a state x,

    .. math::
        x^{in} = m\,x + (1 - m)(a y + b e), \qquad D^{out} = m\,D(x^{in}) + (1 - m)\,y

    with the level's :math:`a, b` and the unit noise e of the method (`known_noise`). Solvers call it, and find in it
    what the host's own denoiser has: the guider, the sigmas, the noise and the latent of the run.

    A cell that became free with its old content still in it keeps what the solver makes of that content: nothing but
    the solver moves it, and a jump takes it back to where it was.

    References:
        RePaint (Lugmayr et al., 2022), section 4.1 and algorithm 1; https://arxiv.org/abs/2201.09865

    Arguments:
        sampler: the KSAMPLER to run.
        method: what it is run under.
        guider: the host's, as a solver gets it (`inner_model` of its denoiser).
        sigmas: (steps + 1,), float32 or more.
        x: the state at the first of them, (B, C, ...), float32 or more.
        noise, latent_image: what the host made it from.
        y: the clean latent, (B, C, ...).
        mask: values from 0 to 1, broadcasts to x; 0 is known.
        extra_args: the host's for its solvers: the seed and the model's options.
        callback, disable: as in `Progress`.

    Raises:
        ValueError: if the method does not fit the sigmas, or the model has no forward process.
    """

    def __init__(
        self, sampler: Any, method: Method, guider: Any, sigmas: Tensor, x: Tensor, noise: Tensor, latent_image: Tensor,
        y: Tensor, mask: Tensor, extra_args: dict, callback: Callable | None, disable: bool,
    ):  # fmt: skip
        super().__init__(guider, sigmas)
        self.noise, self.latent_image = noise, latent_image
        self.base_model, self.y, self.mask, self.method = guider.inner_model, y, mask, method
        self.model_sampling, model_options = self.base_model.model_sampling, extra_args.get("model_options", {})
        self.walk = method.walk(self.model_sampling, sigmas, prod(y.shape[2:]))

        # the mask, and what the model is shown of it
        rule = model_options.get("denoise_mask_function")  # DifferentialDiffusion
        if rule is not None:
            rule = partial(rule, extra_options={"model": guider, "sigmas": sigmas})
        self.soft_mask = SoftMask(self.model_sampling, mask, sigmas, rule)
        self.averages_mask = averages_mask(self.base_model, guider)
        self.guided = Guided(guider, model_options, shows_mask=not self.averages_mask)

        # old content: where there is some, the method moves only cells that became free at full noise
        starts_noisy = bool(noise.any())  # else a first stage has already painted what is free
        first, self.full_noise = self.walk.levels[0], full_noise(self.model_sampling)
        starts_below = float(first.a) >= self.full_noise * float(first.b)
        self.has_old_content = self.soft_mask.soft or (starts_noisy and starts_below)
        # where none is left; None: everywhere
        self.blank = self.soft_mask.free(sigmas[:1]) if self.soft_mask.soft and not starts_noisy else None
        self.landing: Tensor | None = None  # the sigma that the next jump goes back to
        self.landed: Tensor | None = None  # and the state that the solver had there

        # the solver and the noise of the known part, each with a stream of its own for every image
        seeds = image_seeds(extra_args.get("seed") or 0, noise, y)
        self.solver = Solver(sampler, seeds)
        self.draw = NoiseStream([derive_seed(seed, NOISE_OF_JUMPS) for seed in seeds], x.shape, x.device).draw
        e = first_noise(sampler, noise, seeds) if starts_noisy else first.noise_in(x, y)
        self.known = method.noise(y, e, self.draw, self.has_old_content)
        window = window_sigmas(self.model_sampling, method.start_percent, method.end_percent)
        self.window = NEVER if self.ignores_noise(x) else window

        self.evaluations, self.denoised = 0, y
        self.progress = Progress(callback, steps_walked(self.walk.moves), disable)

    @torch.no_grad()
    def sample(
        self, denoise: Any, x: Tensor, sigmas: Tensor, extra_args: dict, callback: Any = None, disable: bool = True
    ) -> Tensor:
        """A solver as k-diffusion writes them, over all the moves of the walk.

        Arguments:
            denoise: this run, or what a sampler around the solver made of it.
            x: the state at sigmas[0], (B, C, ...).
            sigmas: those of the run, or others, which a sampler around the solver makes of them.
            callback, disable: unused; `progress` reports.

        Returns:
            The state at sigmas[-1], (B, C, ...).
        """
        walk, piece = self.walk, 0
        if not torch.equal(sigmas, self.sigmas.to(sigmas)):
            walk = self.method.walk(self.model_sampling, sigmas, prod(self.y.shape[2:]))
            self.progress.total = steps_walked(walk.moves)
        for move, after in zip(walk.moves, [*walk.moves[1:], None], strict=True):
            if isinstance(move, Descend):
                steps = move.stop - move.start
                self.progress.begin(steps)
                if isinstance(after, Jump) and self.has_old_content:
                    self.landing, self.landed = sigmas[after.stop], None
                with naming_solver(self.solver.sampler, self.guided, steps if len(walk.moves) > 1 else None):
                    x = self.solver.descend(
                        denoise, x, sigmas[move.start : move.stop + 1], extra_args, piece, self.report
                    )
                piece += 1
            elif isinstance(move, Jump):
                x = self.jump(x, walk.levels[move.start], walk.levels[move.stop])
            else:
                self.progress.begin(move.evaluations)
                level, next_level = walk.levels[move.level : move.level + 2]
                for i in range(move.evaluations):
                    x = self.refine(x, sigmas[move.level], level, next_level, i, extra_args)
        return x

    def __call__(self, x: Tensor, sigma: Tensor, denoise_mask=None, model_options=None, seed=None) -> Tensor:
        """D^out at sigma (B,), and what the solver is to make of it."""
        self.check(x)
        if self.landing is not None:
            arrived = sigma[0] == self.landing.to(sigma.dtype)
            self.landed = x if self.landed is None else torch.where(arrived, x, self.landed)
        here = self.here(sigma)
        shown = self.shown(x, here, self.known.show(here))
        denoised, conditional = self.guided.predict(
            shown, sigma, here.free, model_options or {}, seed, partial(self.placed, here)
        )
        if conditional is not None:
            extension = self.known.extension(here, conditional)
            self.known.learn(here, conditional)
            if extension is not None:
                denoised = self.moved(denoised, denoised + extension)
                conditional = conditional._replace(denoised=conditional.denoised + extension)
        self.denoised = torch.where(here.free, self.known.correct(denoised, conditional), self.y)
        return self.denoised

    def report(self, step: dict) -> None:
        """The callback of k-diffusion's solvers. D^out is shown and not theirs, which may be rounded (uni_pc)."""
        self.progress.step(int(step["i"]), self.denoised, step["x"])

    def jump(self, x: Tensor, start: NoiseLevel, stop: NoiseLevel) -> Tensor:
        """x diffused forward from level `start` to `stop`; old content is brought back to where it was.

        There e stays what it is: the evaluations that follow make it better.
        """
        noise = self.draw()
        diffused = start.diffuse(x.float(), stop, noise).to(x.dtype)
        if self.landed is not None:
            return self.moved(self.landed, diffused)
        self.known.diffuse(start, stop, noise)
        return diffused

    def refine(
        self, x: Tensor, sigma: Tensor, level: NoiseLevel, next_level: NoiseLevel, i: int, extra_args: dict
    ) -> Tensor:
        """One evaluation more, of the conditional prediction; x stays at its level.

        Where a cache answered without that prediction, or no prompt covers a cell, x stays as it is.

        Arguments:
            sigma: 0-dim.
            level, next_level: its level and the next of the schedule, with float coefficients.
            i: the number of the evaluation at this level, from 0.
        """
        if self.known.spares_extra:
            return x
        self.check(x)
        here = self.here(sigma * x.new_ones(len(x)))
        shown = self.shown(x, here, self.known.show_extra(here, level))
        denoised, conditional = self.guided.predict_conditional(
            shown, here.sigma, here.free, extra_args.get("model_options", {}), extra_args.get("seed")
        )
        self.progress.step(i, torch.where(here.free, denoised, self.y), x)
        if conditional is None:
            return x
        return self.moved(x, self.known.refine(x, here, level, next_level, conditional))

    def here(self, sigma: Tensor) -> Here:
        """What holds at sigma (B,). Cells that become free here may have lost their old content."""
        here = Here(self.model_sampling, sigma, self.soft_mask.free(sigma), self.window)
        if self.has_old_content:
            lost = here.free & (here.level.signal_to_noise < self.full_noise)
            self.blank = lost if self.blank is None else self.blank | lost
        return here

    def shown(self, x: Tensor, here: Here, noise: Tensor) -> Tensor:
        """x^in: x where it is free, and the known part with this noise elsewhere."""
        return torch.where(here.free, x, self.noised(here.sigma, noise.to(x.dtype), x))

    def noised(self, sigma: Tensor, noise: Tensor, x: Tensor) -> Tensor:
        """y as the model wants to see it at sigma (B,)."""
        if self.averages_mask:  # it is not shown the mask, so it must not see a known part cleaner than the rest
            return comfy.model_base.BaseModel.scale_latent_inpaint(self.base_model, sigma, noise, self.y)
        return self.base_model.scale_latent_inpaint(
            x=x, sigma=sigma, noise=noise, latent_image=self.y, denoise_mask=self.mask
        )

    def ignores_noise(self, x: Tensor) -> bool:
        """Whether the model wants its known part clean: what it is shown does not depend on the noise."""
        sigma, none = self.sigmas[:1].expand(len(x)), torch.zeros_like(x)
        return torch.equal(self.noised(sigma, none, x), self.noised(sigma, none + 1, x))

    def placed(self, here: Here, prediction: Tensor, conditional: Conditional | None) -> Tensor:
        """A prediction with the known part in its place, for hooks that look at it before the solver does."""
        extension = None if conditional is None else self.known.extension(here, conditional)
        if extension is not None:
            prediction = self.moved(prediction, prediction + extension)
        return torch.where(here.free, prediction, self.y)

    def moved(self, x: Tensor, by_method: Tensor) -> Tensor:
        """What the method made of x, where no old content is at stake."""
        return by_method if self.blank is None else torch.where(self.blank, by_method, x)

    def with_known(self, x: Tensor) -> Tensor:
        """The last state, with the known part as it leaves the run."""
        known = self.mask == 0
        return torch.where(known, self.known.leaving(self.walk.levels[-1], known).to(x.dtype), x)

    def check(self, x: Tensor) -> None:
        """Raises SolverError if the solver asks about a state of another size, or too often."""
        self.evaluations += 1
        if x.shape != self.y.shape:
            asked, whole = (" x ".join(map(str, shape[2:])) for shape in (x.shape, self.y.shape))
            raise SolverError(
                f"input sampler: found {name_of(self.solver.sampler)}, which asks the model about {asked} cells of a "
                f"latent of {whole}, wanted one that keeps the size; take another sampler"
            )
        if self.evaluations > MAX_EVALUATIONS:
            raise SolverError(
                f"input sampler: found {name_of(self.solver.sampler)}, which asks the model more than "
                f"{MAX_EVALUATIONS} times in this run, wanted a shorter schedule"
            )


def first_noise(sampler: Any, noise: Tensor, seeds: list[int]) -> Tensor:
    """The initial e, image by image: the run's own noise, or what the host draws instead for `ddim`."""
    if not sampler.inpaint_options.get("random", False):
        return noise
    generators = [torch.Generator().manual_seed((seed + 1) % 2**64) for seed in seeds]
    return torch.stack([torch.randn(noise.shape[1:], generator=g) for g in generators]).to(noise)
