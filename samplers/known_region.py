"""The base of all methods: a denoiser that sees the known part of a latent while any solver denoises the rest."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from .kriging import Kriging, plausible
from .moves import Move
from .noise_level import NoiseLevel

KNOWN_NOISE = ("fixed", "fresh", "predicted")


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


class Conditional(NamedTuple):
    """What the model predicts for the positive prompt.

    Arguments:
        denoised: of the shape of x.
        asked: where a positive prompt covers a cell, boolean, of the same shape; None where one covers them all. The
            host leaves 0 elsewhere, which is no prediction.
    """

    denoised: Tensor
    asked: Tensor | None


class Guidance(Protocol):
    """What a method asks of the host's guider (`guider.Guided`)."""

    asking: bool

    def predict(
        self,
        x: Tensor,
        sigma: Tensor,
        model_options: dict,
        seed: int | None,
        placed: Callable[[Tensor, Conditional | None], Tensor],
    ) -> tuple[Tensor, Conditional | None]: ...

    def predict_conditional(
        self, x: Tensor, sigma: Tensor, model_options: dict, seed: int | None
    ) -> tuple[Tensor, Conditional | None]: ...

    def report(self, denoised: Tensor, x: Tensor) -> None: ...

    def leave_out(self) -> None: ...


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

      .. math:: e \leftarrow \Pi\left(e + \frac{a}{b}\,(y - D_k)\right) = \Pi\left(\frac{x_k - a D_k}{b}\right)

      where :math:`\Pi` keeps it noise that could be (`plausible`). D changes by J times what x does. Each correction
      multiplies the error by 1 - J, which diverges for J > 2: where the model wavers between two pictures, or was
      distilled with guidance in it. There the noise would grow until it explains anything, and the model would
      believe a picture that y contradicts. Noise that no Fourier mode of which is loud cannot. D is the conditional
      prediction alone, since guidance multiplies J.

    It is called as a k-diffusion model, `region(x, sigma, **extra_args) -> denoised`.

    References:
        RePaint (Lugmayr et al., 2022), section 4.1; https://arxiv.org/abs/2201.09865
        Blended Latent Diffusion (Avrahami et al., 2022), section 3.2; https://arxiv.org/abs/2206.02779
        DDNM (Wang et al., 2022), section 3.3; https://arxiv.org/abs/2212.00490

    With predicted noise, what is left of the residual goes on beyond the edge of the known part,

    .. math:: D_u \leftarrow D_u + W_{uk} W_{kk}^{-1}\,(y - D_k)

    with W the denoiser of a stationary field that has y's spectrum (`kriging`): what D_u would become once e is right,
    for the price of a few Fourier transforms. Where e is right nothing is left, so an untrue W does no harm there.

    Where no positive prompt covers a cell, the model was not asked: nothing is learnt there.

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

    loudest: float | Tensor = 1.0  # mode of a predicted e, in deviations of white noise

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
        self.kriging: Kriging | None = None
        self.blank: Tensor | None = None  # cells that became free at full noise; None: all that are free
        self.note = ""  # what the person should know of the run
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

        def placed(prediction: Tensor, conditional: Conditional | None) -> Tensor:
            if learning and conditional is not None:
                prediction = self.moved(prediction, prediction + self.extension(sigma, conditional, free))
            return torch.where(free, prediction, self.y)

        denoised, conditional = self.guided.predict(
            self.blend(x, sigma, free), sigma, model_options or {}, seed, placed
        )
        if learning and conditional is not None:
            extension = self.extension(sigma, conditional, free)
            self.learn(sigma, conditional, free)
            denoised = self.moved(denoised, denoised + extension)
            conditional = conditional._replace(denoised=conditional.denoised + extension)
        denoised = torch.where(free, self.for_solver(denoised, conditional), self.y)
        self.guided.report(denoised, x)
        return denoised

    def extension(self, sigma: Tensor, conditional: Conditional, free: Tensor) -> Tensor:
        """What the residual of the conditional prediction adds to one where it is free; 0 outside the window."""
        if self.kriging is None:
            self.kriging = Kriging(self.y, ~free)
        heard, signal = self.heard(conditional, free), signal_to_noise(self.at_level.level(sigma))
        extension = self.kriging.extended(self.residual(conditional), heard, signal)
        extended = self.at_level.in_window(sigma)
        if conditional.asked is not None:
            extended = extended & conditional.asked
        return torch.where(extended, extension, 0.0).to(conditional.denoised.dtype)

    def residual(self, conditional: Conditional) -> Tensor:
        """y - D, (B, C, ...), float32."""
        return self.y.float() - conditional.denoised.float()

    def heard(self, conditional: Conditional, free: Tensor) -> Tensor:
        """The known cells that a prompt covers."""
        return ~free if conditional.asked is None else ~free & conditional.asked

    def learn(self, sigma: Tensor, conditional: Conditional, free: Tensor) -> None:
        """The new e of the known cells, in float32."""
        signal, heard = signal_to_noise(self.at_level.level(sigma)), self.heard(conditional, free)
        noise = plausible(self.noise + signal * self.residual(conditional), heard, self.loudest)
        self.noise = torch.where(heard & self.at_level.in_window(sigma), noise, self.noise)

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

    def for_solver(self, denoised: Tensor, conditional: Conditional | None) -> Tensor:
        """What the solver gets, of the guided and the conditional prediction."""
        return denoised

    def refine(
        self, x: Tensor, sigma: Tensor, here: NoiseLevel, after: NoiseLevel, denoise_mask=None, model_options=None,
        seed=None,
    ) -> Tensor:  # fmt: skip
        """One evaluation more at this level; x stays at its level. Only Match walks with these.

        Arguments:
            here, after: this level and the next of the schedule, with float coefficients.
        """
        raise NotImplementedError


def signal_to_noise(level: NoiseLevel) -> Tensor:
    """a/b, 1/sigma of a model with a = 1; 0-dim."""
    return torch.as_tensor(level.a / level.b)


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
