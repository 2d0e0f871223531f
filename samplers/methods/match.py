"""Match: give the known part the noise under which the model itself would predict the known part."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import log

import torch
from torch import Tensor

from ..known_region import AtLevel, Guidance, KnownRegion, Method, rms, signal_to_noise
from ..moves import Move, refined, share
from ..noise_level import NoiseLevel

MIN_RATIO, MAX_RATIO = 0.1, 3.0  # of b/a; see Match
SIDE = 12.0  # cells: the side of a picture up to which MAX_RATIO holds
GAIN, MOMENTUM = 1.5, 0.3  # what full haste adds to the feedback, see MatchedRegion
HURRIED = 2  # repetitions at one level up to which haste is full
MAX_LOUDNESS = 5.0  # root mean square of the known part's noise: no network has seen data so noisy at its level


@dataclass(frozen=True, kw_only=True)
class Match(Method):
    r"""One walk down the schedule with extra evaluations where they pay, `inner_steps` a step on average.

    Each step has a share of them in proportion to how much of its fall in log sigma lies between l and u,

    .. math:: \log \frac{\min(\sigma_i, u)}{\max(\sigma_{i+1}, l)} \text{ where that is above 0}, \qquad
              \sigma = b / a, \quad u = 3 \max(1, \sqrt{N} / 12)

    with N cells of one channel. Below l, the regenerated part hardly moves any more. Above u, y is invisible: what N
    cells share, as those of a large picture share its composition, is seen in :math:`\sqrt{N}` times the noise that
    hides one of them.

    Arguments:
        inner_steps: extra model evaluations a step; 0 is Blend with predicted noise.
        leak: share of fresh noise (as an amplitude) that each feedback mixes in, so that its errors do not
            accumulate.
        step_size: of the Langevin step, 0 to 1; at 1 the regenerated part is noised anew around its prediction.
        lowest, highest: l, and u of a picture of up to 12x12 cells, for latents of about unit deviation.
    """

    known_noise: str = "predicted"
    inner_steps: float
    leak: float = 0.3
    step_size: float = 1.0
    lowest: float = MIN_RATIO
    highest: float = MAX_RATIO

    def moves(self, levels: Sequence[NoiseLevel], window: range, cells: int) -> list[Move]:
        steps = len(levels) - 1
        low, high = self.lowest, self.highest * max(1.0, cells**0.5 / SIDE)
        falls = {i: overlap(levels[i + 1].ratio, levels[i].ratio, low, high) for i in window if levels[i + 1].b > 0}
        weights = {i: fall for i, fall in falls.items() if fall > 0}
        if window and not weights:  # no step falls between low and high: the nearest has them, so that the total holds
            weights = {min(window, key=lambda i: abs(log(levels[i].ratio / (low * high) ** 0.5))): 1.0}
        return refined(steps, share(round(self.inner_steps * steps), weights) if weights else {})

    def region(
        self, guided: Guidance, at: AtLevel, y: Tensor, noise: Tensor, draw: Callable[[], Tensor]
    ) -> KnownRegion:
        if not self.inner_steps:
            return super().region(guided, at, y, noise, draw)
        return MatchedRegion(guided, at, y, noise, draw, self.leak, self.step_size)


def overlap(bottom: float, top: float, low: float, high: float) -> float:
    """How much of the way from `top` down to `bottom` lies between `low` and `high`, in the logarithm; 0 if nothing."""
    return max(0.0, log(min(top, high)) - log(max(bottom, low)))


class MatchedRegion(KnownRegion):
    r"""A known region whose noise e solves :math:`D_k(x_u, a y + b e) = y`, by feedback with momentum and a leak,

    .. math:: v \leftarrow \beta v + \gamma\frac{a}{b}(y - D_k), \qquad
              e \leftarrow \sqrt{1 - r^2}\,(e + v) + r\,\xi, \qquad \gamma = 1 + 1.5\,h, \quad \beta = 0.3\,h

    For any Gaussian prior the solution makes :math:`D_u` the exact denoiser of the conditional p(x_u | y).

    D_k changes by J times what :math:`x_k` does, J in (0, 1), and the feedback is stable while
    :math:`\gamma J < 2 (1 + \beta)`: for every J, and every h in (0, 1). Fine detail has small J and needs haste,
    h = 1, to converge in a few evaluations. Later at one level haste would only amplify what each new :math:`x_u`
    changes. So :math:`h = \min(1, 2/k)` with k the evaluations that the level had before.

    Each extra evaluation then takes a Leimkuhler-Matthews step of Langevin dynamics on the regenerated part,

    .. math:: x_u \leftarrow x_u + \delta\,(a D_u - x_u) + b \sqrt{2\delta}\,\tfrac12(\xi' + \xi)

    with fresh noise :math:`\xi` and that of the step before, :math:`\xi'`. The stationary variance of this step is
    exact for Gaussians at any stable :math:`\delta`. :math:`\xi'` is kept from level to level, since the solver only
    rescales it.

    A step of a solver over-smooths: its result has :math:`q^2 \sigma^2 J` too little variance (units of a = 1), with q
    the weight of D in the next state and J now the eigenvalues of :math:`\partial D_u / \partial x_u`. Two evaluations
    of one level, D' the last extra one and D the solver's first, differ by J times new noise. So the solver is given

    .. math:: D + \alpha (D - D'), \qquad \alpha = 5 q^3 (1 - q), \qquad q = 1 - \frac{\sigma_{next}}{\sigma}, \quad
              \sigma = \frac{b}{a}

    (with guidance, the difference of the conditional predictions; nothing where the step had no extra evaluation).
    Short steps need less than is missing, because e changed between the two evaluations too. After a very long step D'
    often shows other content, so that D - D' is no longer noise.

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
        self.repeated = torch.zeros((), device=y.device)  # k
        self.last_noise = self.draw()
        self.refined: Tensor | None = None  # D', for the solver's next evaluation
        self.share = 0.0  # alpha of that evaluation

    def for_solver(self, denoised: Tensor, conditional: Tensor | None) -> Tensor:
        """The guided prediction, plus what makes up for the variance that the solver's step will lose."""
        before, self.refined = self.refined, None
        if before is None or conditional is None:
            return denoised
        return denoised + self.share * (conditional - before)

    def refine(self, x: Tensor, sigma: Tensor, fall: float, denoise_mask=None, model_options=None, seed=None) -> Tensor:
        """One evaluation, of the conditional prediction, and one Langevin step of the regenerated part.

        Where a cache answered without that prediction, x stays as it is.
        """
        free = self.free(sigma)
        shown, denoised = self.guided.predict_conditional(self.blend(x, sigma, free), sigma, model_options or {}, seed)
        self.guided.report(torch.where(free, shown, self.y), x)
        if denoised is None:
            return x
        extension = self.extension(sigma, denoised, free)
        self.feed_back(sigma, denoised, free)
        denoised = denoised + extension
        q = 1 - fall
        self.refined, self.share = denoised, 5 * q**3 * (1 - q)
        level, delta = self.at_level.level(sigma), self.step_size
        before, self.last_noise = self.last_noise, self.draw()
        drift = delta * (level.a * denoised.float() - x.float())
        noise = level.b * (0.5 * delta) ** 0.5 * (before + self.last_noise)
        return self.moved(x, (x.float() + drift + noise).to(x.dtype))

    def feed_back(self, sigma: Tensor, conditional: Tensor, free: Tensor) -> None:
        """The new v and e."""
        signal, known = signal_to_noise(self.at_level.level(sigma)), ~free
        offset = self.y.float() - conditional.float()
        self.repeated = torch.where(signal == self.last_signal, self.repeated + 1, 0)
        haste = (HURRIED / self.repeated).clamp(max=1.0)
        velocity = MOMENTUM * haste * self.velocity + (1 + GAIN * haste) * signal * offset
        e = (1 - self.leak**2) ** 0.5 * (self.noise + velocity) + self.leak * self.draw()
        e = e * (MAX_LOUDNESS / rms(e, known)).clamp(max=1.0)
        self.last_signal = signal
        in_window = self.at_level.in_window(sigma)
        self.noise, self.velocity = torch.where(in_window, e, self.noise), torch.where(in_window, velocity, 0.0)
