"""What the schemas of several nodes share."""

from typing import Any

from comfy_api.v0_0_2 import io

from ..samplers.blend import KNOWN_NOISE
from ..samplers.mask_grid import SPATIAL_METHODS

CATEGORY = "latent repaint"
SEARCH = ["inpaint", "repaint", "mask", "outpaint"]


def schema(node_id: str, **fields: Any) -> io.Schema:
    """A node's schema; what the page's search looks for is added where the host knows of it (after 0.3.75)."""
    known = io.Schema.__dataclass_fields__
    newer = {"search_aliases": SEARCH} if "search_aliases" in known else {}
    return io.Schema(node_id=node_id, category=CATEGORY, **fields, **newer)


def window_inputs(what: str) -> list[io.Input]:
    """start_percent and end_percent, as the host's other nodes have them."""
    return [
        io.Float.Input(
            "start_percent", default=0.0, min=0.0, max=1.0, step=0.01,
            tooltip=f"Where {what} begins, as a fraction of sampling: 0 is the noisiest level.",
        ),
        io.Float.Input(
            "end_percent", default=1.0, min=0.0, max=1.0, step=0.01,
            tooltip=f"Where {what} ends, as a fraction of sampling: 1 is the clean end.",
        ),
    ]  # fmt: skip


def known_noise_input(default: str) -> io.Input:
    return io.Combo.Input(
        "known_noise", options=list(KNOWN_NOISE), default=default,
        tooltip="The noise shown in the kept part at each model evaluation. fixed: the initial noise, as ComfyUI "
        "does it. "
        "fresh: drawn anew each time, as RePaint does it. predicted: what the model itself sees there; "
        "it costs nothing and ties the new part to the kept part best.",
    )  # fmt: skip


def spatial_method_input() -> io.Input:
    return io.Combo.Input(
        "spatial_method", options=list(SPATIAL_METHODS), default="max",
        tooltip="What a cell takes from the pixels it covers. max: any white pixel makes it new, so nothing is lost. "
        "area, mean: the white share (a soft mask). nearest: its middle pixel. min: only wholly white cells.",
    )  # fmt: skip


def sampler_input() -> io.Input:
    return io.Sampler.Input(
        "sampler", tooltip="Any plain sampler of fixed steps (KSamplerSelect); not dpm_fast or dpm_adaptive."
    )


def sampler_output() -> io.Output:
    return io.Sampler.Output(
        "combined", display_name="sampler", tooltip="For SamplerCustom or SamplerCustomAdvanced, with a masked latent."
    )
