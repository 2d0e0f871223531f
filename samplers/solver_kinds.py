"""What a KSAMPLER is: the solver in it, what other packs put around it, and which solvers are refused."""

import functools
from collections.abc import Callable
from typing import Any

import comfy.samplers
import torch
from torch import Tensor

from .noise_level import noise_level

KSAMPLER = comfy.samplers.KSAMPLER

CHOOSES_ITS_STEPS = ("dpm_fast", "dpm_adaptive")
NOT_FOR_FLOW = (
    "sample_ddpm", "sample_dpmpp_2s_ancestral_cfg_pp", "sample_res_multistep_ancestral",
    "sample_res_multistep_ancestral_cfg_pp",
)  # fmt: skip
"""They add the noise of models with a = 1 to any model: a flow is left with too much of it, in the host as well."""


def check_solver(sampler: Any, node: str, name: str = "sampler") -> None:
    """Raises ValueError if `sampler` cannot be walked over given sigmas."""
    if not isinstance(sampler, KSAMPLER):
        raise ValueError(
            f"{node}: input sampler: found {type(sampler).__name__}, wanted a KSAMPLER; use KSamplerSelect"
        )
    found = name_of(unwrapped(sampler)[-1])
    for solver in CHOOSES_ITS_STEPS:
        if solver in found:
            raise ValueError(f"{node}: input {name}: {refusal(solver)}")


def refusal(solver: str) -> str:
    """Why one of `CHOOSES_ITS_STEPS` is refused."""
    return f"found {solver}, which chooses its own steps, wanted any other sampler"


def check_for_model(sampler: Any, model_sampling: Any) -> None:
    """Raises ValueError if the solver leaves wrong noise in the states of this kind of model."""
    solver = unwrapped(sampler)[-1]
    is_flow = noise_level(model_sampling, torch.tensor(0.5)).a < 1
    if of_the_host(solver) and name_of(solver) in NOT_FOR_FLOW and is_flow:
        raise ValueError(
            f"input sampler: found {name_of(solver)[7:]}, which leaves noise in the pictures of flow models (SD3, "
            "Flux, Wan) even without a mask, wanted another sampler; take euler_ancestral, for example"
        )


def name_of(sampler: Any) -> str:
    return getattr(sampler.sampler_function, "__name__", type(sampler.sampler_function).__name__)


def of_the_host(sampler: Any) -> bool:
    return (getattr(sampler.sampler_function, "__module__", None) or "").startswith("comfy.")


def unwrapped(sampler: Any) -> list[Any]:
    """The sampler, the one that it holds in its options, and so on in; the last is the solver itself.

    Packs that change what a solver sees (Detail Daemon) are samplers around a sampler. One that holds several is taken
    for a solver.
    """
    chain = [sampler]
    while True:
        held = [option for option in chain[-1].extra_options.values() if isinstance(option, KSAMPLER)]
        if len(held) != 1 or any(held[0] is outer for outer in chain):
            return chain
        chain.append(held[0])


def around(sampler: Any, walk: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The function of `sampler`, with `walk` in the place of the solver that it holds; `walk` itself if it holds none.

    So a sampler around a sampler is called once, over all sigmas, whatever the walk over them.
    """
    for outer in reversed(unwrapped(sampler)[:-1]):
        inside = KSAMPLER(walk)
        options = {k: inside if isinstance(v, KSAMPLER) else v for k, v in outer.extra_options.items()}
        walk = functools.partial(outer.sampler_function, **options)
    return walk
