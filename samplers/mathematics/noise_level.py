"""How much signal and how much noise a diffusion state holds, for every model family alike.

What a family needs of its own is found by asking its `model_sampling`, never by its class.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class NoiseLevel:
    r"""The marginal of the forward process at one time,

    .. math:: x_t = a_t x_0 + b_t \epsilon, \qquad \epsilon \sim N(0, I)

    Variance exploding models (eps, v, x0, EDM in the host's scaling) have :math:`a = 1, b = \sigma`, rectified
    flow has :math:`a = 1 - \sigma, b = \sigma`. Two levels also give the transition between them,

    .. math:: x_t = A x_s + B \epsilon, \qquad A = a_t / a_s, \quad B^2 = b_t^2 - A^2 b_s^2

    References:
        Variational Diffusion Models (Kingma et al., 2021), section 3 and appendix A; https://arxiv.org/abs/2107.00630

    Arguments:
        a: signal coefficient, a float or a 0-dim tensor.
        b: noise coefficient, a float or a 0-dim tensor.
    """

    a: float | Tensor
    b: float | Tensor

    @property
    def ratio(self) -> float:
        """b/a, the noise against the signal; infinite where there is no signal. Of float coefficients."""
        return float(self.b) / float(self.a) if self.a > 0 else float("inf")

    def fall(self, to: "NoiseLevel") -> float:
        """b/a of the next level over that of this one; 0 from pure noise."""
        return to.ratio / self.ratio if self.ratio < float("inf") else 0.0

    @property
    def signal_to_noise(self) -> Tensor:
        """a/b, 1/sigma of a model with a = 1; 0-dim."""
        return torch.as_tensor(self.a / self.b)

    def add_noise(self, x_0: Tensor, noise: Tensor) -> Tensor:
        r""":math:`x_t = a x_0 + b \epsilon`; all shapes equal."""
        return self.a * x_0 + self.b * noise

    def noise_in(self, x_t: Tensor, x_0: Tensor) -> Tensor:
        r""":math:`\epsilon = (x_t - a x_0) / b`; all shapes equal, :math:`b > 0`."""
        return (x_t - self.a * x_0) / self.b

    def transition(self, to: "NoiseLevel") -> tuple[float, float]:
        """The coefficients (A, B) of the forward transition from this level up to the noisier one `to`.

        Raises:
            ValueError: if no such transition exists, because `to` is the cleaner of the two.
        """
        if not self.a > 0 and not to.a > 0:  # pure noise stays what it is
            return float(to.b) / float(self.b), 0.0
        scale = float(to.a) / float(self.a) if self.a > 0 else float("inf")
        variance = float(to.b) ** 2 - (scale * float(self.b)) ** 2
        # float32 coefficients of equal levels differ by rounding: an error of that size is no wrong direction
        if variance < -1e-6 * max(float(to.b) ** 2, 1e-12):
            raise ValueError(f"no forward transition from (a={self.a}, b={self.b}) to (a={to.a}, b={to.b})")
        return scale, max(variance, 0.0) ** 0.5

    def diffuse(self, x_s: Tensor, to: "NoiseLevel", noise: Tensor) -> Tensor:
        r"""Forward to a noisier level, :math:`x_t = A x_s + B \epsilon`; all shapes equal."""
        scale, spread = self.transition(to)
        return scale * x_s + spread * noise


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
    sigmas = sigmas.float().cpu()
    none, all_of_it = torch.zeros_like(sigmas), torch.ones_like(sigmas)
    signal = model_sampling.noise_scaling(sigmas, none, all_of_it).tolist()
    noise = model_sampling.noise_scaling(sigmas, all_of_it, none).tolist()
    levels = [NoiseLevel(a, b) for a, b in zip(signal, noise, strict=True)]
    for sigma, level in zip(sigmas.tolist(), levels, strict=True):
        if sigma > 0 and not level.b > 0:
            found = type(model_sampling).__name__
            raise ValueError(f"input model: found {found}, which adds no noise to its latent, wanted a diffusion model")
        if level.a < 0:
            found, most = f"{sigma:.4g}, above this model's maximum", f"{float(model_sampling.sigma_max):.4g}"
            raise ValueError(
                f"input sigmas: found {found}, wanted at most {most}; use a scheduler node connected to this model"
            )
    return levels


def window_sigmas(model_sampling, start_percent: float, end_percent: float) -> tuple[float, float]:
    """The lowest and the highest sigma of a window in percent of sampling, the host's way of naming a noise level."""
    return float(model_sampling.percent_to_sigma(end_percent)), float(model_sampling.percent_to_sigma(start_percent))


def full_noise(model_sampling) -> float:
    """a/b below which a state counts as pure noise.

    Half again as much signal as at the model's maximum counts too, since not every scheduler begins there.
    """
    (noisiest,) = noise_levels(model_sampling, torch.as_tensor(model_sampling.sigma_max).reshape(1))
    return max(0.05, 1.5 * float(noisiest.a) / float(noisiest.b))
