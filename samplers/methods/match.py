"""Match: give the known part the noise under which the model itself would predict the known part."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import log

import torch
from torch import Tensor

from ..calibration import HIGHEST, LOWEST, looks_distilled, moments
from ..known_region import AtLevel, Conditional, Guidance, KnownRegion, Method
from ..moves import Move, refined, share
from ..noise_level import NoiseLevel

MIN_RATIO, MAX_RATIO = 0.1, 3.0  # of b/a; see Match
SIDE = 12.0  # cells: the side of a picture up to which MAX_RATIO holds
LEAK = 0.3  # r, the share of fresh noise that each feedback mixes in
LEFT_OUT = "This model looks distilled in steps: extra evaluations were left out."
MATCHED = 0.7  # loudest mode of e, in deviations of white noise: less than Blend's, since many evaluations wind e up


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
        lowest, highest: l, and u of a picture of up to 12x12 cells, for latents of about unit deviation.
    """

    known_noise: str = "predicted"
    inner_steps: float
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
        return MatchedRegion(guided, at, y, noise, draw, "predicted")


def overlap(bottom: float, top: float, low: float, high: float) -> float:
    """How much of the way from `top` down to `bottom` lies between `low` and `high`, in the logarithm; 0 if nothing."""
    return max(0.0, log(min(top, high)) - log(max(bottom, low)))


class MatchedRegion(KnownRegion):
    r"""A known region whose noise e solves :math:`D_k(x_u, a y + b e) = y`, as far as noise can, by leaky feedback,

    .. math:: e \leftarrow \sqrt{1 - r^2}\;\Pi\left(e + \frac{a}{b}(y - D_k)\right) + r\,\xi, \qquad r = 0.3

    For any Gaussian prior the solution makes :math:`D_u` the exact denoiser of the conditional p(x_u | y). The leak
    keeps e, and with it the regenerated part, from settling on one picture.

    Each extra evaluation then takes a Leimkuhler-Matthews step of Langevin dynamics on the regenerated part, as long as
    it may be,

    .. math:: x_u \leftarrow a D_u + \frac{b}{\sqrt 2}\,(\xi' + \xi)

    with fresh noise :math:`\xi` and that of the step before, :math:`\xi'`. Its stationary variance is exact for
    Gaussians. :math:`\xi'` is kept from level to level, since the solver only rescales it.

    A step of a solver over-smooths: its result has :math:`q^2 \sigma^2 J` too little variance (units of a = 1), with q
    the weight of D in the next state and J the eigenvalues of :math:`\partial D_u / \partial x_u`. Two evaluations of
    one level, D' the last extra one and D the solver's first, differ by J times new noise. So the solver is given

    .. math:: D + \alpha (D - D'), \qquad \alpha = 5 q^3 (1 - q), \qquad q = 1 - \frac{\sigma_{next}}{\sigma}, \quad
              \sigma = \frac{b}{a}

    (with guidance, the difference of the conditional predictions; nothing where the step had no extra evaluation).
    Short steps need less than is missing, because e changed between the two evaluations too. After a very long step D'
    often shows other content, so that D - D' is no longer noise.

    All this counts on a model that predicts the mean. The first two extra evaluations find out (`calibration`), with
    fresh noise in the known part. A picture whose model looks distilled goes on as with Blend, without leak and extra
    evaluations. These are not made where no picture of the batch needs them.

    References:
        Rational construction of stochastic numerical methods (Leimkuhler and Matthews, 2013), section 3;
        https://arxiv.org/abs/1203.5428
    """

    def __init__(
        self,
        guided: Guidance,
        at: AtLevel,
        y: Tensor,
        noise: Tensor,
        draw: Callable[[], Tensor],
        known_noise: str,
    ):
        super().__init__(guided, at, y, noise, draw, known_noise)
        self.last_noise = self.draw()
        self.refined: Conditional | None = None  # D', for the solver's next evaluation
        self.share = 0.0  # alpha of that evaluation
        self.extra = 0  # evaluations so far
        self.told = torch.zeros(len(y), 3, device=y.device)  # of the model so far, see `moments`
        self.questioned = False
        self.decided = False
        self.left_out = False  # whether no picture needs extra evaluations any more
        self.loudest = MATCHED
        self.distilled = torch.zeros(len(y), *[1] * (y.ndim - 1), dtype=torch.bool, device=y.device)

    def for_solver(self, denoised: Tensor, conditional: Conditional | None) -> Tensor:
        """The guided prediction, plus what makes up for the variance that the solver's step will lose."""
        before, self.refined = self.refined, None
        if before is None or conditional is None:
            return denoised
        change = torch.where(self.distilled, 0.0, conditional.denoised - before.denoised)
        for asked in (before.asked, conditional.asked):
            change = change if asked is None else torch.where(asked, change, 0.0)
        return denoised + self.share * change

    def refine(
        self, x: Tensor, sigma: Tensor, here: NoiseLevel, after: NoiseLevel, denoise_mask=None, model_options=None,
        seed=None,
    ) -> Tensor:  # fmt: skip
        """One evaluation, of the conditional prediction, and one Langevin step of the regenerated part.

        Where a cache answered without that prediction, or no prompt covers a cell, x stays as it is.
        """
        if self.left_out:
            self.guided.leave_out()
            return x
        question = not self.decided and LOWEST <= here.ratio < HIGHEST
        if question:
            self.noise = torch.where(self.at_level.in_window(sigma), self.draw(), self.noise)
        free = self.free(sigma)
        shown, conditional = self.guided.predict_conditional(
            self.blend(x, sigma, free), sigma, model_options or {}, seed
        )
        self.guided.report(torch.where(free, shown, self.y), x)
        if conditional is None:
            return x
        self.extra += 1
        if question:
            self.told = self.told + moments(conditional.denoised, self.y, self.heard(conditional, free))
            self.questioned = True
        if self.questioned and self.extra >= 2 and not self.decided:
            self.decide()
        extension = self.extension(sigma, conditional, free)
        self.learn(sigma, conditional, free)
        conditional = conditional._replace(denoised=conditional.denoised + extension)
        q = 1 - here.fall(after)
        self.refined, self.share = conditional, 5 * q**3 * (1 - q)
        level = self.at_level.level(sigma)
        before, self.last_noise = self.last_noise, self.draw()
        moved = level.add_noise(conditional.denoised.float(), 0.5**0.5 * (before + self.last_noise)).to(x.dtype)
        moved = torch.where(self.distilled, x, self.moved(x, moved))
        return moved if conditional.asked is None else torch.where(conditional.asked, moved, x)

    def decide(self) -> None:
        """Which pictures do without extra evaluations; after two of them, or more where y was invisible before."""
        self.decided = True
        self.distilled = looks_distilled(self.told).view_as(self.distilled)
        self.loudest = torch.where(self.distilled, KnownRegion.loudest, MATCHED)
        self.left_out = bool(self.distilled.all())
        self.note = LEFT_OUT if self.left_out else ""

    def learn(self, sigma: Tensor, conditional: Conditional, free: Tensor) -> None:
        super().learn(sigma, conditional, free)
        mixed = (1 - LEAK**2) ** 0.5 * self.noise + LEAK * self.draw()
        learnt = self.heard(conditional, free) & self.at_level.in_window(sigma) & ~self.distilled
        self.noise = torch.where(learnt, mixed, self.noise)
