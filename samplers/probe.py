"""What a model family needs of its own, found by asking its `model_sampling`, never by its class."""

from collections.abc import Callable

import torch
from torch import Tensor

from .noise_level import NoiseLevel


def noise_level(model_sampling, sigma: Tensor) -> NoiseLevel:
    """The level of one sigma (0-dim), coefficients as tensors on its device: no synchronisation."""
    zero, one = sigma.new_zeros(1), sigma.new_ones(1)
    a = model_sampling.noise_scaling(sigma.reshape(1), zero, one)
    b = model_sampling.noise_scaling(sigma.reshape(1), one, zero)
    return NoiseLevel(a.reshape(()), b.reshape(()))


def noise_levels(model_sampling, sigmas: Tensor) -> list[NoiseLevel]:
    """The level of every sigma, (n,), coefficients as floats.

    Raises:
        ValueError: if the model has no noise at a sigma above 0 (image-to-image flow models), or a sigma lies beyond
            pure noise (a schedule of another family, given to a flow model).
    """
    levels = []
    for sigma in sigmas.float().cpu():
        level = noise_level(model_sampling, sigma)
        levels.append(NoiseLevel(float(level.a), float(level.b)))
        if sigma > 0 and not levels[-1].b > 0:
            found = type(model_sampling).__name__
            raise ValueError(f"input model: found {found}, which adds no noise to its latent, wanted a diffusion model")
        if levels[-1].a < 0:
            found = f"{float(sigma):.4g}, which {type(model_sampling).__name__} has not"
            raise ValueError(f"input sigmas: found {found}, wanted at most {float(model_sampling.sigma_max):.4g}")
    return levels


def ignores_noise(noised: Callable[..., Tensor], x: Tensor, sigma: Tensor) -> bool:
    """Whether the model wants its known part clean: `noised` (x, sigma (B,), noise) does not depend on the noise."""
    none = torch.zeros_like(x)
    sigma = sigma.expand(len(x))
    return torch.equal(noised(x, sigma, none), noised(x, sigma, none + 1))


def window_sigmas(model_sampling, start_percent: float, end_percent: float) -> tuple[float, float]:
    """The lowest and the highest sigma of a window in percent of sampling, the host's way of naming a noise level."""
    return float(model_sampling.percent_to_sigma(end_percent)), float(model_sampling.percent_to_sigma(start_percent))


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
