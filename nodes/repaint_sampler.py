"""RePaint: any sampler, with jumps back up the schedule."""

from typing import Any

from comfy_api.v0_0_2 import io

from ..samplers.methods import RePaint
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

ID = "LatentRepaint_RePaintSampler"


class RePaintSampler(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            ID,
            display_name="RePaint Sampler (Latent RePaint)",
            search=["inpaint sampler", "outpaint", "resample", "time travel"],
            description="Makes an inpainting sampler of any sampler, with RePaint's method: it adds noise again and "
            "repeats steps so that the new part fits the kept part. Schedule shows what that costs before "
            "the run.",
            inputs=[
                sampler_input(),
                io.Int.Input(
                    "jump_length",
                    default=1,
                    min=1,
                    max=1000,
                    tooltip="How many steps one jump goes back. For 20 to 30 steps 1 is best; the paper uses 10 for "
                    "250 steps.",
                ),
                io.Int.Input(
                    "jump_n_sample",
                    default=3,
                    min=1,
                    max=100,
                    tooltip="How many times each step is made. 1 repeats nothing; 3 takes about three times as long.",
                ),
                *window_inputs("jumping"),
                known_noise_input("fresh"),
                kept_input(),
            ],
            outputs=[sampler_output()],
        )

    @classmethod
    @checked
    def execute(
        cls,
        sampler: Any,
        jump_length: int,
        jump_n_sample: int,
        start_percent: float,
        end_percent: float,
        known_noise: str,
        kept: dict | None = None,
    ) -> io.NodeOutput:
        method = RePaint(
            jump_length=jump_length,
            jump_n_sample=jump_n_sample,
            start_percent=start_percent,
            end_percent=end_percent,
            known_noise=known_noise,
        )
        return combined(ID, sampler, method, kept)
