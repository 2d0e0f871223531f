"""The drop-in for the host's KSampler: the same inputs, then how the kept part is treated and what that may cost."""

import inspect
import time
from collections.abc import Callable
from typing import Any

import comfy.sample
import comfy.samplers
import comfy.utils
import latent_preview
from comfy_api.v0_0_2 import io
from torch import Tensor

from ..checks import check_masked_latent, naming
from ..samplers.host import combine
from ..samplers.mathematics.moves import MAX_EVALUATIONS
from ..samplers.solvers import CHOOSES_ITS_STEPS
from .notice import NO_MASK, NOTHING_MASKED, notice
from .schema import checked, method_inputs, method_of, schema
from .trained_size import small_for

ID = "LatentRepaint_KSampler"
SAMPLERS = [name for name in comfy.samplers.KSampler.SAMPLERS if name not in CHOOSES_ITS_STEPS]
RATIOS = ("downscale_ratio_spacial", "downscale_ratio_temporal")
"""What an empty LATENT says of itself from 0.11 on, pixels and frames a cell, so that the host makes it fit a model."""


class KSampler(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            ID,
            display_name="KSampler Inpaint (Latent RePaint)",
            search=["inpaint", "outpaint", "fill", "generative fill", "erase", "remove object", "repaint", "sampler"],
            description="KSampler with inpainting and outpainting for any checkpoint: the same inputs, then the "
            "method and how much time it may take.",
            inputs=[
                io.Model.Input("model", tooltip="Any model. It need not be an inpainting model."),
                io.Int.Input(
                    "seed",
                    default=0,
                    min=0,
                    max=0xFFFFFFFFFFFFFFFF,
                    control_after_generate=True,
                    tooltip="The number that all noise is made from. The same seed gives the same picture.",
                ),
                io.Int.Input(
                    "steps", default=20, min=1, max=10000, tooltip="How many steps. 20 to 30 suit most models."
                ),
                io.Float.Input(
                    "cfg",
                    default=7.0,
                    min=0.0,
                    max=100.0,
                    step=0.1,
                    round=0.01,
                    tooltip="How closely to follow the prompt (classifier-free guidance). At 1 the negative prompt is "
                    "ignored.",
                ),
                io.Combo.Input(
                    "sampler_name",
                    options=SAMPLERS,
                    default="euler_ancestral",
                    tooltip="The algorithm that removes the noise.",
                ),
                io.Combo.Input(
                    "scheduler",
                    options=comfy.samplers.KSampler.SCHEDULERS,
                    default="karras",
                    tooltip="How the noise levels are spread over the steps.",
                ),
                io.Conditioning.Input(
                    "positive",
                    tooltip="What the whole picture should show (after Crop: the crop), not only the new part.",
                ),
                io.Conditioning.Input("negative", tooltip="What the picture should not show."),
                io.Latent.Input(
                    "latent_image", tooltip="The picture as a latent with its mask, from Encode or Mask to Latent."
                ),
                io.Float.Input(
                    "denoise",
                    default=1.0,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip="How new the masked part is. At 1 it is all new; below 1 the old content shows through.",
                ),
                *method_inputs(),
            ],
            outputs=[
                io.Latent.Output("samples", display_name="samples", tooltip="The inpainted latent, for VAE Decode.")
            ],
        )

    @classmethod
    @checked
    def execute(
        cls,
        model: Any,
        seed: int,
        steps: int,
        cfg: float,
        sampler_name: str,
        scheduler: str,
        positive: Any,
        negative: Any,
        latent_image: dict,
        denoise: float,
        method: str,
        evaluations_per_step: float,
    ) -> io.NodeOutput:
        with naming(ID):
            check_schedule(steps, denoise)
            latent = fitted(model, latent_image)
        solver = comfy.samplers.sampler_object(sampler_name)
        notes: list[str] = []
        sampler = combine(solver, method_of(method, evaluations_per_step), ID, note=notes.append)
        noise = comfy.sample.prepare_noise(latent, seed, latent_image.get("batch_index"))
        # the host's own schedule, with what it does for denoise and for solvers that skip the last but one sigma
        schedule = comfy.samplers.KSampler(
            model, steps, model.load_device, sampler_name, scheduler, denoise, model.model_options
        )
        mask = latent_image.get("noise_mask")
        mask = None if mask is None else mask.float()  # the host cannot resize a boolean one
        nothing_masked = mask is not None and not mask.any()
        if len(schedule.sigmas) == 0 or nothing_masked:
            return io.NodeOutput(latent_image, ui=notice(ID, NOTHING_MASKED if nothing_masked else ""))
        counted, began = Counted(latent_preview.prepare_callback(model, steps)), time.perf_counter()
        samples = comfy.sample.sample_custom(
            model,
            noise,
            cfg,
            sampler,
            schedule.sigmas,
            positive,
            negative,
            latent,
            noise_mask=mask,
            callback=counted,
            disable_pbar=not comfy.utils.PROGRESS_BAR_ENABLED,
            seed=seed,
        )
        inpainted = {k: v for k, v in latent_image.items() if k not in RATIOS} | {"samples": samples}
        amiss = [NO_MASK if mask is None else "", small_for(model, samples), *notes]
        walked = len(schedule.sigmas) - 1
        extra = f" and {counted.steps - walked} extra evaluations" if counted.steps > walked else ""
        done = f"{walked} steps{extra} in {time.perf_counter() - began:.1f} s."
        return io.NodeOutput(inpainted, ui=notice(ID, *amiss, done=done))


class Counted:
    """The host's callback, and how many steps it was called for."""

    def __init__(self, callback: Callable[..., None]):
        self.callback, self.steps = callback, 0

    def __call__(self, *progress: Any) -> None:
        self.steps += 1
        self.callback(*progress)


def check_schedule(steps: int, denoise: float) -> None:
    """Raises ValueError if the host would make a schedule out of all proportion: for a `denoise` below 1 it makes one
    of steps / denoise steps, and takes the last `steps` of them."""
    if steps > MAX_EVALUATIONS * denoise > 0:
        raise ValueError(
            f"inputs steps, denoise: found {steps}, {denoise:.4g}, wanted steps / denoise of at most {MAX_EVALUATIONS}"
            "; raise denoise or take fewer steps"
        )


def fitted(model: Any, latent_image: dict) -> Tensor:
    """The latent, with the model's channels and, where the host knows how, its size if it is empty."""
    latent = check_masked_latent(latent_image, "latent_image")
    known = inspect.signature(comfy.sample.fix_empty_latent_channels).parameters
    ratios = {name: latent_image[name] for name in RATIOS if name in known and name in latent_image}
    return comfy.sample.fix_empty_latent_channels(model, latent, **ratios)
