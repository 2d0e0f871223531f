"""Match: give the known part the noise under which the model itself would predict the known part."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import log

import torch
from torch import Tensor

from .known_region import AtLevel, Guidance, KnownRegion, Method, gain, rms, signal_to_noise
from .moves import Move, refined, spread
from .noise_level import NoiseLevel

LOWEST, HIGHEST = 0.1, 3.0  # of b/a; see Match
LOUDEST = 2.0  # root mean square of the known part's noise: no network has seen data so noisy at its level


@dataclass(frozen=True, kw_only=True)
class Match(Method):
    """One walk down the schedule with extra evaluations at the levels where they pay, `inner_steps` a step on average.

    Arguments:
        inner_steps: extra model evaluations a step; 0 is Blend with predicted noise.
        leak: share of fresh noise (as an amplitude) that each feedback mixes in, so that its errors do not wind up.
        step_size: of the Langevin step, 0 to 1; at 1 the regenerated part is noised anew around its prediction.
        lowest, highest: b/a between which an extra evaluation pays, for latents of about unit deviation.
    """

    known_noise: str = "predicted"
    inner_steps: float
    leak: float = 0.3
    step_size: float = 1.0
    lowest: float = LOWEST
    highest: float = HIGHEST

    def moves(self, levels: Sequence[NoiseLevel], window: range) -> list[Move]:
        steps = len(levels) - 1
        places = [i for i in window if self.lowest < ratio(levels[i]) < self.highest and i < steps - 1]
        if window and not places:  # a schedule of few steps: the level next to where they pay, so that the total holds
            places = [min(window, key=lambda i: abs(log(ratio(levels[i]) / (self.lowest * self.highest) ** 0.5)))]
        return refined(steps, spread(round(self.inner_steps * steps), places))

    def region(
        self, guided: Guidance, at: AtLevel, y: Tensor, noise: Tensor, draw: Callable[[], Tensor]
    ) -> KnownRegion:
        if not self.inner_steps:
            return super().region(guided, at, y, noise, draw)
        return MatchedRegion(guided, at, y, noise, draw, self.leak, self.step_size)


def ratio(level: NoiseLevel) -> float:
    """b/a, the noise against the signal; infinite where there is no signal."""
    return float(level.b) / float(level.a) if level.a > 0 else float("inf")


class MatchedRegion(KnownRegion):
    r"""A known region whose noise e solves :math:`D_k(x_u, a y + b e) = y`, by feedback with a leak,

    .. math:: e \leftarrow \sqrt{1 - r^2}\,\Big(e + \gamma\frac{a}{b}(y - D_k)\Big) + r\,\xi

    (:math:`\gamma` as in `KnownRegion`; with evaluations to spare it needs no momentum). For any Gaussian prior the
    solution makes :math:`D_u` the exact denoiser of the conditional p(x_u | y). Each extra evaluation then takes a
    Leimkuhler-Matthews step of Langevin dynamics on the regenerated part,

    .. math:: x_u \leftarrow x_u + \delta\,(a D_u - x_u) + b \sqrt{2\delta}\,\tfrac12(\xi' + \xi)

    with :math:`\xi'` the step's before, whose stationary variance is exact for Gaussians at any stable :math:`\delta`.
    The noise is remembered from level to level too: the solver in between only scales what it left in the state.

    References:
        Rational construction of stochastic numerical methods (Leimkuhler and Matthews, 2013), section 3;
        https://arxiv.org/abs/1203.5428

    Arguments:
        leak: r.
        step_size: delta.
    """

    def __init__(
        self,
        guided: Guidance,
        at: AtLevel,
        y: Tensor,
        noise: Tensor,
        draw: Callable[[], Tensor],
        leak: float,
        step_size: float,
    ):
        super().__init__(guided, at, y, noise, draw, "predicted")
        self.leak, self.step_size = leak, step_size
        self.last_residual: Tensor | None = None
        self.last_noise = self.draw()

    def refine(self, x: Tensor, sigma: Tensor, denoise_mask=None, model_options=None, seed=None) -> Tensor:
        """One evaluation, of the conditional prediction, and one Langevin step of the regenerated part.

        Where a cache answered without that prediction, x stays as it is.
        """
        free = self.free(sigma)
        shown, denoised = self.guided.predict_conditional(self.blend(x, sigma, free), sigma, model_options or {}, seed)
        self.guided.report(torch.where(free, shown, self.y), x)
        if denoised is None:
            return x
        self.feed_back(sigma, denoised, free)
        level, delta = self.at_level.level(sigma), self.step_size
        before, self.last_noise = self.last_noise, self.draw()
        drift = delta * (level.a * denoised.float() - x.float())
        noise = level.b * (0.5 * delta) ** 0.5 * (before + self.last_noise)
        return self.moved(x, (x.float() + drift + noise).to(x.dtype))

    def feed_back(self, sigma: Tensor, conditional: Tensor, free: Tensor) -> None:
        """The new e. A residual that grew means that the feedback ran away: e is drawn anew."""
        level, known = self.at_level.level(sigma), ~free
        offset = self.y.float() - conditional.float()
        residual = rms(offset, known)
        fresh = self.draw()
        e = self.noise + gain(signal_to_noise(level)) * offset
        e = (1 - self.leak**2) ** 0.5 * e + self.leak * fresh
        e = e * (LOUDEST / rms(e, known)).clamp(max=1.0)
        if self.last_residual is not None:
            e = torch.where(residual > 1.5 * self.last_residual, fresh, e)
        self.last_residual = residual
        self.noise = torch.where(self.at_level.in_window(sigma), e, self.noise)
