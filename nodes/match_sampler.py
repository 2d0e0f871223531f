"""Match: any sampler, the known part's noise matched to what the model predicts."""

from typing import Any

from comfy_api.v0_0_2 import io

from ..samplers.methods import Match
from .schema import checked, combined, kept_input, sampler_input, sampler_output, schema, window_inputs

ID = "LatentRepaint_MatchSampler"


class MatchSampler(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            ID,
            display_name="Match Sampler (Latent RePaint)",
            search=["inpaint sampler", "outpaint", "noise inversion"],
            description="Makes an inpainting sampler of any sampler. It finds the noise under which the model itself "
            "would paint the kept part, so that the new part fits it. It fits better than RePaint in the "
            "same time.",
            inputs=[
                sampler_input(),
                io.Float.Input(
                    "inner_steps",
                    default=1.0,
                    min=0.0,
                    max=20.0,
                    step=0.1,
                    tooltip="Extra model evaluations in each step, on average. 0 takes no extra time, 1 up to twice "
                    "the time. Raise it if the new part does not fit.",
                ),
                *window_inputs("matching"),
                kept_input(),
            ],
            outputs=[sampler_output()],
        )

    @classmethod
    @checked
    def execute(
        cls, sampler: Any, inner_steps: float, start_percent: float, end_percent: float, kept: dict | None = None
    ) -> io.NodeOutput:
        method = Match(inner_steps=inner_steps, start_percent=start_percent, end_percent=end_percent)
        return combined(ID, sampler, method, kept)
