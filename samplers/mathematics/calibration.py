"""Does the model predict the mean? Asked of its prediction of the known part, where the truth is known."""

import torch
from torch import Tensor

LOWEST, HIGHEST = 1.0, 7.0  # of b/a; at more noise, y and what the model sees have little in common
DOUBT = 0.25  # of rho, between an exact denoiser's 0 and the 1/2 of a model that returns samples
LARGEST = 1.5  # of |D|^2 / |y|^2: no two samples of one distribution of pictures differ so much
LIKENESS = 0.25  # of the correlation of D and y: a network that does not know y says nothing about pictures like it


def moments(denoised: Tensor, y: Tensor, known: Tensor) -> Tensor:
    r"""What is told of a prediction D of y, for each picture, (B, 3):

    .. math:: |\nabla D|^2, \quad \langle \nabla D, \nabla y \rangle, \quad |\nabla y|^2

    Differences of neighbours, since whatever is large would outweigh all else.

    Arguments:
        denoised: D, (B, C, ...).
        y: what is true, of the same shape.
        known: where that is known, boolean, broadcasts to it.
    """
    told = torch.zeros(len(y), 3, device=y.device)
    for axis in range(2, y.ndim):
        length = y.shape[axis] - 1
        known_pairs = known.narrow(axis, 0, length) & known.narrow(axis, 1, length)
        said, true = (values.float().diff(dim=axis) * known_pairs for values in (denoised, y))
        told = told + torch.stack([(said * said), (said * true), (true * true)], 1).flatten(2).sum(2)
    return told


def looks_distilled(told: Tensor) -> Tensor:
    r"""Which pictures' models predict no mean, (B,), from the sum of their `moments`.

    .. math:: \rho = -\frac{\langle D, y - D \rangle}{|y - D|^2}

    The error of a conditional mean is uncorrelated with it, so :math:`\rho` is 0 for an exact denoiser. A model that
    was distilled in steps returns a sample of the distribution that y has. Then y - D has twice the variance that x
    leaves open, and :math:`\rho` is 1/2. Guidance inside of the network raises it too. It holds for fresh noise in the
    known part.

    References:
        Fundamentals of statistical signal processing: estimation theory (Kay, 1993), section 12.4, the orthogonality

    Arguments:
        told: (B, 3).
    """
    said, both, true = told.clamp(min=1e-12).unbind(1)
    overconfident = (said - both) > DOUBT * (said + true - 2 * both)
    return overconfident & (said < LARGEST * true) & (both > LIKENESS * (said * true).sqrt())
