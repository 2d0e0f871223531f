"""Which cell of a soft mask is free at which noise level."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


def joining(model_sampling, mask: Tensor, sigmas: Tensor) -> Callable[[Tensor], Tensor]:
    r"""sigma (B,) -> where the model is free. A cell of value v joins for the last v of the schedule,

    .. math:: m(t) = [v > 0 \wedge v \ge (t - t_{end}) / (t_{start} - t_{end})]

    A cell of value 0 never does, whatever the schedule ends on.

    References:
        Differential Diffusion (Levin and Fried, 2023), section 3.2; https://arxiv.org/abs/2306.00950
    """
    free = mask > 0
    if not bool((free & (mask < 1)).any()):
        return lambda sigma: free
    t_start = model_sampling.timestep(sigmas[0])
    t_end = model_sampling.timestep(sigmas[-1].clamp(min=float(model_sampling.sigma_min)))
    span = t_start - t_end

    def regenerated(sigma: Tensor) -> Tensor:
        threshold = (model_sampling.timestep(sigma[0]) - t_end) / span
        # of a single step there is no last part: only whole cells join
        return free & (mask >= torch.where(span > 0, threshold, 1.0))

    return regenerated


def mask_of(model: Any, mask: Tensor, model_options: dict) -> Callable[[Tensor], Tensor]:
    """sigma (B,) -> where the model is free, by the model's own rule (DifferentialDiffusion) if it has one."""
    rule = model_options.get("denoise_mask_function")
    if rule is None:
        return joining(model.inner_model.inner_model.model_sampling, mask, model.sigmas)
    options = {"model": model.inner_model, "sigmas": model.sigmas}
    return lambda sigma: (rule(sigma, mask, extra_options=options) >= 0.5) & (mask > 0)
