"""Does the report say that a picture was cut where a person sees it? Runs of the demo model, labelled by hand."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from demo_model.scenes import HELD_OUT, draw
from latent_repaint.nodes import encode, ksampler
from latent_repaint.pixels.composite import Blending, composite
from latent_repaint.pixels.report import CUT_OFF

from ..report import Table
from . import host
from .pictures import demo

FIRST, SCENES, BATCH, SIZE, SEED = 200, 40, 8, 128, 5
LABELS = Path(__file__).with_name("cut_labels.json")
TILE = 136


class Run(NamedTuple):
    """A scene, what the model made of it, the mask as drawn, and the mask as painted; each of one picture."""

    original: Tensor
    generated: Tensor
    mask: Tensor
    painted: Tensor


def cut(folder: Path) -> Table:
    labels = json.loads(LABELS.read_text())
    rows, shown = [], []
    for number, run in enumerate(runs()):
        for end, mask in (("mask", run.mask), ("painted_mask", run.painted)):
            label = labels.get(f"{number} {end}", "unclear")
            result = composite(run.original, run.generated, mask, Blending())
            verdict = "cut" if CUT_OFF in result.report else "whole"
            rows.append((end, label, verdict))
            shown.append((result.image, f"{number} {end}", label, verdict))
    sheet(shown).save(folder / "cut.jpg", quality=88, optimize=True)
    counted = [
        [end, label, *(str(sum(row == (end, label, verdict) for row in rows)) for verdict in ("cut", "whole"))]
        for end in ("mask", "painted_mask")
        for label in ("cut", "whole", "unclear")
    ]
    return Table(
        "Does the report say that the picture was cut where a person sees it?",
        ["Composite's mask", "the person says", "the report says cut", "it does not"],
        counted,
        f"{SCENES} scenes never trained on, one seed, masks across the horizon, Encode > KSampler (Latent RePaint) > "
        "VAE Decode > Composite at the defaults; each put back once with the mask as drawn, once with Encode's "
        "painted_mask. The labels were given by looking at these pictures before the report was asked; the measure and "
        "its thresholds were chosen earlier, on 96 pictures of other scenes. `unclear` is what one person could have "
        "called either. With painted_mask nothing painted is thrown away; what is cut there is something of the "
        "original that lay half under the mask, and that the model did not complete. The sheet "
        "`cut.jpg` shows all pictures; a red frame is labelled cut, a green one whole; a cross is the report's word.",
    )


@torch.inference_mode()
def runs() -> Iterator[Run]:
    model, clip, vae = demo()
    prompt = host.nodes.CLIPTextEncode().encode
    for start in range(FIRST, FIRST + SCENES, BATCH):
        numbers = range(start, start + BATCH)
        scenes = [draw(HELD_OUT + k) for k in numbers]
        original = (torch.from_numpy(np.stack([scene.image for scene in scenes])) * 255).round() / 255
        mask = torch.stack([across_the_horizon(k) for k in numbers])
        words = [
            scene.caption + (", red house" if k % 3 == 0 else "") for k, scene in zip(numbers, scenes, strict=True)
        ]
        positive = [[torch.cat([prompt(clip, text)[0][0][0] for text in words]), {}]]
        with patch.object(encode.ui, "PreviewImage"):  # written for the page alone
            latent, _, painted = encode.Encode.execute(original, mask, vae, "diffuse", "max", 1).args
        sampled = ksampler.KSampler.execute(
            model, SEED, 20, 4.0, "euler_ancestral", "karras", positive, prompt(clip, "")[0], latent, 1.0, "match", 2.0
        )
        generated = vae.decode(sampled.args[0]["samples"])
        for k in range(BATCH):
            yield Run(*(x[k : k + 1] for x in (original, generated, mask, painted)))


def across_the_horizon(number: int) -> Tensor:
    """An ellipse or a rectangle over the middle of the picture, (SIZE, SIZE)."""
    rng = np.random.default_rng(number)
    y, x = np.mgrid[:SIZE, :SIZE]
    if number % 2:
        v, u = rng.uniform(50, 84), rng.uniform(34, 94)
        a, b = rng.uniform(18, 34, 2)
        mask = ((y - v) / a) ** 2 + ((x - u) / b) ** 2 < 1
    else:
        width, height = rng.integers(30, 66, 2)
        left, top = rng.integers(4, SIZE - width - 4), rng.integers(34, min(66, SIZE - height - 2))
        mask = (x >= left) & (x < left + width) & (y >= top) & (y < top + height)
    return torch.from_numpy(mask.astype(np.float32))


def sheet(shown: list[tuple[Tensor, str, str, str]], columns: int = 10) -> Image.Image:
    page = Image.new("RGB", (columns * TILE, -(-len(shown) // columns) * TILE), "white")
    pen = ImageDraw.Draw(page)
    for n, (image, name, label, verdict) in enumerate(shown):
        left, top = n % columns * TILE, n // columns * TILE
        tile = Image.fromarray((image[0].clamp(0, 1) * 255).round().byte().numpy()).resize((TILE - 8, TILE - 8))
        frame = {"cut": "red", "whole": "green"}.get(label, "white")
        pen.rectangle((left + 1, top + 1, left + TILE - 2, top + TILE - 2), frame)
        page.paste(tile, (left + 4, top + 4))
        pen.text((left + 6, top + 5), name.replace("painted_mask", "p").replace("mask", ""), "red")
        if verdict == "cut":
            pen.line((left + TILE - 20, top + 8, left + TILE - 8, top + 20), "red", 3)
            pen.line((left + TILE - 20, top + 20, left + TILE - 8, top + 8), "red", 3)
    return page
