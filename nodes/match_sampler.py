"""Match: any sampler, the known part's noise matched to what the model predicts."""

from typing import Any

from comfy_api.v0_0_2 import io

from ..checks import check_window, naming
from ..samplers.host import combine
from ..samplers.match import Match
from .schema import checked, kept_input, kept_latent, sampler_input, sampler_output, schema, window_inputs

ID = "LatentRepaint_MatchSampler"


class MatchSampler(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            ID,
            display_name="Match Sampler (Latent RePaint)",
            description="Lets any sampler inpaint, closer to what fits the kept part than RePaint at the same cost: "
            "it gives the kept part the very noise under which the model would have painted it.",
            inputs=[
                sampler_input(),
                io.Float.Input(
                    "inner_steps",
                    default=1.0,
                    min=0.0,
                    max=20.0,
                    step=0.1,
                    tooltip="Extra model evaluations a step, on average, spent where they pay. 0 costs nothing extra. "
                    "An extra evaluation is one pass of the model, at any cfg.",
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
        with naming(ID):
            check_window(start_percent, end_percent)
            clean = kept_latent(kept)
        method = Match(inner_steps=inner_steps, start_percent=start_percent, end_percent=end_percent)
        return io.NodeOutput(combine(sampler, method, ID, kept=clean))
