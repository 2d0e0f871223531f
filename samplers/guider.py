"""What a run asks of the host's guider: the guided prediction, and the conditional one.

The conditional prediction is that of the positive prompt alone, before guidance. What the noise of the known part
learns, it learns from this one.
"""

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

LEAST_WEIGHT = 1e-6
"""Of a prompt, in the known cells that its mask leaves out. The host divides by the sum of the weights, so the model
predicts these cells, and what is painted stays the same."""


class Guided:
    """A guider, evaluation by evaluation.

    Arguments:
        guider: the host's; its `conds` hold the positive prompt under that name, or the first prompt that it asks for
            stands for it.
        model_options: the run's, before a solver added to them.
        shows_mask: whether a model that reads the mask is shown that of the evaluation, or none.

    Attributes:
        asking: whether the guider is at work; it stays so if it raised.
    """

    def __init__(self, guider: Any, model_options: dict, shows_mask: bool):
        self.guider, self.shows_mask = guider, shows_mask
        self.positive = getattr(guider, "conds", {}).get("positive")
        self.hooks = list(model_options.get("sampler_post_cfg_function", []))
        self.as_a_whole = self.positive is None or may_remember(model_options)
        self.asking = False

    def predict(
        self, x: Tensor, sigma: Tensor, free: Tensor, model_options: dict, seed: int | None,
        placed: Callable[[Tensor, Conditional | None], Tensor],
    ) -> tuple[Tensor, Conditional | None]:  # fmt: skip
        """The guided and the conditional prediction, both of the shape of x.

        There is no conditional one where the guider answered without asking the model (LazyCache).

        Arguments:
            free: where the model is free at sigma (B,), boolean, broadcasts to x.
            placed: (a prediction, the conditional one or None) -> it with the known part in its place. What a solver's
                own hook is handed (CFG++) is placed too: the solver draws conclusions from it about the whole state.
        """
        caught = Caught(self, x, free)
        options = caught.options(model_options)
        options["sampler_post_cfg_function"] = [
            hook if hook in self.hooks else partial(hooked, hook, caught, placed)
            for hook in model_options.get("sampler_post_cfg_function", [])
        ]
        denoised = self.ask(self.guider, x, sigma, model_options=options, seed=seed)
        return denoised, caught.conditional

    def predict_conditional(
        self, x: Tensor, sigma: Tensor, free: Tensor, model_options: dict, seed: int | None
    ) -> tuple[Tensor, Conditional | None]:
        """The same in one pass of the model, if it is sure that no patch will take that pass for another: a cache that
        met the guider's whole call before would lay what it remembers of two prompts over one."""
        if self.as_a_whole:
            return self.predict(x, sigma, free, model_options, seed, lambda prediction, conditional: prediction)
        caught = Caught(self, x, free)
        options = caught.options({name: option for name, option in model_options.items() if name not in GUIDANCE})
        denoised = self.ask(
            comfy.samplers.sampling_function, self.guider.inner_model, x, sigma, None, self.positive, 1.0,
            model_options=options, seed=seed,
        )  # fmt: skip
        return denoised, caught.conditional

    def ask(self, predict: Callable[..., Tensor], *args: Any, **kwargs: Any) -> Tensor:
        self.asking = True
        comfy.model_management.throw_exception_if_processing_interrupted()
        denoised = predict(*args, **kwargs)
        self.asking = False
        return denoised


class Caught:
    """The conditional prediction of one evaluation, copied where the host has just computed it.

    What the host makes of it later may be another prompt's (DualCFGGuider), altered (APG), or written into. It is
    caught around the passes of the model, or, where these are windows of a long video, where the host has put them
    together. The first is the one: a hook after guidance may ask for more passes of the same prompt (PAG).

    Attributes:
        conditional: None where there is none, or not yet.
    """

    def __init__(self, guided: Guided, x: Tensor, free: Tensor):
        self.guided, self.shape, self.free = guided, x.shape, free
        self.conditional: Conditional | None = None

    def options(self, model_options: dict) -> dict:
        """The same options, with both places where it may be caught; the given ones are left alone."""
        options = model_options.get("transformer_options", {})
        wrappers = options.get("wrappers", {})
        around = {**wrappers.get(CALC_COND_BATCH, {}), "latent_repaint": [self.around_passes]}
        return {
            **model_options,
            "transformer_options": {**options, "wrappers": {**wrappers, CALC_COND_BATCH: around}},
            "sampler_pre_cfg_function": [self.before_guidance, *model_options.get("sampler_pre_cfg_function", [])],
        }

    def around_passes(self, executor, model, conds: list, x: Tensor, sigma: Tensor, model_options: dict):
        predictions = executor(model, [self.prepared(cond) for cond in conds], x, sigma, model_options)
        self.catch(conds, predictions)
        return predictions

    def before_guidance(self, args: dict) -> list[Tensor]:
        self.catch(args["conds"], args["conds_out"])
        return args["conds_out"]

    def catch(self, conds: list, predictions: list[Tensor]) -> None:
        for prediction, cond in zip(predictions, conds, strict=True):
            if self.conditional is None and self.is_positive(cond) and prediction.shape == self.shape:
                self.conditional = Conditional(prediction.clone(), prediction != 0)  # the host's 0 is no answer

    def is_positive(self, cond: list[dict] | None) -> bool:
        positive = self.guided.positive
        return cond is not None if positive is None else cond is positive

    def prepared(self, cond: list[dict] | None) -> list[dict] | None:
        """A conditioning as this evaluation needs it: prompts of a region known everywhere, and what is free now."""
        if cond is None:
            return None
        if self.is_positive(cond):
            cond = [with_known(prompt, self.free) for prompt in cond]
        return [with_mask(prompt, self.free if self.guided.shows_mask else None) for prompt in cond]


def with_known(prompt: dict, free: Tensor) -> dict:
    """The same with `LEAST_WEIGHT` in the known cells that its mask leaves out."""
    if "mask" not in prompt:
        return prompt
    mask = prompt["mask"]
    known = ~free.any(1).to(mask.device)  # the host's masks have no channels
    return {**prompt, "mask": torch.where(known & (mask == 0), LEAST_WEIGHT, mask)}


def with_mask(prompt: dict, free: Tensor | None) -> dict:
    """The same with the mask of this evaluation, or without any, for a model that reads one from there.

    The host leaves the whole run's mask there; a soft one says at no level what is free.
    """
    model_conds = prompt.get("model_conds", {})
    given = model_conds.get("denoise_mask")
    if given is None or free is not None and free.shape != given.cond.shape:  # nested latents have all masks in a row
        return prompt
    others = {name: cond for name, cond in model_conds.items() if name != "denoise_mask"}
    own = {} if free is None else {"denoise_mask": type(given)(free.to(given.cond))}
    return {**prompt, "model_conds": {**others, **own}}


def averages_mask(base_model: Any, guider: Any) -> bool:
    """Whether the model reads the mask, but coarser than this mask is.

    WAN 2.2 and Cosmos Predict2 give each frame a timestep by the share of it that is masked: right for whole frames,
    for a part of one a time that no cell of it has. A hard mask gives itself away by times between none and all.
    """
    for prompt in getattr(guider, "conds", {}).get("positive") or []:
        mask = prompt.get("model_conds", {}).get("denoise_mask")
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


def hooked(
    hook: Callable[[dict], Tensor], caught: Caught, placed: Callable[[Tensor, Conditional | None], Tensor], args: dict
) -> Tensor:
    """A hook after guidance, handed predictions with the known part in its place."""
    names = "denoised", "cond_denoised", "uncond_denoised"
    given = {name: placed(args[name], caught.conditional) for name in names if args.get(name) is not None}
    denoised = hook(args | given)
    return args["denoised"] if denoised is given.get("denoised") else denoised  # it will be placed where it goes
