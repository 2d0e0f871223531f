"""Inpaint Model: whatever samples with this model and a noise mask, samples by our method."""

import logging
from typing import Any

from comfy.patcher_extension import WrapperExecutor, WrappersMP
from comfy_api.v0_0_2 import io

from ..checks import naming
from ..samplers.host import InpaintingSampler, combine
from ..samplers.methods import Method
from ..samplers.solvers import check_for_model, check_solver
from .schema import checked, kept_input, kept_latent, method_inputs, method_of, schema

ID = "LatentRepaint_InpaintModel"
KEY = "latent_repaint"


class InpaintModel(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            ID,
            display_name="Inpaint Model (Latent RePaint)",
            search=["inpaint any sampler", "outpaint", "detailer", "patch model", "fill", "generative fill"],
            description="Makes every node that samples with this model inpaint: KSampler, detailers, upscalers. Where "
            "the latent has a mask, the chosen method is used. Without a mask nothing changes.",
            inputs=[
                io.Model.Input("model", tooltip="Any model. The node changes a copy of it."),
                *method_inputs(),
                kept_input(),
            ],
            outputs=[
                io.Model.Output(
                    "inpaint_model",
                    display_name="model",
                    tooltip="For any node that samples. With a mask, sampling takes longer, as evaluations_per_step "
                    "says.",
                )
            ],
        )

    @classmethod
    @checked
    def execute(cls, model: Any, method: str, evaluations_per_step: float, kept: dict | None = None) -> io.NodeOutput:
        with naming(ID):
            clean = kept_latent(kept)
        patched = model.clone()
        patched.remove_wrappers_with_key(WrappersMP.SAMPLER_SAMPLE, KEY)  # the last of these nodes counts
        wrapper = inpainting(method_of(method, evaluations_per_step), clean)
        patched.add_wrapper_with_key(WrappersMP.SAMPLER_SAMPLE, KEY, wrapper)
        return io.NodeOutput(patched)


def inpainting(method: Method, clean: Any) -> Any:
    """The host's wrapper around a sampler's `sample` that puts our sampler in its place.

    Without a mask, around a sampler of ours, and around a sampler that cannot be walked it does nothing.
    """

    def sample(executor, model_wrap, sigmas, extra_args, callback, noise, latent_image=None, denoise_mask=None, *rest):
        arguments = (model_wrap, sigmas, extra_args, callback, noise, latent_image, denoise_mask, *rest)
        sampler = executor.class_obj
        if denoise_mask is None or isinstance(sampler, InpaintingSampler):
            return executor(*arguments)
        try:
            check_solver(sampler, ID)
            check_for_model(sampler, model_wrap.inner_model.model_sampling)
        except ValueError as error:
            logging.warning("%s; this run is sampled without it", error)
            return executor(*arguments)
        combined = combine(sampler, method, ID, kept=clean)
        # other packs' wrappers that come after this one go around ours
        return WrapperExecutor(combined.sample, combined, executor.wrappers, executor.idx)(*arguments)

    return sample
