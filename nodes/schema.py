"""What the schemas of several nodes share, and the check of a node's inputs against its schema."""

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import comfy.model_management
import torch
from comfy_api.v0_0_2 import io
from torch import Tensor

from ..checks import check_choice, check_latent, check_plain, check_window, naming
from ..pixels.composite import BLENDS
from ..pixels.latent_grid import SPATIAL_METHODS
from ..pixels.region import Work
from ..samplers.host import combine
from ..samplers.methods import KNOWN_NOISE, Blend, Match, Method, RePaintBudget

CATEGORY = "latent repaint"
METHODS = ["match", "repaint", "blend"]
JSON_TYPES = (str, int, float, dict, list, type(None))
"""What can be written into a prompt where a link belongs."""
MARKS = {"MODEL": "get_model_object", "VAE": "temporal_compression_decode"}
"""A method that the host's objects of a type have, and others have not."""
REPORT = (
    "What was measured: any change outside the mask, the colour shift, and how much of the painted part was cut off. "
    "Show it with Preview Any."
)
ADVANCED = {"start_percent", "end_percent", "mask_hipass_filter", "temporal_method"}


def schema(node_id: str, inputs: list[io.Input], search: Sequence[str] = (), **fields: Any) -> io.Schema:
    """A node's schema; with the inputs marked that the page folds away (from 0.10 on).

    Args:
        search: What people type who look for the node: more names for it, for hosts from 0.11 on.
    """
    newer = {"search_aliases": [*search]} if "search_aliases" in io.Schema.__dataclass_fields__ else {}
    for slot in inputs:
        if slot.id in ADVANCED and hasattr(slot, "advanced"):
            slot.advanced = True
    return io.Schema(node_id=node_id, category=CATEGORY, inputs=inputs, **fields, **newer)


def checked(execute: Callable[..., io.NodeOutput]) -> Callable[..., io.NodeOutput]:
    """A node's `execute`, behind a check of every input against the node's schema.

    The host holds only what is typed into a widget against its limits, and lets NaN and misspelt choices pass there;
    what comes over a link it takes as it is.

    Raises:
        ValueError: if a number is not one or out of its limits, a choice is none, or a tensor is something else.
    """
    signature = inspect.signature(execute)
    schemas: list[io.Schema] = []  # the node's own, made at its first run

    @functools.wraps(execute)
    def checked_execute(cls, *args: Any, **kwargs: Any) -> io.NodeOutput:
        given = signature.bind(cls, *args, **kwargs).arguments
        if not schemas:
            schemas.append(cls.define_schema())
        node = schemas[0]
        with naming(node.node_id):
            for slot in node.inputs:
                if slot.optional and given.get(slot.id, 0) is None:  # left out: as if it had not been given
                    del given[slot.id]
                elif slot.id in given:
                    check_input(slot, given[slot.id])
        return execute(**given)

    return checked_execute


def check_input(slot: io.Input, value: Any) -> None:
    """Raises ValueError if `value` is not what the input `slot` takes."""
    if slot.io_type == "COMBO":
        check_choice(slot.id, value, slot.options)
    elif slot.io_type in ("INT", "FLOAT"):
        wanted = "a whole number" if slot.io_type == "INT" else "a number"
        numbers = int if slot.io_type == "INT" else (int, float)
        is_number = isinstance(value, numbers) and not isinstance(value, bool)  # to Python True is the whole number 1
        if not (is_number and slot.min <= value <= slot.max):  # NaN compares false
            raise ValueError(f"input {slot.id}: found {value!r:.80}, wanted {wanted} from {slot.min} to {slot.max}")
    elif slot.io_type in ("IMAGE", "MASK", "SIGMAS"):
        if not isinstance(value, Tensor):
            raise ValueError(f"input {slot.id}: found {type(value).__name__}, wanted {slot.io_type}")
        check_plain(slot.id, value)
    elif slot.io_type == "CONDITIONING" and isinstance(value, list):
        if not all(isinstance(entry, (list, tuple)) for entry in value):
            raise ValueError(f"input {slot.id}: found {value!r:.80}, wanted a link to CONDITIONING")
    elif slot.io_type not in ("BOOLEAN", "LATENT") and isinstance(value, JSON_TYPES):
        raise ValueError(f"input {slot.id}: found {value!r:.80}, wanted a link to {slot.io_type}")
    elif slot.io_type in MARKS and not hasattr(value, MARKS[slot.io_type]):
        raise ValueError(f"input {slot.id}: found {type(value).__name__}, wanted {slot.io_type}")


def window_inputs(what: str) -> list[io.Input]:
    """start_percent and end_percent, as the host's other nodes have them."""
    return [
        io.Float.Input(
            "start_percent",
            default=0.0,
            min=0.0,
            max=1.0,
            step=0.01,
            tooltip=f"Where {what} begins: 0 is the start of sampling, where noise is strongest.",
        ),
        io.Float.Input(
            "end_percent",
            default=1.0,
            min=0.0,
            max=1.0,
            step=0.01,
            tooltip=f"Where {what} ends: 1 is the end of sampling, without noise.",
        ),
    ]


def known_noise_input(default: str) -> io.Input:
    return io.Combo.Input(
        "known_noise",
        options=list(KNOWN_NOISE),
        default=default,
        tooltip="The noise under which the model sees the kept part. fixed: the same all the time, as in ComfyUI. "
        "fresh: new each time, as in RePaint. predicted: the noise that the model itself sees there, which "
        "ties the new part to the kept part best.",
    )


def grid_inputs() -> list[io.Input]:
    """How a mask becomes cells of the latent."""
    return [
        io.Combo.Input(
            "spatial_method",
            options=list(SPATIAL_METHODS),
            default="max",
            tooltip="How the pixels under a cell decide about it. max: one white pixel is enough, so no stroke is "
            "lost. area, mean (the same): more than a tenth must be white; with soft_mask, the share of white. "
            "nearest: the pixel in the middle. min: only if all are white.",
        ),
        io.Int.Input(
            "mask_expand_cells",
            default=1,
            min=0,
            max=64,
            tooltip="Also paint this many cells around the mask (8 pixels each for most models). The cells "
            "next to it carry traces of the old content.",
        ),
    ]


def soft_mask_input() -> io.Input:
    return io.Boolean.Input(
        "soft_mask",
        default=False,
        optional=True,
        tooltip="Off: whatever is brighter than 0.1 is replaced in full. On: grey keeps some of the old picture, the "
        "darker the more (Differential Diffusion); white is all new.",
    )


def work() -> Work:
    """Pixels are computed on the host's GPU, or on the CPU where torch lacks antialiased scaling (Apple's, others), and
    the host can cancel that."""
    found = comfy.model_management.get_torch_device()
    return Work(
        found if found.type == "cuda" else torch.device("cpu"),
        comfy.model_management.throw_exception_if_processing_interrupted,
    )


def blending_inputs() -> list[io.Input]:
    """The inputs that Composite and Stitch share."""
    return [
        io.Int.Input(
            "mask_expand_pixels",
            default=0,
            min=0,
            max=1024,
            tooltip="Also take this many pixels around the mask from the new picture. Raise it if a rim of the old "
            "content is left.",
        ),
        io.Int.Input(
            "mask_blend_pixels",
            default=16,
            min=0,
            max=1024,
            tooltip="Width of the ramp in pixels, over which the new picture fades into the original. 0 is a hard "
            "edge.",
        ),
        io.Combo.Input(
            "blend",
            options=BLENDS,
            default="multiband",
            tooltip="multiband: colours fade over the whole ramp, fine detail within 2 to 3 pixels, so that nothing "
            "shows double. feather: everything fades over the whole ramp.",
        ),
        io.Float.Input(
            "match_colour",
            default=1.0,
            min=0.0,
            max=1.0,
            step=0.05,
            tooltip="A VAE shifts colours a little. The shift is measured around the mask, and this much of it is "
            "taken out of the new part. 0: none, 1: all.",
        ),
    ]


def sampler_input() -> io.Input:
    return io.Sampler.Input(
        "sampler",
        tooltip="Any sampler from KSamplerSelect except dpm_fast and dpm_adaptive, which choose their own steps.",
    )


def kept_input() -> io.Input:
    return io.Latent.Input(
        "kept",
        optional=True,
        tooltip="Only for a second stage, which starts without noise of its own (after SplitSigmas, or with add_noise "
        "off): the clean latent that went into the first stage.",
    )


def kept_latent(kept: dict | None) -> Tensor | None:
    """The tensor of the optional input `kept`."""
    return None if kept is None else check_latent(kept, "kept")


def method_inputs() -> list[io.Input]:
    """How the kept part is treated, and what that may cost, on nodes that choose the method by name."""
    return [
        io.Combo.Input(
            "method",
            options=METHODS,
            default="match",
            tooltip="match: the new part fits best. blend: as fast as plain sampling. repaint: for comparison; goes "
            "back one noise level at a time, and not in the noisiest quarter (the paper's jumps are longer).",
        ),
        io.Float.Input(
            "evaluations_per_step",
            default=2.0,
            min=1.0,
            max=20.0,
            step=0.1,
            tooltip="How often the model is asked in each step, on average. 1 takes as long as plain sampling, 2 up "
            "to twice as long. Raise it if the new part does not fit. blend always uses 1.",
        ),
    ]


def method_of(name: str, evaluations_per_step: float) -> Method:
    """The method of that name that spends the budget."""
    if name == "blend":
        return Blend()
    if name == "match":
        return Match(inner_steps=evaluations_per_step - 1)
    return RePaintBudget(evaluations_per_step=evaluations_per_step)


def combined(node_id: str, sampler: Any, method: Method, kept: dict | None) -> io.NodeOutput:
    """What a node returns that makes a SAMPLER of a SAMPLER and a method."""
    with naming(node_id):
        check_window(method.start_percent, method.end_percent)
        clean = kept_latent(kept)
    return io.NodeOutput(combine(sampler, method, node_id, kept=clean))


def sampler_output() -> io.Output:
    return io.Sampler.Output(
        "combined",
        display_name="sampler",
        tooltip="Connect it to SamplerCustom or SamplerCustomAdvanced. The latent there needs a mask.",
    )
