"""Six things people inpaint for, each as the stock nodes do it and as this pack does, with the demo's model.

    python demo gallery      draws docs/gallery.png

Both ask the model as often: KSampler with 40 steps, ours with 20 steps of two evaluations, otherwise the same seed,
solver, schedule and cfg. Stock is the graph of ComfyUI's own examples, with the result pasted back under the mask (VAE
Encode, Set Latent Noise Mask, KSampler, VAE Decode, Image Composite Masked); ours is that of the template
which the picture carries, without its Crop and Stitch: the scenes have the model's own size.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from comfyui_host import in_process, install

from . import examples
from .collage import carrying
from .examples import SIDE, Box, brushed, scene

MARGIN, LEFT = 6, 130
TILE = 192  # pixels a side in the gallery
SEED, CFG = 1, 4.0
TEMPLATE = "01-start-here-inpaint-fill"
CHAPEL_AT_DAWN, COTTAGE_BY_A_FENCE, CHAPEL_ON_A_FIELD, LAKE, HILLS = 366, 321, 432, 156, 81


@dataclass(frozen=True)
class Task:
    """A held-out scene, what of it is painted anew, and what shall be there.

    Attributes:
        scene: number of the scene; it was never trained on.
        painted: 255 in the pixels to paint anew.
        prompt: of the whole picture, or of its left half alone.
        right: the prompt of the right half, if it has its own.
        damage: 255 where the picture is white in place of what was there.
        cells, ramp: mask_expand_cells of Encode and mask_blend_pixels of Composite.
    """

    name: str
    scene: int
    painted: np.ndarray
    prompt: str
    right: str = ""
    damage: np.ndarray | None = None
    cells: int = 1
    ramp: int = 16

    def picture(self) -> torch.Tensor:
        """(1, H, W, 3) in [0, 1]."""
        picture = scene(self.scene)
        return as_image(picture if self.damage is None else np.maximum(picture, self.damage[..., None]))

    def mask(self) -> torch.Tensor:
        """(1, H, W), 1 where the picture is painted anew."""
        return as_image(self.painted)


def as_image(pixels: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(pixels / np.float32(255))[None]


def covered(*boxes: Box) -> np.ndarray:
    """(SIDE, SIDE), uint8: 255 in each of the boxes."""
    mask = np.zeros((SIDE, SIDE), np.uint8)
    for left, top, right, bottom in boxes:
        mask[int(top) : int(bottom), int(left) : int(right)] = 255
    return mask


def strips(width: int) -> np.ndarray:
    """Scratches from top to bottom, or the strokes of a brush over them; these are whole cells of the latent."""
    return covered(*((middle - width / 2, 0, middle + width / 2, SIDE) for middle in (32, 104, 168, 232)))


TASKS = (
    Task(
        "widen the view",
        CHAPEL_ON_A_FIELD,
        255 - covered((40, 64, 208, 216)),
        "day, yellow field, pine trees, white chapel",
    ),
    Task(
        "mend scratches",
        LAKE,
        strips(16),
        "day, sun, yellow field, snowy mountains, round trees, blue cottage, lake, boat",
        damage=strips(4),
        cells=0,
        ramp=4,
    ),
    Task(
        "another sky",
        COTTAGE_BY_A_FENCE,
        covered((0, 0, SIDE, 104)),
        "day, clouds, green hills, white cottage, fence",
    ),
    Task(
        "replace an object",
        CHAPEL_AT_DAWN,
        brushed([(65, 107, 129, 182)]),
        "dawn, green hills, clouds, snowy mountains, autumn trees, red house",
    ),
    Task(
        "two prompts",
        HILLS,
        brushed([(28, 124, 108, 204), (156, 108, 220, 204)]),
        "day, green hills, mountains, red house",
        "day, green hills, mountains, round trees",
    ),
    Task(
        "remove an object",
        examples.BOAT_AT_DAWN,
        brushed([examples.BOAT]),
        "dawn, yellow field, lake",
    ),
)


class Painter:
    """The two graphs, node by node, in the host, with one of its checkpoints."""

    def __init__(self, checkpoint: str) -> None:
        self.nodes = in_process.start().nodes
        self.model, self.clip, self.vae = self.nodes.CheckpointLoaderSimple().load_checkpoint(checkpoint)

    def prompts(self, task: Task) -> tuple[list, list]:
        """Positive and negative; prompts of halves as Conditioning (Set Mask) and Conditioning (Combine) make them."""
        encode, nodes = self.nodes.CLIPTextEncode().encode, self.nodes
        positive, negative = encode(self.clip, task.prompt)[0], encode(self.clip, "")[0]
        if task.right:
            left = as_image(covered((0, 0, SIDE / 2, SIDE)))
            halves = (positive, left), (encode(self.clip, task.right)[0], 1 - left)
            masked = [nodes.ConditioningSetMask().append(text, half, "default", 1.0)[0] for text, half in halves]
            positive = nodes.ConditioningCombine().combine(*masked)[0]
        return positive, negative

    def stock(self, task: Task) -> torch.Tensor:
        picture, mask = task.picture(), task.mask()
        latent = self.nodes.VAEEncode().encode(self.vae, picture)[0]
        latent = self.nodes.SetLatentNoiseMask().set_mask(latent, mask)[0]
        latent = self.nodes.KSampler().sample(
            self.model, SEED, 40, CFG, "euler_ancestral", "karras", *self.prompts(task), latent
        )[0]
        return torch.where(mask[..., None] > 0, self.nodes.VAEDecode().decode(self.vae, latent)[0], picture)

    def ours(self, task: Task) -> torch.Tensor:
        from latent_repaint.nodes.composite import Composite
        from latent_repaint.nodes.encode import Encode
        from latent_repaint.nodes.ksampler import KSampler

        picture, mask = task.picture(), task.mask()
        latent, _, painted = Encode.execute(picture, mask, self.vae, "diffuse", "max", task.cells).result
        settings = SEED, 20, CFG, "euler_ancestral", "karras", *self.prompts(task), latent, 1.0, "match", 2.0
        latent = KSampler.execute(self.model, *settings).result[0]
        made = self.nodes.VAEDecode().decode(self.vae, latent)[0]
        return Composite.execute(picture, made, painted, 0, task.ramp, "multiband", 1.0).result[0]


def tile(picture: torch.Tensor) -> Image.Image:
    pixels = (255 * picture[0].clamp(0, 1)).round().byte().numpy()
    return Image.fromarray(pixels).resize((TILE, TILE), Image.Resampling.BICUBIC)


def sheet(painter: Painter, tasks: Sequence[Task]) -> Image.Image:
    """A row for each task: before, mask, KSampler's, ours."""
    columns = ("before", "mask", "KSampler", "Latent RePaint")
    step = TILE + MARGIN
    sheet = Image.new("RGB", (LEFT + len(columns) * step, 26 + len(tasks) * step), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(15)
    for i, name in enumerate(columns):
        pen.text((LEFT + i * step, 4), name, "black", font)
    with torch.inference_mode():
        for row, task in enumerate(tasks):
            pen.text((8, 26 + row * step + step // 2), task.name, "black", font, anchor="lm")
            picture, mask = task.picture(), task.mask()[..., None]
            masked = picture + 0.5 * mask * (torch.tensor([0.9, 0.33, 0.24]) - picture)
            for column, shown in enumerate((picture, masked, painter.stock(task), painter.ours(task))):
                sheet.paste(tile(shown), (LEFT + column * step, 26 + row * step))
    return sheet


def main() -> None:
    painted = sheet(Painter(install.DEMO_MODEL.name), TASKS)
    painted.save(in_process.ROOT / "docs" / "gallery.png", optimize=True, pnginfo=carrying(TEMPLATE))
    print("docs/gallery.png")
