r"""The noise e of the known part y, which the model is shown as :math:`a y + b e`: what it is, and what it learns.

A run makes one of these and asks it, evaluation by evaluation: `show` gives e, `learn` changes it by what the model
predicted of y.
"""

from collections.abc import Callable
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor

from .calibration import HIGHEST, LOWEST, looks_distilled, moments
from .kriging import Kriging, plausible
from .noise_level import NoiseLevel, noise_level

LEAK = 0.3  # r, the share of fresh noise that each correction of a matched e mixes in
PREDICTED = 1.0  # bound of the Fourier modes of a predicted e, in deviations of white noise
MATCHED = 0.7  # and of a matched one: less, since many evaluations make e grow


class Here:
    """The noise level at which the model is asked.

    Arguments:
        model_sampling: the host's.
        sigma: (B,), all alike.
        free: m, where the model is free, boolean, broadcasts to x; the rest is known.
        window: the lowest and the highest sigma at which e may change.
    """

    def __init__(self, model_sampling, sigma: Tensor, free: Tensor, window: tuple[float, float]):
        self.model_sampling, self.sigma, self.free, self.window = model_sampling, sigma, free, window

    @cached_property
    def level(self) -> NoiseLevel:
        """Its coefficients, 0-dim tensors."""
        return noise_level(self.model_sampling, self.sigma[0])

    @cached_property
    def known(self) -> Tensor:
        """1 - m, boolean."""
        return ~self.free

    @cached_property
    def active(self) -> Tensor:
        """Whether e may change, a 0-dim boolean tensor."""
        lowest, highest = self.window
        return (self.sigma[0] >= lowest) & (self.sigma[0] <= highest)


class Conditional(NamedTuple):
    """What the model predicts for the positive prompt.

    Arguments:
        denoised: D, (B, C, ...).
        covered: where a positive prompt covers a cell, boolean, of the same shape; elsewhere D is no prediction.
    """

    denoised: Tensor
    covered: Tensor


class FixedNoise:
    """e is the initial noise throughout: what the host does, and Blended Latent Diffusion with one draw.

    It is the base of the others, too.

    References:
        Blended Latent Diffusion (Avrahami et al., 2022), section 3.2; https://arxiv.org/abs/2206.02779

    Arguments:
        y: the clean latent, (B, C, ...).
        noise: the initial e, unit variance, (B, C, ...).
        draw: () -> fresh unit noise, (B, C, ...).

    Attributes:
        spares_extra: whether extra evaluations would be in vain from now on.
        remark: what the person should know of the run.
    """

    spares_extra = False
    remark = ""

    def __init__(self, y: Tensor, noise: Tensor, draw: Callable[[], Tensor]):
        self.y, self.noise, self.draw = y, noise.float(), draw

    def show(self, here: Here) -> Tensor:
        """e for the next evaluation."""
        return self.noise

    def learn(self, here: Here, conditional: Conditional) -> None:
        """The new e, after what the model predicted under the old one."""

    def extension(self, here: Here, conditional: Conditional) -> Tensor | None:
        """What the prediction lacks where the model is free, as far as y says; None if nothing is known of it."""
        return None

    def correct(self, denoised: Tensor, conditional: Conditional | None) -> Tensor:
        """What a solver gets of the guided prediction, with both predictions extended."""
        return denoised

    def show_extra(self, here: Here, level: NoiseLevel) -> Tensor:
        """e for an extra evaluation at this level, given with float coefficients too."""
        return self.show(here)

    def refine(
        self, x: Tensor, here: Here, level: NoiseLevel, next_level: NoiseLevel, conditional: Conditional
    ) -> Tensor:
        """x after an extra evaluation, from which e learns.

        Arguments:
            level, next_level: this level and the next of the schedule, with float coefficients.
            conditional: what the model predicts of x.
        """
        self.learn(here, conditional)
        return x

    def diffuse(self, start: NoiseLevel, stop: NoiseLevel, noise: Tensor) -> None:
        """The new e after x was diffused forward from level `start` to `stop` with `noise`."""

    def leaving(self, level: NoiseLevel, known: Tensor) -> Tensor:
        """The known part as it leaves a run: y itself where there is no noise, else y with exactly so much of e."""
        return level.add_noise(self.y, self.noise) if level.b > 0 else self.y


class FreshNoise(FixedNoise):
    """e is drawn anew at every evaluation.

    References:
        RePaint (Lugmayr et al., 2022), equation 8a; https://arxiv.org/abs/2201.09865
    """

    def show(self, here: Here) -> Tensor:
        self.noise = torch.where(here.active, self.draw(), self.noise)
        return self.noise


class PredictedNoise(FixedNoise):
    r"""e is the noise which the model itself sees in the known part (DDNM's idea),

    .. math:: e \leftarrow \Pi\left(e + \frac{a}{b}\,(y - D_k)\right) = \Pi\left(\frac{x_k - a D_k}{b}\right)

    where :math:`\Pi` keeps it noise that could be (`plausible`): else the model could believe a picture that y
    contradicts, and noise that explains it. D is the conditional prediction alone, since guidance makes the feedback
    diverge. What is left of the residual goes on beyond the edge of the known part (`Kriging`),

    .. math:: D_u \leftarrow D_u + W_{uk} W_{kk}^{-1}\,(y - D_k)

    Where no positive prompt covers a cell, nothing is learnt and nothing extended.

    References:
        DDNM (Wang et al., 2022), section 3.3; https://arxiv.org/abs/2212.00490
    """

    def __init__(self, y: Tensor, noise: Tensor, draw: Callable[[], Tensor]):
        super().__init__(y, noise, draw)
        self.bound: float | Tensor = PREDICTED
        self.made: Kriging | None = None

    def kriging(self, here: Here) -> Kriging:
        """That of y, made at the first evaluation, where it is known which cells are."""
        if self.made is None:
            self.made = Kriging(self.y, here.known)
        return self.made

    def residual(self, conditional: Conditional) -> Tensor:
        """y - D, (B, C, ...), float32."""
        return self.y.float() - conditional.denoised.float()

    def learn(self, here: Here, conditional: Conditional) -> None:
        covered = here.known & conditional.covered
        noise, device = self.noise + here.level.signal_to_noise * self.residual(conditional), self.kriging(here).device
        bounded = plausible(noise.to(device), covered.to(device), self.bound).to(noise.device)
        self.noise = torch.where(covered & here.active, bounded, self.noise)

    def extension(self, here: Here, conditional: Conditional) -> Tensor:
        """The same for guided and conditional predictions, (B, C, ...); 0 where e may not change."""
        covered = here.known & conditional.covered
        extension = self.kriging(here).extended(self.residual(conditional), covered, here.level.signal_to_noise)
        return torch.where(here.active & conditional.covered, extension, 0.0).to(conditional.denoised.dtype)

    def diffuse(self, start: NoiseLevel, stop: NoiseLevel, noise: Tensor) -> None:
        self.noise = start.diffuse(start.b * self.noise, stop, noise) / stop.b

    def leaving(self, level: NoiseLevel, known: Tensor) -> Tensor:
        """A predicted e is only about as large as unit noise; whoever goes on from here counts on the level."""
        return level.add_noise(self.y, self.noise / rms(self.noise, known)) if level.b > 0 else self.y


class MatchedNoise(PredictedNoise):
    r"""e solves :math:`D_k(x_u, a y + b e) = y`, as far as noise can, by leaky feedback,

    .. math:: e \leftarrow \sqrt{1 - r^2}\;\Pi\left(e + \frac{a}{b}(y - D_k)\right) + r\,\xi, \qquad r = 0.3

    For any Gaussian prior the solution makes :math:`D_u` the exact denoiser of the conditional p(x_u | y). Each extra
    evaluation then takes a Leimkuhler-Matthews step of Langevin dynamics on the regenerated part,

    .. math:: x_u \leftarrow a D_u + \frac{b}{\sqrt 2}\,(\xi' + \xi)

    with fresh noise :math:`\xi` and that of the step before, :math:`\xi'`, which is kept from level to level, since the
    solver only rescales it. A step of a solver over-smooths, so it is given

    .. math:: D + \alpha (D - D'), \qquad \alpha = 5 q^3 (1 - q), \qquad q = 1 - \frac{\sigma_{next}}{\sigma}, \quad
              \sigma = \frac{b}{a}

    D' is the last extra evaluation of its level, D its own first one (with guidance, the difference of the conditional
    predictions; nothing where the step had no extra evaluation). Where all this comes from: `docs/mathematics.md`.

    It counts on a model that predicts the mean. The first two extra evaluations find out (`calibration`), with fresh
    noise in the known part. A picture whose model looks distilled goes on as with predicted noise, without leak and
    extra evaluations. These are not made where no picture of the batch needs them.

    References:
        Rational construction of stochastic numerical methods (Leimkuhler and Matthews, 2013), section 3;
        https://arxiv.org/abs/1203.5428
    """

    def __init__(self, y: Tensor, noise: Tensor, draw: Callable[[], Tensor]):
        super().__init__(y, noise, draw)
        self.bound = MATCHED
        self.last_noise = self.draw()
        self.last_extra: tuple[Conditional, float] | None = None  # D' and alpha, for the solver's next evaluation
        self.extra = 0  # extra evaluations so far
        self.told = torch.zeros(len(y), 3, device=y.device)  # of the model so far, see `moments`
        self.questioned = self.decided = False
        # the pictures whose model predicts the mean
        self.exact = torch.ones(len(y), *[1] * (y.ndim - 1), dtype=torch.bool, device=y.device)

    def learn(self, here: Here, conditional: Conditional) -> None:
        super().learn(here, conditional)
        mixed = (1 - LEAK**2) ** 0.5 * self.noise + LEAK * self.draw()
        learnt = here.known & conditional.covered & here.active & self.exact
        self.noise = torch.where(learnt, mixed, self.noise)

    def correct(self, denoised: Tensor, conditional: Conditional | None) -> Tensor:
        last_extra, self.last_extra = self.last_extra, None
        if last_extra is None or conditional is None:
            return denoised
        before, alpha = last_extra
        comparable = before.covered & conditional.covered & self.exact
        return denoised + alpha * torch.where(comparable, conditional.denoised - before.denoised, 0.0)

    def is_question(self, level: NoiseLevel) -> bool:
        """Whether an extra evaluation at this level asks if the model predicts the mean."""
        return not self.decided and LOWEST <= level.ratio < HIGHEST

    def show_extra(self, here: Here, level: NoiseLevel) -> Tensor:
        if self.is_question(level):
            self.noise = torch.where(here.active, self.draw(), self.noise)
        return self.noise

    def refine(
        self, x: Tensor, here: Here, level: NoiseLevel, next_level: NoiseLevel, conditional: Conditional
    ) -> Tensor:
        """x after the step that an extra evaluation takes."""
        self.extra += 1
        if self.is_question(level):
            self.told = self.told + moments(conditional.denoised, self.y, here.known & conditional.covered)
            self.questioned = True
        if self.questioned and self.extra >= 2 and not self.decided:
            self.decide()
        extension = self.extension(here, conditional)
        self.learn(here, conditional)
        extended = conditional._replace(denoised=conditional.denoised + extension)
        q = 1 - level.fall(next_level)
        self.last_extra = extended, 5 * q**3 * (1 - q)
        noise_before, self.last_noise = self.last_noise, self.draw()
        moved = here.level.add_noise(extended.denoised.float(), 0.5**0.5 * (noise_before + self.last_noise))
        return torch.where(extended.covered & self.exact, moved.to(x.dtype), x)

    def decide(self) -> None:
        """Which pictures do without extra evaluations; after two of them, or more where y was invisible before."""
        self.decided = True
        self.exact = ~looks_distilled(self.told).view_as(self.exact)
        self.bound = torch.where(self.exact, MATCHED, PREDICTED)
        self.spares_extra = not self.exact.any()
        if self.spares_extra:
            self.remark = "This model looks distilled in steps: extra evaluations were left out."


def rms(values: Tensor, where: Tensor) -> Tensor:
    """Root mean square over the cells `where`, one number an image, (B, 1, ...)."""
    where = where.expand(values.shape)
    dims = tuple(range(1, values.ndim))
    total = torch.where(where, values, 0.0).square().sum(dims, keepdim=True)
    return (total / where.sum(dims, keepdim=True).clamp(min=1)).sqrt()
