"""Fields in Fourier space: kriging, and noise that could be noise."""

import torch
from torch import Tensor

REACH = 0.8  # deviation of the correlation's window, in roots of the side: at longer distances too few pairs are seen
STEPS = 3  # of conjugate gradients: enough for the large components
TINY = 1e-30
HIDDEN = 50.0  # h of `plausible`


class Kriging:
    r"""A stationary Gaussian field with the spectrum :math:`\lambda` of y, as a stand-in for the model.

    Its denoiser is :math:`D = W x, W = F^{-1} \frac{\lambda}{\lambda + \sigma^2} F` (units of a = 1), F the Fourier
    transform. Where D falls short of y on the known part by r, the known part's noise should change such that D = y
    there, and elsewhere D would change with it by

    .. math:: W_{uk} W_{kk}^{-1}\,r

    whose inverse is taken by a few steps of conjugate gradients. The spectrum is that of the known cells, their
    correlation faded out with a Gaussian of the deviation :math:`0.8 \sqrt{n}` cells along a side of n, and one white
    cell of unit variance.

    References:
        A statistical approach to some basic mine valuation problems on the Witwatersrand (Krige, 1951)
        Methods of conjugate gradients for solving linear systems (Hestenes and Stiefel, 1952), section 3
        The measurement of power spectra (Blackman and Tukey, 1958), section B.4, for the spectrum

    Arguments:
        y: the clean latent, (B, C, ...); of its unknown cells nothing is used.
        known: where it is known, boolean, broadcasts to y.
    """

    def __init__(self, y: Tensor, known: Tensor):
        self.device = y.device if has_fourier(y.device) else torch.device("cpu")
        y, known = y.to(self.device), known.to(self.device)
        self.sides, self.axes = y.shape[2:], tuple(range(2, y.ndim))
        seen = y.float() * known
        count = known.expand(y.shape).sum(self.axes, keepdim=True)
        correlation = self.back(self.forth(seen).abs().square())
        for axis, side in zip(self.axes, self.sides, strict=True):
            lag = torch.arange(side, device=y.device)
            lag = torch.minimum(lag, side - lag) / max(1.0, REACH * side**0.5)
            correlation = correlation * torch.exp(-0.5 * lag**2).view(-1, *[1] * (y.ndim - 1 - axis))
        spectrum = (self.forth(correlation).real.clamp(min=0.0) + 1) / (count + 1)
        self.spectrum = spectrum.clamp(max=6e4).half()  # kept through a whole run: half as much memory

    def forth(self, field: Tensor) -> Tensor:
        return torch.fft.rfftn(field, dim=self.axes)

    def back(self, modes: Tensor) -> Tensor:
        return torch.fft.irfftn(modes, s=self.sides, dim=self.axes)

    def extended(self, residual: Tensor, known: Tensor, signal: Tensor) -> Tensor:
        """The change of D on the unknown part if D rises by `residual` on the known part; 0 on the known part.

        Arguments:
            residual: r, (B, C, ...), float32.
            known: boolean, broadcasts to it.
            signal: a/b of the level, 0-dim, 0 included.
        """
        device, known = residual.device, known.to(self.device, residual.dtype)
        residual, signal = residual.to(self.device), signal.to(self.device)
        spectrum = self.spectrum.float()
        kept = spectrum / (1 + spectrum * signal**2)  # W up to a constant factor, which cancels
        left = direction = residual * known
        extended = torch.zeros_like(residual)
        size = self.product(left, left)
        for _ in range(STEPS):
            change = self.back(kept * self.forth(direction))
            step = size / self.product(direction, change).clamp(min=TINY)
            extended = torch.addcmul(extended, step, change)
            left = torch.addcmul(left, step, change * known, value=-1)
            before, size = size, self.product(left, left)
            direction = torch.addcmul(left, size / before.clamp(min=TINY), direction)
        return (extended * (1 - known)).to(device)

    def product(self, a: Tensor, b: Tensor) -> Tensor:
        return (a * b).sum(self.axes, keepdim=True)


def plausible(noise: Tensor, known: Tensor, bound: float | Tensor) -> Tensor:
    r"""The noise of the known cells with no Fourier mode larger than it may be, in deviations of white noise:

    .. math:: \hat e_f \leftarrow \hat e_f \min\left(1, \sqrt{c^2 n + h} \,/\, |\hat e_f|\right), \qquad
              \hat e = F (1 - m) e

    Noise of n modes explains away :math:`|\hat e|^2 / 2n` nats of what y says against x. Few cells say little, so of
    these :math:`h / 2` nats are allowed for, which n cells share.

    Arguments:
        noise: e, (B, C, ...), float32, on a device that has Fourier transforms (`Kriging.device`).
        known: 1 - m, its n cells, boolean, broadcasts to it.
        bound: c, a number or one for each picture.
    """
    axes = tuple(range(2, noise.ndim))
    count = known.expand(noise.shape).sum(axes, keepdim=True)
    modes = torch.fft.rfftn(noise * known, dim=axes)
    most = (torch.as_tensor(bound, device=noise.device) ** 2 * count + HIDDEN).sqrt()
    modes = modes * (most / modes.abs().clamp(min=TINY)).clamp(max=1.0)
    return torch.fft.irfftn(modes, s=noise.shape[2:], dim=axes)


def has_fourier(device: torch.device) -> bool:
    """Not where ComfyUI runs on DirectML, which knows no complex numbers."""
    try:
        torch.fft.rfft(torch.zeros(2, device=device))
    except RuntimeError:
        return False
    return True
