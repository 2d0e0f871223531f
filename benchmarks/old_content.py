"""What `denoise` below 1 and soft masks leave of the old content, on the embedded model, method beside method.

    python benchmarks old_content

Change: mean difference between the old and the new picture under a hard mask, of 255. Likeness: correlation between old
and new latent in the cells of a soft mask. 20 steps at cfg 4, two evaluations a step for RePaint and Match.
"""

from __future__ import annotations

import itertools
from typing import Any

import torch
from torch import Tensor

from latent_repaint.samplers.methods import Blend, Match, RePaintBudget

from .held_out import HeldOut
from .quality.masks import box
from .report import RESULTS, Table, write

METHODS: dict[str, Any] = {
    "host": None,
    "blend": Blend(),
    "repaint": RePaintBudget(evaluations_per_step=2.0),
    "match": Match(inner_steps=1.0),
}
SOLVERS = ("euler", "euler_ancestral")
DENOISE = (0.1, 0.2, 0.3, 0.5, 0.8, 1.0)
VALUES = (0.1, 0.3, 0.5, 0.7, 0.9)
SCENES, STEPS, CFG, SEED = 16, 20, 4.0, 7


class Scenes(HeldOut):
    """Held-out scenes with the middle masked."""

    def __init__(self) -> None:
        super().__init__(SCENES)
        self.cells = box(*self.latent.shape[2:]).expand(SCENES, 1, -1, -1)

    def sample(self, method: str, solver: str, denoise: float, value: float = 1.0) -> Tensor:
        """The latents, with a mask of `value` in the middle; the host honours it by DifferentialDiffusion."""
        model = self.model
        if METHODS[method] is None and value < 1:
            from comfy_extras.nodes_differential_diffusion import DifferentialDiffusion

            model = DifferentialDiffusion.execute(model)[0]
        mask = value * self.cells.float()
        return self.inpaint(model, METHODS[method], solver, cfg=CFG, steps=STEPS, denoise=denoise, mask=mask, seed=SEED)

    def change(self, samples: Tensor) -> float:
        pixels = self.cells[:, 0].repeat_interleave(8, 1).repeat_interleave(8, 2)
        return float(255 * (self.vae.decode(samples) - self.picture)[pixels].abs().mean())

    def likeness(self, samples: Tensor) -> float:
        where = self.cells.expand_as(samples)
        return float(torch.stack([samples[where], self.latent[where]]).corrcoef()[0, 1])


@torch.inference_mode()
def main() -> None:
    torch.set_num_threads(1)
    scenes = Scenes()
    change, likeness = [], []
    for solver, method in itertools.product(SOLVERS, METHODS):
        changes = [scenes.change(scenes.sample(method, solver, denoise)) for denoise in DENOISE]
        likenesses = [scenes.likeness(scenes.sample(method, solver, 1.0, value)) for value in VALUES]
        change.append([solver, method, *(round(x, 2) for x in changes)])
        likeness.append([solver, method, *(round(x, 3) for x in likenesses)])
    tables = [
        Table("Change of the old content by denoise, of 255", ["solver", "method", *map(str, DENOISE)], change),
        Table("Likeness to the old content by the mask's value", ["solver", "method", *map(str, VALUES)], likeness),
    ]
    text = "\n".join([*(table.text for table in tables), str(__doc__)])
    print(text)
    write(RESULTS / "old_content.md", text)
