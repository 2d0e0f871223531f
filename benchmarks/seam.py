"""How much a seam shows."""

from torch import Tensor

ROUNDING = 0.5 / 255
"""The step between two pixels that rounding to 8 bits makes of none."""


def seam_energy(image: Tensor, original: Tensor, weight: Tensor) -> float:
    r"""How much steeper the picture is than the original where it changes over,

    .. math:: E = \sum |\nabla w|\,|\nabla z| \,/ \sum |\nabla w|\,|\nabla x|

    with differences of neighbouring pixels, rows and columns taken together. For a hard mask that is the mean step
    across its edge over the same mean in the original. 1 is seamless, above it a seam shows, below it a blur. Both
    sums count as half a level of 255 a step at least, what rounding to 8 bits leaves: a flat original has no slope.

    Arguments:
        image, original: z and x, (B, C, H, W).
        weight: w, (B, 1, H, W).

    Returns:
        A number >= 0; 1 if the weight is constant, so that there is no seam.
    """
    steps = [weight.diff(dim=axis).abs() for axis in (-1, -2)]
    found, wanted = (
        sum(float((step * x.diff(dim=axis).abs()).sum()) for step, axis in zip(steps, (-1, -2), strict=True))
        for x in (image, original)
    )
    least = ROUNDING * image.shape[1] * sum(float(step.sum()) for step in steps)
    return max(found, least) / max(wanted, least) if least else 1.0
