"""Blend: any sampler, kept part kept."""

from typing import Any

from comfy_api.v0_0_2 import io

from ..checks import check_window, naming
from ..samplers.blend import Blend
from ..samplers.host import combine
from .schema import (
    checked,
    kept_input,
    kept_latent,
    known_noise_input,
    sampler_input,
    sampler_output,
    schema,
    window_inputs,
)

ID = "LatentRepaint_BlendSampler"


class BlendSampler(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            ID,
            display_name="Blend Sampler (Latent RePaint)",
            description="Lets any sampler inpaint: the kept part is shown to the model at the noise level of every "
            "step, and comes back unchanged. Costs no model evaluation.",
            inputs=[
                sampler_input(),
                known_noise_input("predicted"),
                *window_inputs("this choice of noise"),
                kept_input(),
            ],
            outputs=[sampler_output()],
        )

    @classmethod
    @checked
    def execute(
        cls, sampler: Any, known_noise: str, start_percent: float, end_percent: float, kept: dict | None = None
    ) -> io.NodeOutput:
        with naming(ID):
            check_window(start_percent, end_percent)
            clean = kept_latent(kept)
        method = Blend(known_noise=known_noise, start_percent=start_percent, end_percent=end_percent)
        return io.NodeOutput(combine(sampler, method, ID, kept=clean))
