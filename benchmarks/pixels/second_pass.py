"""What a second pass gains: the finished picture encoded again, a short run at little noise, put back once more."""

from pathlib import Path
from unittest.mock import patch

import torch
from kornia.filters import gaussian_blur2d
from torch import Tensor
from torch.nn import functional

from demo_model.measure import held_out
from latent_repaint.nodes import composite, encode, ksampler

from ..quality.measures import denoising_loss
from ..report import Table
from ..seam import seam_energy
from . import host
from .pictures import demo, ellipse

SCENES, SEEDS, SIZE = 32, (0, 1), 128
STEPS, SHORT = 20, 5
EVALUATIONS = 2.0  # a step
VARIANTS = [(0.15, 1), (0.25, 1), (0.4, 1), (0.6, 1), (0.25, 2)]  # denoise and mask_expand_cells of the second pass


class Bench:
    """Scenes, prompts and masks, and what a finished picture is worth against its untouched scene."""

    def __init__(self) -> None:
        self.model, clip, self.vae = demo()
        self.scenes, captions = held_out(SCENES)
        prompt = host.nodes.CLIPTextEncode().encode
        self.context = torch.cat([prompt(clip, caption)[0][0][0] for caption in captions])
        self.positive, self.negative = [[self.context, {}]], prompt(clip, "")[0]
        self.masks = torch.cat([ellipse(k, SIZE, 16 + 4 * (k % 8)) for k in range(SCENES)])
        self.masks[::4] = 0
        self.masks[::4, :, 80:] = 1  # every fourth: the right side
        cells = functional.max_pool2d(self.masks[:, None], 8)
        self.hole = cells[:, 0] > 0
        self.rim = (functional.max_pool2d(cells, 3, 1, 1)[:, 0] > 0) & ~self.hole
        self.untouched = self.losses(self.scenes)

    def inpaint(self, picture: Tensor, fill: str, expand: int, steps: int, denoise: float, seed: int) -> tuple:
        """Encode, KSampler (Latent RePaint), decode and Composite; the picture and the blended mask."""
        with patch.object(encode.ui, "PreviewImage"):  # written for the page alone
            latent = encode.Encode.execute(picture, self.masks, self.vae, fill, "max", expand).args[0]
        sampled = ksampler.KSampler.execute(
            self.model,
            seed,
            steps,
            3.0,
            "euler",
            "normal",
            self.positive,
            self.negative,
            latent,
            denoise,
            "match",
            EVALUATIONS,
        ).args[0]
        decoded = self.vae.decode(sampled["samples"])
        return self.composited(decoded)

    def composited(self, decoded: Tensor) -> tuple:
        """Composite over the untouched scenes: the finished picture and the blended mask."""
        return composite.Composite.execute(self.scenes, decoded, self.masks, 0, 16, "multiband", 1.0).args[:2]

    def losses(self, pictures: Tensor) -> Tensor:
        """The model's denoising loss beside and under the mask, (2, SCENES)."""
        latent = self.vae.encode(pictures)
        losses = (denoising_loss(self.model, latent, self.positive, part) for part in (self.rim, self.hole))
        return torch.stack([loss.mean(1) for loss in losses])

    def figures(self, pictures: Tensor, blended: Tensor) -> Tensor:
        """Seam energy, colour step, loss beside and under the mask, each over the untouched scene's, (SCENES, 4)."""
        z, x, w = pictures.movedim(-1, 1), self.scenes.movedim(-1, 1), blended[:, None]
        colour = [gaussian_blur2d(image, (25, 25), (4.0, 4.0)) for image in (z, x)]
        energies = [
            [seam_energy(a[k : k + 1], b[k : k + 1], w[k : k + 1]) for k in range(SCENES)] for a, b in ((z, x), colour)
        ]
        return torch.cat([torch.tensor(energies), self.losses(pictures) / self.untouched]).T


def second_pass(_: Path) -> Table:
    bench = Bench()
    long = [bench.inpaint(bench.scenes, "diffuse", 1, STEPS + SHORT, 1.0, seed) for seed in SEEDS]
    first = [bench.inpaint(bench.scenes, "diffuse", 1, STEPS, 1.0, seed) for seed in SEEDS]
    runs = {(f"one pass of {STEPS + SHORT} steps", STEPS + SHORT): long, (f"one pass of {STEPS} steps", STEPS): first}
    runs[f"{STEPS} steps, encoded and decoded again", STEPS] = [
        bench.composited(bench.vae.decode(bench.vae.encode(picture))) for picture, _blended in first
    ]
    for denoise, expand in VARIANTS:
        name = f"{STEPS} steps, then {SHORT} at denoise {denoise:g}" + (f", {expand} cells" if expand > 1 else "")
        runs[name, STEPS + SHORT] = [
            bench.inpaint(picture, "original", expand, SHORT, denoise, seed + 1000)
            for seed, (picture, _blended) in zip(SEEDS, first, strict=True)
        ]
    found = {run: torch.cat([bench.figures(*result) for result in made]) for run, made in runs.items()}
    reference = next(iter(found.values()))
    rows = []
    for (name, steps), figures in found.items():
        gain = figures - reference
        columns = torch.stack([figures.mean(0), gain.mean(0), gain.std(0) / len(gain) ** 0.5]).T.tolist()
        texts = [f"{mean:.3f} ({change:+.3f} ± {error:.3f})" for mean, change, error in columns]
        rows.append([name, f"{EVALUATIONS * steps:g}", *texts])
    return Table(
        "A second pass: composite, encode again, a short run at little noise, decode, composite",
        ["run", "evaluations", "seam energy", "colour step", "loss beside the mask", "loss under the mask"],
        rows,
        f"The embedded model, {SCENES} scenes never trained on, {len(SEEDS)} seeds, masks of ellipses and the right "
        f"side; match with {EVALUATIONS:g} evaluations a step, euler, normal, CFG 3; the second pass encodes with fill "
        "`original`. All figures are of the finished picture, over those of the untouched scene, so that 1 is what "
        "real pictures have; in brackets the difference from the first row, scene by scene, ± its standard error. The "
        "third row has no second sampling: it is what another trip through the VAE does by itself. "
        "Colour step: seam energy after a Gaussian blur of 4 pixels. Loss: the model's own denoising loss, beside the "
        "mask in the ring of one cell, and under it; below 1 is smoother than real. The demo's encoder sees "
        "nothing beyond its cell, so what a second pass may gain by encoding without leaks (see leak.md) is not in "
        "this table.",
    )
