"""Blend: any sampler, kept part kept."""

from typing import Any

from comfy_api.v0_0_2 import io

from ..samplers.methods import Blend
from .schema import (
    checked,
    combined,
    kept_input,
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
            search=["inpaint sampler", "outpaint", "noise mask", "blended latent diffusion"],
            description="Makes an inpainting sampler of any sampler. At every step the model sees the kept part, and "
            "the kept part comes back unchanged. It takes no extra time.",
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
        method = Blend(known_noise=known_noise, start_percent=start_percent, end_percent=end_percent)
        return combined(ID, sampler, method, kept)
