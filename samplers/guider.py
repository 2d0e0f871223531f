"""What a method asks of the host's guider: the guided prediction, and the conditional one alone."""

from collections.abc import Callable
from functools import partial
from typing import Any

import comfy.model_management
import comfy.samplers
import torch
from torch import Tensor

from .mathematics.known_noise import Conditional

CALC_COND_BATCH = "calc_cond_batch"  # the host's name (WrappersMP) for wrappers around the passes of one evaluation
AROUND_A_PASS = ("predict_noise", CALC_COND_BATCH, "apply_model", "diffusion_model")  # its wrappers that may remember
STATELESS = ("torch.compile",)  # keys of the host's own that do not
GUIDANCE = (
    "sampler_pre_cfg_function", "sampler_post_cfg_function", "sampler_cfg_function", "disable_cfg1_optimization",
)  # fmt: skip
"""What patches put around guidance; a conditional prediction alone has none."""

LIMITS = {"area", "mask", "strength", "timestep_start", "timestep_end"}  # of a prompt, in the host's words

WHISPER = 1e-6
"""Weight of a prompt in the known cells that its mask leaves out: enough to hear what the model says there."""


class Guided:
    """A guider, evaluation by evaluation.

    The conditional prediction is copied where the host computes it: what comes later may be another prompt's
    (DualCFGGuider), altered (APG), or written into. There is none where the guider was not asked (LazyCache).
    Where a prompt of a region leaves out known cells by its mask, they are given a weight that is next to nothing: the
    model predicts them anyhow, and the host would throw it away. What is painted does not change.

    Arguments:
        guider: the host's; its `conds` hold the positive prompt under that name, or the first prompt that it asks for
            stands for it.
        model_options: the run's, before a solver added to them.
        free: sigma (B,) -> where the model is free at that level, boolean, broadcasts to x.
        shows_mask: whether a model that reads the mask is shown that of the evaluation, or none.

    Attributes:
        asking: whether the guider is at work; it stays so if it raised.
    """

    def __init__(self, guider: Any, model_options: dict, free: Callable[[Tensor], Tensor], shows_mask: bool):
        self.guider, self.free, self.shows_mask = guider, free, shows_mask
        self.positive = getattr(guider, "conds", {}).get("positive")
        self.hooks = list(model_options.get("sampler_post_cfg_function", []))
        self.as_a_whole = self.positive is None or may_remember(model_options)
        self.asking = False

    def predict(
        self,
        x: Tensor,
        sigma: Tensor,
        model_options: dict,
        seed: int | None,
        placed: Callable[[Tensor, Conditional | None], Tensor],
    ) -> tuple[Tensor, Conditional | None]:
        """The guided and the conditional prediction, both of the shape of x; the second None where there is none.

        Arguments:
            placed: (a prediction, the conditional one or None) -> it with the known part in its place. What a solver's
                own hook is handed (CFG++) is placed too: the solver draws conclusions from it about the whole state.
        """
        catch = Catch(self, x, sigma)
        options = catch.options(model_options)
        options["sampler_post_cfg_function"] = [
            hook if hook in self.hooks else partial(handed_placed, hook, catch, placed)
            for hook in model_options.get("sampler_post_cfg_function", [])
        ]
        denoised = self.asked(self.guider, x, sigma, model_options=options, seed=seed)
        return denoised, catch.conditional

    def predict_conditional(
        self, x: Tensor, sigma: Tensor, model_options: dict, seed: int | None
    ) -> tuple[Tensor, Conditional | None]:
        """The same in one pass of the model, if it is sure that no patch will take that pass for another: a cache that
        met the guider's whole call before would lay what it remembers of two prompts over one."""
        if self.as_a_whole:
            return self.predict(x, sigma, model_options, seed, placed=lambda prediction, conditional: prediction)
        catch = Catch(self, x, sigma)
        options = catch.options({name: option for name, option in model_options.items() if name not in GUIDANCE})
        denoised = self.asked(
            comfy.samplers.sampling_function, self.guider.inner_model, x, sigma, None, self.positive, 1.0,
            model_options=options, seed=seed,
        )  # fmt: skip
        return denoised, catch.conditional

    def asked(self, ask: Callable[..., Tensor], *args: Any, **kwargs: Any) -> Tensor:
        self.asking = True
        comfy.model_management.throw_exception_if_processing_interrupted()
        denoised = ask(*args, **kwargs)
        self.asking = False
        return denoised

    def is_positive(self, cond: list[dict] | None) -> bool:
        return cond is self.positive if self.positive is not None else cond is not None

    def heard(self, cond: list[dict], sigma: Tensor) -> list[dict]:
        """The prompts, each with `WHISPER` in the known cells that its mask leaves out."""
        if not any("mask" in part for part in cond):
            return cond
        known = ~self.free(sigma).any(1)  # the host's masks have no channels
        return [{**part, "mask": with_whisper(part["mask"], known)} if "mask" in part else part for part in cond]

    def shown(self, cond: list[dict] | None, sigma: Tensor) -> list[dict] | None:
        """The conditioning with the mask of this evaluation in it, if the model reads one from there.

        The host leaves the whole run's mask there; a soft one says at no level what is free.
        """
        if cond is None or not any("denoise_mask" in part.get("model_conds", {}) for part in cond):
            return cond
        free = self.free(sigma) if self.shows_mask else None
        return [{**part, "model_conds": with_mask(part["model_conds"], free)} for part in cond]


class Catch:
    """Copies the conditional prediction of one evaluation, as soon as the host has it.

    The host's sampling function hands it to hooks before guidance, after context windows were put together. Guiders
    of three prompts (DualCFG, PerpNeg) do without those hooks: there it is caught around their passes. The first is
    the one: a hook after guidance may ask for more passes of the same prompt (PAG).

    Arguments:
        guided: the guider.
        x, sigma: what it is asked.
    """

    def __init__(self, guided: Guided, x: Tensor, sigma: Tensor):
        self.guided, self.x, self.sigma = guided, x, sigma
        self.at_guidance: Conditional | None = None
        self.at_passes: Conditional | None = None

    @property
    def conditional(self) -> Conditional | None:
        """The prediction, of the shape of x; None where there is none, or not yet."""
        return self.at_guidance or self.at_passes

    def options(self, model_options: dict) -> dict:
        """The same options, and both hooks."""
        hooks = [self.before_guidance, *model_options.get("sampler_pre_cfg_function", [])]
        return {**wrapped(model_options, self.around_passes), "sampler_pre_cfg_function": hooks}

    def before_guidance(self, args: dict) -> list[Tensor]:
        self.at_guidance = self.at_guidance or self.copied(args["conds"], args["conds_out"])
        return args["conds_out"]

    def around_passes(self, executor, model, conds: list, x: Tensor, sigma: Tensor, model_options: dict):
        heard = [self.guided.heard(cond, sigma) if self.guided.is_positive(cond) else cond for cond in conds]
        shown = [self.guided.shown(cond, sigma) for cond in heard]
        predictions = executor(model, shown, x, sigma, model_options)
        self.at_passes = self.at_passes or self.copied(conds, predictions)
        return predictions

    def copied(self, conds: list, predictions: list[Tensor]) -> Conditional | None:
        for prediction, cond in zip(predictions, conds, strict=True):
            if self.guided.is_positive(cond) and prediction.shape == self.x.shape:
                asked = coverage(self.guided.heard(cond, self.sigma), self.x, self.sigma)
                return Conditional(prediction.clone(), asked)
        return None


def with_whisper(mask: Tensor, known: Tensor) -> Tensor:
    """A prompt's mask, heard where it is 0 and the cell is known."""
    return torch.where(known.to(mask.device) & (mask == 0), WHISPER, mask)


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


def with_mask(model_conds: dict, free: Tensor | None) -> dict:
    """The same with the mask `free`, or without any."""
    given = model_conds.get("denoise_mask")
    others = {name: cond for name, cond in model_conds.items() if name != "denoise_mask"}
    if given is None or free is None:
        return others
    if free.shape != given.cond.shape:  # of nested latents the sampler sees all masks in one row
        return model_conds
    return {**others, "denoise_mask": type(given)(free.to(given.cond))}


def wrapped(model_options: dict, wrapper: Callable) -> dict:
    """The same with one more wrapper around the passes of an evaluation; the given options are left alone."""
    options = model_options.get("transformer_options", {})
    wrappers = options.get("wrappers", {})
    own = {**wrappers.get(CALC_COND_BATCH, {}), "latent_repaint": [wrapper]}
    return {**model_options, "transformer_options": {**options, "wrappers": {**wrappers, CALC_COND_BATCH: own}}}


def averages_mask(base_model: Any, guider: Any) -> bool:
    """Whether the model reads the mask, but coarser than this mask is.

    WAN 2.2 and Cosmos Predict2 give each frame a timestep by the share of it that is masked: right for whole frames,
    for a part of one a time that no cell of it has. A hard mask gives itself away by times between none and all.
    """
    for part in getattr(guider, "conds", {}).get("positive") or []:
        mask = part.get("model_conds", {}).get("denoise_mask")
        if mask is None:
            continue
        hard = (mask.cond > 0).to(mask.cond)
        times = base_model.process_timestep(hard.new_ones(len(hard)), x=hard, denoise_mask=hard)
        for time in times if isinstance(times, tuple) else (times,):
            if bool(((time > 1e-4) & (time < 1 - 1e-4)).any()):
                return True
    return False


def may_remember(model_options: dict) -> bool:
    """Whether a patch stands around the passes of the model, such as a cache of what they made before."""
    wrappers = model_options.get("transformer_options", {}).get("wrappers", {})
    keys = [key for kind in AROUND_A_PASS for key, own in wrappers.get(kind, {}).items() if own]
    return "model_function_wrapper" in model_options or any(key not in STATELESS for key in keys)


def handed_placed(
    hook: Callable[[dict], Tensor], catch: Catch, placed: Callable[[Tensor, Conditional | None], Tensor], args: dict
) -> Tensor:
    """A hook after guidance, handed predictions with the known part in its place."""
    names = "denoised", "cond_denoised", "uncond_denoised"
    given = {name: placed(args[name], catch.conditional) for name in names if args.get(name) is not None}
    denoised = hook(args | given)
    return args["denoised"] if denoised is given.get("denoised") else denoised  # it will be placed where it goes
