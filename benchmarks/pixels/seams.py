"""What Composite leaves of a seam."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from latent_repaint.pixels.composite import Blending, composite
from latent_repaint.pixels.region import distance_to_mask

from ..report import Table
from ..seam import seam_energy
from .pictures import demo, ellipse, scene, shifted

METHODS = {  # width of the ramp, blend, match_colour
    "paste": (0, "feather", 0.0),
    "feather 9": (9, "feather", 0.0),
    "feather 16": (16, "feather", 0.0),
    "multiband 16": (16, "multiband", 0.0),
    "paste + colour": (0, "feather", 1.0),
    "feather 9 + colour": (9, "feather", 1.0),
    "feather 16 + colour": (16, "feather", 1.0),
    "multiband 4 + colour": (4, "multiband", 1.0),
    "multiband 8 + colour": (8, "multiband", 1.0),
    "multiband 16 + colour": (16, "multiband", 1.0),
    "multiband 32 + colour": (32, "multiband", 1.0),
}
SHOWN = ("paste", "feather 9", "multiband 16 + colour")


def seams(results: Path) -> Table:
    vae, rows = demo()[2], []
    for decoder, decode in (("shift 8/255, contrast 0.95", shifted), ("demo VAE", lambda x: vae.decode(vae.encode(x)))):
        cases = [(scene(seed, 256), ellipse(seed, 256, 20 + 6 * seed)) for seed in range(8)]
        cases = [(original, decode(original), mask) for original, mask in cases]
        for name, options in METHODS.items():
            figures = np.array([_figures(*case, *options) for case in cases])
            energy = figures[:, 0]
            worst = energy[abs(energy - 1).argmax()]
            rows.append([decoder, name, energy.mean(), worst, figures[:, 1].mean(), figures[:, 2].mean()])
        if decode is shifted:
            shown = [composite(*cases[6], Blending(0, *METHODS[name])).image for name in SHOWN]
            strip = (torch.cat(shown, dim=2)[0] * 255).byte().numpy()
            Image.fromarray(strip).save(results / "seams.png", optimize=True)
    return Table(
        "Seams",
        ["decoded picture", "method", "seam energy", "of the worst scene", "across the worst contour", "error, of 255"],
        rows,
        "Means over eight scenes of 256x256, the mask an ellipse 25 to 150 pixels wide, the decoded picture the "
        "scene itself with the fault named. Seam energy: mean gradient where the mask's weight changes over the same "
        "in the original; 1 is seamless. Worst contour: the same across each contour from the mask's edge to the end "
        "of the ramp, the one farthest from 1. Error: under the mask, against the scene. "
        f"The picture shows, from the left: {', '.join(SHOWN)}.",
    )


def _figures(
    original: Tensor, generated: Tensor, mask: Tensor, width: int, blend: str, match: float
) -> tuple[float, float, float]:
    result = composite(original, generated, mask, Blending(0, width, blend, match))
    z, x = result.image.movedim(-1, 1), original.movedim(-1, 1)
    distance = distance_to_mask(mask)[:, None]
    contours = [seam_energy(z, x, (distance <= d).float()) for d in range(width + 1)]
    error = 255 * float((result.image - original).abs()[mask > 0].mean())
    return seam_energy(z, x, result.mask[:, None]), max(contours, key=lambda energy: abs(energy - 1)), error
