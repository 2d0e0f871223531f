"""Few steps of a trained model, and of the same distilled: seams, the worst of them, and the model's own loss.

    python benchmarks trained_few_steps

64 held-out scenes of the demo model, four masks in turn, schedule `normal`. Seam and loss are ratios to the untouched
scene: 1 is real. Each with its standard error. The undistilled model judges the loss of both. Steps behind a method
are followed by evaluations a step; the host and Blend have one.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from comfyui_host import in_process
from demo_model.distil import DISTILLED
from latent_repaint.samplers.methods import Blend, Match, RePaintBudget

from .held_out import HeldOut
from .quality.masks import MASKS
from .quality.measures import denoising_loss
from .report import RESULTS, Table, write
from .seam import seam_energy

SCENES, SEEDS, CELL = 64, (7, 8), 8
METHODS: dict[str, Any] = {
    "host": None,
    "blend": Blend(),
    "repaint x 2": RePaintBudget(evaluations_per_step=2.0),
    "match x 2": Match(inner_steps=1.0),
}


class Setting(NamedTuple):
    distilled: bool
    solver: str
    cfg: float
    evaluations: int


SETTINGS = [
    *(Setting(False, "euler", cfg, evaluations) for cfg in (1.0, 4.0) for evaluations in (20, 40)),
    *(Setting(True, solver, 1.0, evaluations) for solver in ("lcm", "euler") for evaluations in (4, 8)),
]


class Scenes(HeldOut):
    """The held-out scenes, their masks, and both models."""

    def __init__(self) -> None:
        super().__init__(SCENES)
        comfy = in_process.start().comfy
        lora = comfy.utils.load_torch_file(str(DISTILLED), safe_load=True)
        self.distilled, _ = comfy.sd.load_lora_for_models(self.model, None, lora, 1.0, 0.0)
        masks = [mask(*self.latent.shape[2:]) for mask in MASKS.values()]
        self.unknown = torch.stack([masks[i % len(masks)] for i in range(SCENES)])
        self.pixels = self.unknown.repeat_interleave(CELL, 1).repeat_interleave(CELL, 2).float()
        self.loss = denoising_loss(self.model, self.latent, self.positive, self.unknown[None])[0]

    def measured(self, setting: Setting, method: str, seed: int) -> tuple[Tensor, Tensor]:
        """Seam and loss of each scene, (SCENES,)."""
        model = self.distilled if setting.distilled else self.model
        steps = setting.evaluations // (2 if "x 2" in method else 1)
        samples = self.inpaint(
            model, METHODS[method], setting.solver, cfg=setting.cfg, steps=steps, denoise=1.0,
            mask=self.unknown[:, None].float(), seed=seed,
        )  # fmt: skip
        painted, original = (pictures.movedim(-1, 1) for pictures in (self.vae.decode(samples), self.picture))
        triples = zip(painted.split(1), original.split(1), self.pixels[:, None].split(1), strict=True)
        seams = [seam_energy(*triple) for triple in triples]
        loss = denoising_loss(self.model, samples, self.positive, self.unknown[None])[0] / self.loss
        return torch.tensor(seams), loss.mean(1)


@torch.inference_mode()
def main() -> None:
    torch.set_num_threads(1)
    scenes, rows = Scenes(), []
    for setting in SETTINGS:
        for method in METHODS:
            seams, losses = zip(*(scenes.measured(setting, method, seed) for seed in SEEDS), strict=True)
            row = {
                "model": "distilled" if setting.distilled else "demo",
                "sampler": f"{setting.solver}, cfg {setting.cfg:g}",
                "evaluations": setting.evaluations,
                "method": method,
                "seam": mean(torch.cat(seams)),
                f"worst of {SCENES}, seed by seed": ", ".join(f"{seam.max():.2f}" for seam in seams),
                "own loss": mean(torch.cat(losses)),
            }
            rows.append(row)
            print(*row.values())
    text = f"{Table.of('Few steps of a trained model', rows).text}\n\n{__doc__}"
    write(RESULTS / "trained_few_steps.md", text)


def mean(values: Tensor) -> str:
    return f"{values.mean():.3f} ± {values.std() / len(values) ** 0.5:.3f}"
