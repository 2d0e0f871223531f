"""Counts what passes through a model's network, without a patch: a patch around its passes would itself be heard.

with counted(model) as passes:
    ...
passes                      # [2, 1, 2, ...]: how many prompts went through in each
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def counted(model: Any) -> Iterator[list[int]]:
    """The prompts of every pass through the network of a MODEL, in order, behind all that may answer in its place."""
    passes: list[int] = []

    def see(network: Any, args: tuple, kwargs: dict) -> None:
        passes.append(len(kwargs["transformer_options"]["cond_or_uncond"]))

    hook = model.model.diffusion_model.register_forward_pre_hook(see, with_kwargs=True)
    try:
        yield passes
    finally:
        hook.remove()
