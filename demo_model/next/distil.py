"""Distils the demo's model to a few steps: `python demo_model/next distil --minutes 60`. It was not run yet."""

import torch

from comfyui_host.install import DEMO_MODEL

from .. import distil
from .latents import captions, load_latents
from .train import UNET, WORK

RESULT = distil.DISTILLED.with_name(f"{DEMO_MODEL.stem}-few-steps.safetensors")


def examples() -> tuple[torch.Tensor, torch.Tensor]:
    latents = load_latents(WORK)
    return latents, captions(len(latents))


def main() -> None:
    distil.main(distil.Lesson(DEMO_MODEL, UNET, examples, "distilled_256", RESULT))
