"""How large the pictures are that a model was trained on, as far as its latent says."""

from typing import Any

import comfy.latent_formats as formats
import comfy.model_base
from torch import Tensor

SIDES = {  # pixels a side, by the latents of a family
    formats.SD15: 512,  # SD 1.x and 2.x
    formats.SDXL: 1024,  # and AuraFlow, Kolors, PixArt-Sigma
    formats.SDXL_Playground_2_5: 1024,
    formats.SD3: 1024,  # and Flux with all that share its latents: Chroma, HiDream, Lumina 2, Z-Image
    formats.Flux2: 1024,
}


def trained_side(model: Any) -> int | None:
    """Pixels a side, or None for a family whose size is not known, such as those for video."""
    if isinstance(model.model, comfy.model_base.QwenImage):  # its latents are those of a video model
        return 1024
    latent_format = model.get_model_object("latent_format")
    return next((side for kind, side in SIDES.items() if isinstance(latent_format, kind)), None)


def small_for(model: Any, latent: Tensor) -> str:
    """What a person should hear who samples half of what the model knows; empty where it is enough, or not known.

    Below 512 nothing is said: SD 1.5's latents are those of small models, too.
    """
    side, cell = trained_side(model), getattr(model.get_model_object("latent_format"), "spacial_downscale_ratio", 8)
    height, width = (cell * cells for cells in latent.shape[-2:])
    if side is None or side <= 512 or latent.ndim < 4 or max(height, width) > 0.75 * side:
        return ""
    return f"{width}x{height} pixels are few for this model, which was trained on {side}x{side}: crop to {side}."
