"""The walk over the noise levels before it is made: every model evaluation of a run, and their number."""

from typing import Any

import numpy as np
import torch
from comfy_api.v0_0_2 import io, ui
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from ..samplers.host import evaluations
from .schema import checked, schema

ID = "LatentRepaint_Schedule"
WIDTH, HEIGHT, MARGIN, FONT = 640, 400, 64, 20  # to be read on a node 300 pixels wide
PAPER, INK, GRID, LINE, DOT = "#16181d", "#d7dae0", "#2b2f38", "#5b8def", "#e5533d"


class Schedule(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            ID,
            display_name="Schedule (Latent RePaint)",
            search=["sigmas plot", "noise levels", "model evaluations", "cost of a run"],
            description="Shows what a run will cost before it starts: it draws and counts the model evaluations. The "
            "model itself does not run.",
            inputs=[
                io.Model.Input("model", tooltip="The model of the run. Only its noise levels are read."),
                io.Sampler.Input("sampler", tooltip="The sampler of the run, for example from RePaint Sampler."),
                io.Sigmas.Input(
                    "sigmas", tooltip="The noise levels of the run, from BasicScheduler or another scheduler node."
                ),
            ],
            outputs=[
                io.Image.Output(
                    "plot",
                    display_name="plot",
                    tooltip="The noise level at each model evaluation. Where the line goes up, steps are repeated.",
                ),
                io.Int.Output(
                    "evaluations",
                    display_name="evaluations",
                    tooltip="How many model evaluations the run will cost. For another pack's sampler, or above 1,000 "
                    "steps, it counts the steps instead.",
                ),
            ],
            is_output_node=True,  # its plot is what one wants of it, so it runs also where nothing is connected
        )

    @classmethod
    @checked
    def execute(cls, model: Any, sampler: Any, sigmas: Tensor) -> io.NodeOutput:
        visited = evaluations(sampler, model.get_model_object("model_sampling"), sigmas, ID)
        plot = draw_schedule(visited)
        return io.NodeOutput(plot, len(visited), ui=ui.PreviewImage(plot, cls=cls))


def draw_schedule(visited: list[float]) -> Tensor:
    """Sigma on a logarithmic scale against the number of the evaluation; (1, HEIGHT, WIDTH, 3), values in [0, 1]."""
    picture = Image.new("RGB", (WIDTH, HEIGHT), PAPER)
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(FONT)
    sigmas = np.array(visited)
    heights = np.log(np.maximum(sigmas, 1e-4))
    low, high = heights.min(), max(heights.max(), heights.min() + 1e-6)
    across = np.linspace(MARGIN, WIDTH - MARGIN // 2, max(len(sigmas), 2))[: len(sigmas)]
    down = HEIGHT - MARGIN - (heights - low) / (high - low) * (HEIGHT - 2 * MARGIN)
    for sigma in np.geomspace(np.exp(low), np.exp(high), 5):
        y = HEIGHT - MARGIN - (np.log(sigma) - low) / (high - low) * (HEIGHT - 2 * MARGIN)
        draw.line([(MARGIN, y), (WIDTH - MARGIN // 2, y)], fill=GRID)
        draw.text((MARGIN - 6, y), f"{sigma:.2g}", fill=INK, font=font, anchor="rm")
    points = list(zip(across.tolist(), down.tolist(), strict=True))
    draw.line(points, fill=LINE, width=2)
    radius = 3 if len(points) <= 200 else 1
    for x, y in points:
        draw.ellipse([x - radius, y - radius, x + radius, y + radius], fill=DOT)
    draw.text((MARGIN, 14), f"noise level (sigma) at each of {len(points)} model evaluations", fill=INK, font=font)
    draw.text((WIDTH - MARGIN // 2, HEIGHT - 24), f"model evaluation {len(points)}", fill=INK, font=font, anchor="rm")
    draw.text((MARGIN, HEIGHT - 24), "1", fill=INK, font=font, anchor="lm")
    return torch.from_numpy(np.asarray(picture, dtype=np.float32) / 255.0)[None]
