"""What a method asks of the host's guider: the guided prediction, and the conditional one alone."""

from collections.abc import Callable
from typing import Any

from torch import Tensor

CALC_COND_BATCH = "calc_cond_batch"  # the host's name (WrappersMP) for wrappers around the passes of one evaluation


class Guided:
    """A guider, evaluation by evaluation.

    The conditional prediction is caught where the host computes it: what comes later may be another prompt's
    (DualCFGGuider) or altered (APG).

    Arguments:
        guider: the host's; its `conds` hold the positive prompt under that name, if it is of a kind that we know.
        calc_cond_batch: the host's, (base model, conds, x, sigma (B,), model_options) -> one prediction for each.
        mask_shown: sigma (B,) -> the mask of that evaluation, boolean, for a model that reads it; None hides it.
        before: called before every evaluation; it may raise, to interrupt the run.
        report: called with what an evaluation predicted, the known part in its place, and x.
    """

    def __init__(
        self,
        guider: Any,
        calc_cond_batch: Callable[..., list[Tensor]],
        mask_shown: Callable[[Tensor], Tensor] | None,
        before: Callable[[], None],
        report: Callable[[Tensor, Tensor], None],
    ):
        self.guider, self.calc_cond_batch, self.mask_shown = guider, calc_cond_batch, mask_shown
        self.before, self.report = before, report
        self.positive = getattr(guider, "conds", {}).get("positive")

    def predict(self, x: Tensor, sigma: Tensor, model_options: dict, seed: int | None) -> tuple[Tensor, Tensor]:
        """The guided and the conditional prediction, both of the shape of x."""
        self.before()
        caught: list[Tensor] = []
        after_cfg: list[Tensor] = []

        def catch(executor, model, conds, x, sigma, model_options):
            predictions = executor(model, [self.shown(cond, sigma) for cond in conds], x, sigma, model_options)
            caught.extend(p for p, cond in zip(predictions, conds, strict=True) if cond is self.positive)
            return predictions

        def remember(args):
            after_cfg.append(args["cond_denoised"])
            return args["denoised"]

        hooks = [*model_options.get("sampler_post_cfg_function", []), remember]
        options = {**wrapped(model_options, catch), "sampler_post_cfg_function": hooks}
        denoised = self.guider(x, sigma, model_options=options, seed=seed)
        # the first: a hook may ask for more passes of the same prompt (PAG)
        return denoised, (caught or after_cfg[-1:] or [denoised])[0]

    def predict_conditional(self, x: Tensor, sigma: Tensor, model_options: dict, seed: int | None) -> Tensor:
        """The conditional prediction in one pass of the model, where the guider has one."""
        if self.positive is None:
            return self.predict(x, sigma, model_options, seed)[1]
        self.before()
        conds = [self.shown(self.positive, sigma)]
        (denoised,) = self.calc_cond_batch(self.guider.inner_model, conds, x, sigma, model_options)
        return denoised

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
