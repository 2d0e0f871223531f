"""What a soft mask does: which of its cells is free, that is painted, at which noise level."""

from collections.abc import Callable

import torch
from torch import Tensor


class SoftMask:
    r"""A cell of value v is free for the last v of the schedule,

    .. math:: m(t) = [v > 0 \wedge v \ge (t - t_{end}) / (t_{start} - t_{end})]

    A cell of value 0 never is, whatever the schedule ends on.

    References:
        Differential Diffusion (Levin and Fried, 2023), section 3.2; https://arxiv.org/abs/2306.00950

    Arguments:
        model_sampling: the host's, whose `timestep` says t of a sigma.
        mask: v, values from 0 to 1, broadcasts to the latent.
        sigmas: of the schedule, (steps + 1,).
        rule: the model's own, if it has one: (sigma (B,), v) -> m, free where that is .5 or more.

    Attributes:
        painted: where v is above 0.
        soft: whether there are values between 0 and 1.
    """

    def __init__(
        self, model_sampling, mask: Tensor, sigmas: Tensor, rule: Callable[[Tensor, Tensor], Tensor] | None = None
    ):
        self.mask, self.painted, self.timestep, self.rule = mask, mask > 0, model_sampling.timestep, rule
        self.soft = bool((self.painted & (mask < 1)).any())
        if self.soft:
            self.t_end = self.timestep(sigmas[-1].clamp(min=float(model_sampling.sigma_min)))
            self.span = self.timestep(sigmas[0]) - self.t_end

    def free(self, sigma: Tensor) -> Tensor:
        """m at sigma (B,), boolean, of the mask's shape."""
        if self.rule is not None:
            return (self.rule(sigma, self.mask) >= 0.5) & self.painted
        if not self.soft:
            return self.painted
        threshold = (self.timestep(sigma[0]) - self.t_end) / self.span
        # of a single step there is no last part: only whole cells join
        return self.painted & (self.mask >= torch.where(self.span > 0, threshold, 1.0))
