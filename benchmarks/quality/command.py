"""Inpainting on the embedded model at equal passes, the conditional and the unconditional one counted.

    python benchmarks quality              scenes never trained on, four masks, CFG 1, 4, 7 and 12
    python benchmarks quality --quick      four scenes, few passes, nothing kept

Prints a table and keeps it with a contact sheet in benchmarks/results/.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from .bench import METHODS, SCHEDULER, SOLVER, Bench

BUDGETS = {1.0: (40, 100), 4.0: (40, 100), 7.0: (40, 100), 12.0: (40,)}  # passes for each CFG; at 12: is it finite?
SHOWN = (4.0, 40)
RESULTS = Path(__file__).resolve().parents[1] / "results"
INTRODUCTION = """# Inpainting on the embedded model at equal passes

Written by `python benchmarks quality`; the pictures at CFG {0:g} and {1} passes are in `quality.png`. {scenes} scenes
never trained on, masks half, box, strokes and outpaint in turn, {solver}, {scheduler}. Means ± standard error over the
scenes, each against its own untouched picture, so that 1 is what real pictures have. Seam: step across the mask's edge
after decoding. Loss: the model's own denoising loss on the regenerated cells; below 1 is smoother than real. Range: the
largest latent value over that of real pictures.

"""


def contact_sheet(rows: dict[str, Tensor], path: Path) -> None:
    """A row of pictures (n, H, W, 3) a name."""
    height, width = next(iter(rows.values())).shape[1:3]
    count, left = len(next(iter(rows.values()))), 150
    sheet = Image.new("RGB", (left + count * (width + 4), len(rows) * (height + 4)), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(15)
    for i, (name, pictures) in enumerate(rows.items()):
        draw.text((8, i * (height + 4) + height // 2), name, "black", font, anchor="lm")
        for j, picture in enumerate(pictures):
            tile = Image.fromarray((picture.clamp(0, 1).numpy() * 255).round().astype(np.uint8))
            sheet.paste(tile, (left + j * (width + 4), i * (height + 4)))
    sheet.save(path, optimize=True)


@torch.inference_mode()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--scenes", type=int, default=32)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    scenes, budgets = (4, {4.0: (20,)}) if options.quick else (options.scenes, BUDGETS)
    bench = Bench(scenes)
    shown = list(range(min(8, scenes)))
    masked = torch.where(bench.pixels[..., None], 0.5, bench.images)
    sheet = {"masked": masked[shown]}
    lines = ["| cfg | passes | method | used | seam | loss | range |", "|---|---|---|---|---|---|---|"]
    for cfg in budgets:
        for passes in budgets[cfg]:
            for method in METHODS:
                latent, used = bench.inpaint(method, passes, cfg)
                picture, seam, loss = bench.measure(latent)
                seam_error, loss_error = (value.std().item() / scenes**0.5 for value in (seam, loss))
                largest = latent.abs().max().item() / bench.latent.abs().max().item()
                lines.append(
                    f"| {cfg:g} | {passes} | {method} | {used} | {seam.mean():.3f} ± {seam_error:.3f} "
                    f"| {loss.mean():.3f} ± {loss_error:.3f} | {largest:.2f} |"
                )
                sys.stdout.write(lines[-1] + "\n")
                sys.stdout.flush()
                if (cfg, passes) == SHOWN:
                    sheet[method] = picture[shown]
                if not options.quick:  # after every line, so that a run that is stopped leaves what it has
                    introduction = INTRODUCTION.format(*SHOWN, scenes=scenes, solver=SOLVER, scheduler=SCHEDULER)
                    (RESULTS / "quality.md").write_text(introduction + "\n".join(lines) + "\n")
                    contact_sheet({**sheet, "original": bench.images[shown]}, RESULTS / "quality.png")
