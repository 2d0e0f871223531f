"""What stands in the masked area while the picture is encoded.

An encoder sees hundreds of pixels around each latent cell, so whatever is masked also marks the cells that are kept.
A fill that continues the surroundings leaves them as they will be; see `docs/notebook.md`, Pixels.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from ..checks import FLOOR
from .region import HERE, Work, bounding_box, never

FILLS = ["diffuse", "original", "neutral", "noise"]


def fill_masked(image: Tensor, mask: Tensor, method: str, work: Work = HERE) -> Tensor:
    r"""The picture with its masked content replaced,

    .. math:: y = x + m\,(f(x) - x)

    where f is `diffuse`, the `membrane` over the masked pixels, `neutral`, mid-grey, or `noise`, Gaussian noise with
    the mean and spread of each channel's known pixels. A soft mask keeps that part of the content which the sampler
    will keep too. `original` is x itself.

    Arguments:
        image: (B, H, W, C) in 0..1; unmasked pixels come out bit for bit.
        mask: (B, H, W) in 0..1, 1 = replace.
        method: one of `FILLS`.
        work: where to compute, one picture and channel at a time; cancel is asked on each level of a membrane.
    """
    filled = image.clone()
    for k in range(len(image) if method != "original" else 0):
        _fill_one(filled[k : k + 1], mask[k : k + 1], method, work)
    return filled


def _fill_one(image: Tensor, mask: Tensor, method: str, work: Work) -> None:
    """Fills one picture (1, H, W, C) in place; nothing else in a batch has a say in it."""
    box = bounding_box(mask)
    if box is None:
        return
    work.stop_if_asked()
    # the membrane sees one pixel around the hole; a few more give its coarse levels something to stand on
    box = box.grown(16).within(*mask.shape[1:])
    m = box.of(mask).to(work.device or mask.device).unsqueeze(1)
    known = m <= FLOOR
    noise = box.of(_noise(image, mask)) if method == "noise" else None
    for channel in range(image.shape[-1]):
        part = box.of(image)[..., channel]
        x = part.to(m.device).unsqueeze(1)
        if method == "diffuse":
            content = membrane(x, known, stop_if_asked=work.stop_if_asked)
        elif noise is None:
            content = torch.full_like(x, 0.5)
        else:
            content = noise[..., channel].to(m.device).unsqueeze(1)
        part.copy_(torch.where(known, x, x.lerp(content, m))[:, 0])


def membrane(
    values: Tensor,
    known: Tensor,
    sweeps: int = 2,
    levels: int = 32,
    stop_if_asked: Callable[[], None] = never,
) -> Tensor:
    r"""The smoothest continuation of known values into the unknown, the solution of Laplace's equation

    .. math:: \Delta u = 0 \text{ where unknown}, \qquad u = v \text{ where known}

    with mirrored borders. Solved from coarse to fine: each level starts from the one of half its size and is relaxed
    by a few Jacobi sweeps, more of them on coarser levels, where they are cheap and reach far. What that leaves of the
    error is smooth.

    References:
        Bornemann and Deuflhard, The cascadic multigrid method for elliptic problems, 1996.

    Arguments:
        values: v, (B, C, H, W).
        known: (B, 1, H, W), bool.
        sweeps: on the finest level.
        levels: at most so many, so that what is known reaches about 2^levels pixels far.
        stop_if_asked: called on each level; raises if the user has cancelled.

    Returns:
        u, (B, C, H, W); `values` bit for bit where known, 0 where nothing known reaches.
    """
    channels, height, width = values.shape[1:]
    if levels == 0 or max(height, width) == 1 or known.all():
        return values * known
    weight = F.avg_pool2d(known.to(values), 2, ceil_mode=True)
    means = F.avg_pool2d(values * known, 2, ceil_mode=True) / weight.clamp(min=1e-6)
    coarse = membrane(means, weight > 0, min(2 * sweeps, 64), levels - 1, stop_if_asked)
    stop_if_asked()
    start = F.interpolate(coarse, scale_factor=2, mode="bilinear")[..., :height, :width]
    u = torch.where(known, values, start)
    if not sweeps:
        return u
    cross = u.new_tensor([[0, 1, 0], [1, 0, 1], [0, 1, 0]]).div(4).expand(channels, 1, 3, 3)
    for _ in range(sweeps):
        u = torch.where(known, values, F.conv2d(F.pad(u, (1, 1, 1, 1), mode="replicate"), cross, groups=channels))
    return u


def _noise(image: Tensor, mask: Tensor) -> Tensor:
    """Noise like the image, with each channel's known mean and spread; the same pattern for every picture."""
    known = (mask <= FLOOR).unsqueeze(-1)
    count = known.sum((1, 2), keepdim=True).clamp(min=1)
    mean = (image * known).sum((1, 2), keepdim=True) / count
    spread = ((image - mean).square() * known).sum((1, 2), keepdim=True).div(count).sqrt()
    noise = torch.randn(image.shape[1:], generator=torch.Generator().manual_seed(0)).to(image)
    return (mean + spread * noise).clamp(0, 1)
