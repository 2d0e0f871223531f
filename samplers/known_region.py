"""The base of all methods: a denoiser that sees the known part of a latent while any solver denoises the rest."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from .kriging import Kriging
from .moves import Move
from .noise_level import NoiseLevel

KNOWN_NOISE = ("fixed", "fresh", "predicted")
MAX_MOMENTUM = 0.7  # of the feedback that predicts noise: a step down a long schedule has less, see KnownRegion


@dataclass(frozen=True, kw_only=True)
class Method:
    """How a run walks its noise levels, and what noise its known part has.

    Arguments:
        known_noise: one of KNOWN_NOISE, see `KnownRegion`.
        start_percent, end_percent: the window of the schedule in which the method is at work.
    """

    known_noise: str
    start_percent: float = 0.0
    end_percent: float = 1.0

    def moves(self, levels: Sequence[NoiseLevel], window: range, cells: int) -> list[Move]:
        """The walk over the levels of a schedule, its end included.

        Arguments:
            window: the places inside the percents.
            cells: of one channel of a latent: height times width, times frames.
        """
        raise NotImplementedError

    def region(
        self, guided: "Guidance", at: "AtLevel", y: Tensor, noise: Tensor, draw: Callable[[], Tensor]
    ) -> "KnownRegion":
        """The denoiser to walk with; see `KnownRegion` for the parts."""
        return KnownRegion(guided, at, y, noise, draw, self.known_noise)


class Guidance(Protocol):
    """What a method asks of the host's guider (`guider.Guided`)."""

    asking: bool

    def predict(
        self,
        x: Tensor,
        sigma: Tensor,
        model_options: dict,
        seed: int | None,
        placed: Callable[[Tensor, Tensor | None], Tensor],
    ) -> tuple[Tensor, Tensor | None]: ...

    def predict_conditional(
        self, x: Tensor, sigma: Tensor, model_options: dict, seed: int | None
    ) -> tuple[Tensor, Tensor | None]: ...

    def report(self, denoised: Tensor, x: Tensor) -> None: ...


@dataclass(frozen=True)
class AtLevel:
    """What depends on the noise level, each a function of sigma (B,).

    Arguments:
        level: its NoiseLevel, of 0-dim tensors.
        free: m, a boolean tensor that broadcasts to x, true where the model is free (`soft_mask`).
        noised: (x, sigma, noise) -> the known part as the model wants to see it.
        in_window: a 0-dim boolean tensor, whether e moves. Outside the window it stays as it is.
        full_noise: a/b below which a cell that becomes free has lost its old content; None where no cell has any, under
            a hard mask and from a start at full noise.
    """

    level: Callable[[Tensor], NoiseLevel]
    free: Callable[[Tensor], Tensor]
    noised: Callable[[Tensor, Tensor, Tensor], Tensor]
    in_window: Callable[[Tensor], Tensor]
    full_noise: float | None


class KnownRegion:
    r"""A denoiser that sees the known part y of a picture, on the regenerated part u of state x:

    .. math::
        x^{in} = m\,x + (1 - m)(a y + b e), \qquad D^{out} = m\,D(x^{in}) + (1 - m)\,y

    with the level's :math:`a, b` and unit noise e, chosen by `known_noise`:

    - fixed: e is the initial noise throughout (what the host does, and Blended Latent Diffusion with one draw),
    - fresh: e is drawn anew at every evaluation (RePaint, equation 8a),
    - predicted: e is the noise which the model itself sees in the known part (DDNM's idea),

      .. math:: v \leftarrow \beta v + \gamma \frac{a}{b}\,(y - D_k), \qquad e \leftarrow e + v

      .. math:: \gamma = \min(2, 1 + \sigma^2), \qquad \beta = \min(0.7, 1 - (\sigma / \sigma')^4), \qquad
                \sigma = b / a, \quad \sigma' \text{ that of the evaluation before}

      which for :math:`\gamma = 1, \beta = 0` is :math:`(x_k - a D_k)/b`. D changes by J times what x does, J in
      (0, 1), and each correction multiplies the error by :math:`1 - \gamma J`. This :math:`\gamma` is Newton's step
      for data of unit variance, as far as it is stable for every J. The slow modes, of small J, need momentum where
      steps are few and long; where they are many, and between evaluations of one level, there is next to none. D is
      the conditional prediction alone, since guidance makes the feedback unstable.

    It is called as a k-diffusion model, `region(x, sigma, **extra_args) -> denoised`.

    References:
        RePaint (Lugmayr et al., 2022), section 4.1; https://arxiv.org/abs/2201.09865
        Blended Latent Diffusion (Avrahami et al., 2022), section 3.2; https://arxiv.org/abs/2206.02779
        DDNM (Wang et al., 2022), section 3.3; https://arxiv.org/abs/2212.00490
        Some methods of speeding up the convergence of iteration methods (Polyak, 1964), for the momentum

    With predicted noise, what is left of the residual goes on beyond the edge of the known part,

    .. math:: D_u \leftarrow D_u + W_{uk} W_{kk}^{-1}\,(y - D_k)

    with W the denoiser of a stationary field that has y's spectrum (`kriging`): what D_u would become once e is right,
    for the price of a few Fourier transforms. Where e is right nothing is left, so an untrue W does no harm there.

    A cell that became free with its old content still in it (:math:`a / b` of `full_noise` or more) keeps what the
    solver makes of that content: nothing but the solver moves it, and a jump takes it back to where it was.

    Arguments:
        guided: the guider, evaluation by evaluation.
        at: what depends on the noise level.
        y: the clean latent, (B, C, ...).
        noise: the initial e, unit variance, (B, C, ...).
        draw: () -> fresh unit noise, (B, C, ...).
        known_noise: one of KNOWN_NOISE.
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
        self.guided, self.at_level, self.y, self.noise = guided, at, y, noise.float()
        self.draw, self.known_noise = draw, known_noise
        self.velocity = self.last_signal = torch.zeros((), device=y.device)  # v, and 1/sigma of its last change
        self.kriging: Kriging | None = None
        self.blank: Tensor | None = None  # cells that became free at full noise; None: all that are free
        self.landing: Tensor | None = None  # the sigma that the next jump goes back to
        self.landed: Tensor | None = None  # and the state that the solver had there

    def blend(self, x: Tensor, sigma: Tensor, free: Tensor) -> Tensor:
        """x where it is free, and the known part at the level of sigma elsewhere."""
        return torch.where(free, x, self.at_level.noised(x, sigma, self.noise.to(x.dtype)))

    def free(self, sigma: Tensor) -> Tensor:
        """Where the model is free at this level; cells that become free here may have lost their old content."""
        free = self.at_level.free(sigma)
        if self.at_level.full_noise is not None:
            lost = free & (signal_to_noise(self.at_level.level(sigma)) < self.at_level.full_noise)
            self.blank = lost if self.blank is None else self.blank | lost
        return free

    def moved(self, x: Tensor, by_method: Tensor) -> Tensor:
        """The state that the method made of x, where no old content is at stake."""
        return by_method if self.blank is None else torch.where(self.blank, by_method, x)

    def __call__(self, x: Tensor, sigma: Tensor, denoise_mask=None, model_options=None, seed=None) -> Tensor:
        if self.landing is not None:
            here = sigma[0] == self.landing.to(sigma.dtype)
            self.landed = x if self.landed is None else torch.where(here, x, self.landed)
        if self.known_noise == "fresh":
            self.noise = torch.where(self.at_level.in_window(sigma), self.draw(), self.noise)
        free, learning = self.free(sigma), self.known_noise == "predicted"

        def placed(prediction: Tensor, conditional: Tensor | None) -> Tensor:
            if learning and conditional is not None:
                prediction = self.moved(prediction, prediction + self.extension(sigma, conditional, free))
            return torch.where(free, prediction, self.y)

        denoised, conditional = self.guided.predict(
            self.blend(x, sigma, free), sigma, model_options or {}, seed, placed
        )
        if learning and conditional is not None:
            extension = self.extension(sigma, conditional, free)
            self.feed_back(sigma, conditional, free)
            denoised, conditional = self.moved(denoised, denoised + extension), conditional + extension
        denoised = torch.where(free, self.for_solver(denoised, conditional), self.y)
        self.guided.report(denoised, x)
        return denoised

    def extension(self, sigma: Tensor, conditional: Tensor, free: Tensor) -> Tensor:
        """What the residual of the conditional prediction adds to one where it is free; 0 outside the window."""
        if self.kriging is None:
            self.kriging = Kriging(self.y, ~free)
        residual, signal = self.y.float() - conditional.float(), signal_to_noise(self.at_level.level(sigma))
        extension = self.kriging.extended(residual, ~free, signal)
        return torch.where(self.at_level.in_window(sigma), extension, 0.0).to(conditional.dtype)

    def feed_back(self, sigma: Tensor, conditional: Tensor, free: Tensor) -> None:
        """The new v and e, in float32."""
        signal = signal_to_noise(self.at_level.level(sigma))
        # a flow's first level has no signal at all, and half precision has no 1e-8
        fall = self.last_signal / signal.float().clamp(min=1e-8)
        momentum = (1 - fall**4).clamp(0.0, MAX_MOMENTUM)  # none after a jump to a noisier level
        velocity = momentum * self.velocity + gain(signal) * (self.y.float() - conditional.float())
        self.velocity, self.last_signal = torch.where(self.at_level.in_window(sigma), velocity, 0.0), signal
        self.noise = self.noise + self.velocity

    def at(self, level: NoiseLevel, known: Tensor) -> Tensor:
        """The known part as it leaves at a level: y itself if there is no noise, else y with exactly so much of e.

        A predicted e is only about as loud as unit noise; whoever goes on from here counts on the level.
        """
        if not level.b > 0:
            return self.y
        loudness = rms(self.noise, known) if self.known_noise == "predicted" else 1.0
        return level.add_noise(self.y, self.noise / loudness)

    def expect_jump(self, sigma: Tensor) -> None:
        """Announces the level, sigma (0-dim), to which the next jump goes back."""
        if self.at_level.full_noise is not None:
            self.landing, self.landed = sigma, None

    def jump(self, x: Tensor, start: NoiseLevel, stop: NoiseLevel) -> Tensor:
        """x diffused forward from level `start` to `stop`; a predicted e takes the same noise on its way.

        Where old content is brought back to where it was, e stays what it is: the evaluations that follow make it
        better.
        """
        noise = self.draw()
        if self.known_noise == "predicted" and self.landed is None:
            self.noise = start.diffuse(start.b * self.noise, stop, noise) / stop.b
        diffused = start.diffuse(x.float(), stop, noise).to(x.dtype)
        return diffused if self.landed is None else self.moved(self.landed, diffused)

    def for_solver(self, denoised: Tensor, conditional: Tensor | None) -> Tensor:
        """What the solver gets, of the guided and the conditional prediction."""
        return denoised

    def refine(self, x: Tensor, sigma: Tensor, fall: float, denoise_mask=None, model_options=None, seed=None) -> Tensor:
        """One evaluation more at this level; x stays at its level. Only Match walks with these.

        Arguments:
            fall: b/a of the next level of the schedule over that of this one.
        """
        raise NotImplementedError


def signal_to_noise(level: NoiseLevel) -> Tensor:
    """a/b, 1/sigma of a model with a = 1; 0-dim."""
    return torch.as_tensor(level.a / level.b)


def gain(signal: Tensor) -> Tensor:
    """gamma a/b, from a/b: how much a known part predicted too low by 1 raises its noise."""
    return torch.minimum(2 * signal, signal + 1 / signal)


def rms(values: Tensor, where: Tensor) -> Tensor:
    """Root mean square over the cells `where`, one number an image, (B, 1, ...)."""
    where = where.expand(values.shape)
    dims = tuple(range(1, values.ndim))
    total = torch.where(where, values, 0.0).square().sum(dims, keepdim=True)
    return (total / where.sum(dims, keepdim=True).clamp(min=1)).sqrt()


def ignores_noise(noised: Callable[..., Tensor], x: Tensor, sigma: Tensor) -> bool:
    """Whether the model wants its known part clean: `noised` (x, sigma (B,), noise) does not depend on the noise."""
    none = torch.zeros_like(x)
    sigma = sigma.expand(len(x))
    return torch.equal(noised(x, sigma, none), noised(x, sigma, none + 1))
