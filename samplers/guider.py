"""What a method asks of the host's guider: the guided prediction, and the conditional one alone."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from .known_region import Conditional

CALC_COND_BATCH = "calc_cond_batch"  # the host's name (WrappersMP) for wrappers around the passes of one evaluation
AROUND_A_PASS = ("predict_noise", CALC_COND_BATCH, "apply_model", "diffusion_model")  # its wrappers that may remember
STATELESS = ("torch.compile",)  # keys of the host's own that do not
GUIDANCE = (
    "sampler_pre_cfg_function", "sampler_post_cfg_function", "sampler_cfg_function", "disable_cfg1_optimization",
)  # fmt: skip
"""What patches put around guidance; a conditional prediction alone has none."""


WHISPER = 1e-6
"""Weight of a prompt in the known cells that its mask leaves out: enough to hear what the model says there."""


class Guided:
    """A guider, evaluation by evaluation.

    The conditional prediction is caught where the host computes it, and copied there: what comes later may be another
    prompt's (DualCFGGuider), altered (APG), or written into. There is none where the guider was not asked (LazyCache).
    Where a prompt of a region leaves out known cells by its mask, they are given a weight that is next to nothing: the
    model predicts them anyhow, and the host would throw it away. What is painted does not change.

    Arguments:
        guider: the host's; its `conds` hold the positive prompt under that name, or the first prompt that it asks for
            stands for it.
        sampling_function: the host's, (base model, x, sigma (B,), negative, positive, cfg, model_options, seed) ->
            denoised.
        coverage: (prompts, x, sigma (B,)) -> where one of them covers a cell, as in `Conditional`.
        free: sigma (B,) -> where the model is free at that level, boolean, broadcasts to x.
        model_options: the run's, before a solver added to them.
        mask_shown: sigma (B,) -> the mask of that evaluation, boolean, for a model that reads it; None hides it.
        before: called before every evaluation; it may raise, to interrupt the run.
        report: called with what an evaluation predicted, the known part in its place, and x.
        leave_out: called for an announced evaluation that is not made.

    Attributes:
        asking: whether the guider is at work; it stays so if it raised.
    """

    def __init__(
        self,
        guider: Any,
        sampling_function: Callable[..., Tensor],
        coverage: Callable[[list[dict], Tensor, Tensor], Tensor | None],
        free: Callable[[Tensor], Tensor],
        model_options: dict,
        mask_shown: Callable[[Tensor], Tensor] | None,
        before: Callable[[], None],
        report: Callable[[Tensor, Tensor], None],
        leave_out: Callable[[], None],
    ):
        self.guider, self.sampling_function, self.mask_shown = guider, sampling_function, mask_shown
        self.coverage, self.free = coverage, free
        self.before, self.report, self.leave_out = before, report, leave_out
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
        hooks = [
            hook if hook in self.hooks else handing(hook, lambda prediction: placed(prediction, caught()))
            for hook in model_options.get("sampler_post_cfg_function", [])
        ]
        options, caught = self.catching({**model_options, "sampler_post_cfg_function": hooks}, x, sigma)
        denoised = self.asked(self.guider, x, sigma, model_options=options, seed=seed)
        return denoised, caught()

    def predict_conditional(
        self, x: Tensor, sigma: Tensor, model_options: dict, seed: int | None
    ) -> tuple[Tensor, Conditional | None]:
        """The same in one pass of the model, if it is sure that no patch will take that pass for another: a cache that
        met the guider's whole call before would lay what it remembers of two prompts over one."""
        if self.as_a_whole:
            return self.predict(x, sigma, model_options, seed, placed=lambda prediction, conditional: prediction)
        bare = {name: option for name, option in model_options.items() if name not in GUIDANCE}
        options, caught = self.catching(bare, x, sigma)
        denoised = self.asked(
            self.sampling_function, self.guider.inner_model, x, sigma, None, self.positive, 1.0,
            model_options=options, seed=seed,
        )  # fmt: skip
        return denoised, caught()

    def asked(self, ask: Callable[..., Tensor], *args: Any, **kwargs: Any) -> Tensor:
        self.asking = True
        self.before()
        denoised = ask(*args, **kwargs)
        self.asking = False
        return denoised

    def catching(self, model_options: dict, x: Tensor, sigma: Tensor) -> tuple[dict, Callable[[], Conditional | None]]:
        """Options under which the conditional prediction of x is copied as soon as it is there, and how to ask for it.

        The host's sampling function hands it to hooks before guidance, after context windows were put together. Guiders
        of three prompts (DualCFG, PerpNeg) do without those hooks: there it is caught around their passes. The first is
        the one: a hook after guidance may ask for more passes of the same prompt (PAG).
        """
        caught: dict[str, Conditional] = {}

        def is_it(cond: list[dict] | None) -> bool:
            return cond is self.positive if self.positive is not None else cond is not None

        def keep(place: str, conds: list, predictions: list[Tensor]) -> None:
            for prediction, cond in zip(predictions, conds, strict=True):
                if is_it(cond) and place not in caught and prediction.shape == x.shape:
                    asked = self.coverage(self.heard(cond, sigma), x, sigma)
                    caught[place] = Conditional(prediction.clone(), asked)

        def around_passes(executor, model, conds, x, sigma, model_options):
            shown = [self.shown(self.heard(cond, sigma) if is_it(cond) else cond, sigma) for cond in conds]
            predictions = executor(model, shown, x, sigma, model_options)
            keep("passes", conds, predictions)
            return predictions

        def before_guidance(args):
            keep("guidance", args["conds"], args["conds_out"])
            return args["conds_out"]

        hooks = [before_guidance, *model_options.get("sampler_pre_cfg_function", [])]
        options = {**wrapped(model_options, around_passes), "sampler_pre_cfg_function": hooks}
        return options, lambda: caught.get("guidance", caught.get("passes"))

    def heard(self, cond: list[dict], sigma: Tensor) -> list[dict]:
        """The prompts, each with `WHISPER` in the known cells that its mask leaves out."""
        if not any("mask" in part for part in cond):
            return cond
        known = ~self.free(sigma).any(1)  # the host's masks have no channels

        def with_whisper(mask: Tensor) -> Tensor:
            return torch.where(known.to(mask.device) & (mask == 0), WHISPER, mask)

        return [{**part, "mask": with_whisper(part["mask"])} if "mask" in part else part for part in cond]

    def shown(self, cond: list[dict] | None, sigma: Tensor) -> list[dict] | None:
        """The conditioning with the mask of this evaluation in it, if the model reads one from there.

        The host leaves the whole run's mask there; a soft one says at no level what is free.
        """
        if cond is None or not any("denoise_mask" in part.get("model_conds", {}) for part in cond):
            return cond
        free = None if self.mask_shown is None else self.mask_shown(sigma)
        return [{**part, "model_conds": with_mask(part["model_conds"], free)} for part in cond]


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


def handing(hook: Callable[[dict], Tensor], placed: Callable[[Tensor], Tensor]) -> Callable[[dict], Tensor]:
    """A hook after guidance that is handed predictions with the known part in its place."""
    names = "denoised", "cond_denoised", "uncond_denoised"

    def hook_placed(args: dict) -> Tensor:
        given = {name: placed(args[name]) for name in names if args.get(name) is not None}
        denoised = hook(args | given)
        return args["denoised"] if denoised is given.get("denoised") else denoised  # it will be placed where it goes

    return hook_placed
