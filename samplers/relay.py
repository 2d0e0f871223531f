"""Hands the clean latent of a first stage on to its second stage.

A stage whose sigmas end above 0 returns a known part that is noisy, as it must be, and the host passes nothing else
to the next stage's sampler: whoever takes that for the picture keeps the noise for ever. So a first stage leaves its
clean latent here, filed under what it returned, and a second stage finds it by what it was given.
"""

from collections import deque
from typing import NamedTuple

import torch
from torch import Tensor


class Handover(NamedTuple):
    """sigma: where the stage ended. returned: what it gave back. clean: the latent it started from. On the CPU."""

    sigma: float
    returned: Tensor
    clean: Tensor


class Relay:
    """The last few handovers; older ones are forgotten.

    Arguments:
        capacity: how many first stages are remembered. A graph has one or two; a batch of queued graphs runs in order.
    """

    def __init__(self, capacity: int = 8):
        self.handovers: deque[Handover] = deque(maxlen=capacity)

    def leave(self, sigma: float, returned: Tensor, clean: Tensor) -> None:
        self.handovers.append(Handover(sigma, returned.float().cpu(), clean.float().cpu()))

    def find(self, sigma: float, latent_image: Tensor, known: Tensor) -> Tensor | None:
        """The clean latent behind `latent_image`, if that is, on its known part, what a first stage returned.

        Arguments:
            sigma: where this stage starts.
            latent_image: (B, C, ...), on any device. Scaling to the user's latent and back costs it some rounding.
            known: boolean, broadcasts to latent_image; the cells to compare.

        Returns:
            (B, C, ...) on the device of latent_image, or None.
        """
        given, cells = latent_image.float().cpu(), known.cpu().expand(latent_image.shape)
        for handover in reversed(self.handovers):
            if handover.returned.shape != given.shape or abs(handover.sigma - sigma) > 1e-4 * max(sigma, 1e-4):
                continue
            if torch.allclose(handover.returned[cells], given[cells], rtol=1e-3, atol=1e-3):
                return handover.clean.to(latent_image.device)
        return None
