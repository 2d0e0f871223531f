"""Caches of activations in the style of other packs: they lay what they remember of one pass over the next.

Each returns a MODEL, and appends to `skipped` the rows of every pass that it shortened.
"""

from __future__ import annotations

from typing import Any

from sampling import wrapped
from torch import Tensor


def activation_cache(model: Any, skipped: list[int], interval: int = 3) -> Any:
    """As DeepCache: every `interval`-th noise level runs the whole network; in between the middle of it is what it was.

    It knows a new level by its timestep, and asks nothing about the batch.
    """
    state: dict[str, Any] = {"timestep": None, "level": -1, "middle": None}
    layer = model.model.diffusion_model.middle_block[-1]
    whole = layer.forward

    def wrapper(apply_model, arguments):
        timestep = float(arguments["timestep"][0])
        if timestep != state["timestep"]:
            begins = state["timestep"] is None or timestep > state["timestep"]
            state.update(timestep=timestep, level=0 if begins else state["level"] + 1)
        reuse = state["level"] % interval != 0

        def forward(h: Tensor, *args: Any, **kwargs: Any) -> Tensor:
            if reuse and state["middle"] is not None:
                skipped.append(len(h))
                return state["middle"]  # of another batch it does not fit what the network joins it with
            state["middle"] = whole(h, *args, **kwargs)
            return state["middle"]

        layer.forward = forward
        try:
            return apply_model(arguments["input"], arguments["timestep"], **arguments["c"])
        finally:
            layer.forward = whole

    return wrapped(model, wrapper)


def first_block_cache(model: Any, skipped: list[int], threshold: float = 0.6) -> Any:
    """As WaveSpeed's first-block cache: if the input changed little since the last whole pass, so did the noise in it.

    It compares the first row only, and takes whatever rows it remembers.
    """
    state: dict[str, Any] = {"x": None, "noise": None}

    def wrapper(apply_model, arguments):
        x, sigma = arguments["input"], arguments["timestep"].view(-1, 1, 1, 1)
        scaled, known = (x / (1 + sigma**2) ** 0.5)[:1], state["x"]
        if known is not None and (scaled - known).abs().mean() < threshold * known.abs().mean():
            skipped.append(len(x))
            return x - sigma * state["noise"][: len(x)]
        denoised = apply_model(x, arguments["timestep"], **arguments["c"])
        state.update(x=scaled.clone(), noise=(x - denoised) / sigma)
        return denoised

    return wrapped(model, wrapper)
