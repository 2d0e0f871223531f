"""The one sampling loop of all methods: a walk over the noise levels, each descent left to the host's solver."""

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor

from .moves import Descend, Jump, Move
from .noise_level import NoiseLevel


class Region(Protocol):
    """What the loop walks with: a k-diffusion denoiser that can also jump and refine."""

    def __call__(self, x: Tensor, sigma: Tensor, denoise_mask=None, model_options=None, seed=None) -> Tensor: ...

    def expect_jump(self, sigma: Tensor) -> None: ...

    def jump(self, x: Tensor, start: NoiseLevel, stop: NoiseLevel) -> Tensor: ...

    def refine(
        self, x: Tensor, sigma: Tensor, here: NoiseLevel, after: NoiseLevel, denoise_mask=None, model_options=None,
        seed=None,
    ) -> Tensor: ...  # fmt: skip


Solver = Callable[[Region, Tensor, Tensor, dict, int], Tensor]


@torch.no_grad()
def sample_moves(
    region: Region,
    x: Tensor,
    sigmas: Tensor,
    extra_args: dict,
    *,
    moves: Sequence[Move],
    levels: Sequence[NoiseLevel],
    solve: Solver,
) -> Tensor:
    """Walk `moves` from `sigmas[0]` to `sigmas[-1]`.

    Arguments:
        region: the denoiser, (x, sigma (B,), **extra_args) -> denoised; see `Region`.
        x: the state at sigmas[0], (B, C, ...).
        sigmas: (steps + 1,), falling.
        extra_args: keywords for the denoiser.
        moves: the walk (`moves`).
        levels: the NoiseLevel of every sigma, with float coefficients.
        solve: (region, x, sigmas of one descent, extra_args, number of the descent) -> x at the last of them.

    Returns:
        The state at sigmas[-1], (B, C, ...).
    """
    descent = 0
    for move, after in zip(moves, [*moves[1:], None], strict=True):
        if isinstance(move, Descend):
            if isinstance(after, Jump):
                region.expect_jump(sigmas[after.stop])
            # a solver may write into its sigmas and its arguments (uni_pc, CFG++)
            x = solve(region, x, sigmas[move.start : move.stop + 1].clone(), dict(extra_args), descent)
            descent += 1
        elif isinstance(move, Jump):
            x = region.jump(x, levels[move.start], levels[move.stop])
        else:
            sigma = sigmas[move.level] * x.new_ones(x.shape[0])
            for _ in range(move.evaluations):
                x = region.refine(x, sigma, levels[move.level], levels[move.level + 1], **extra_args)
    return x
