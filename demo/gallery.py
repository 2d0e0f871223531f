"""Six things people inpaint for, each as the stock nodes do it and as this pack does, with the demo model.

    python demo gallery      draws docs/gallery.png

Both ask the model as often: KSampler with 40 steps, ours with 20 steps of two evaluations, otherwise the same seed,
solver, schedule and cfg. Stock is the graph of ComfyUI's own examples, with the result pasted back under the mask (VAE
Encode, Set Latent Noise Mask, KSampler, VAE Decode, Image Composite Masked); ours is that of the template
which the picture carries, without its Crop and Stitch: the scenes have the model's own size.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from PIL import Image, ImageDraw, ImageFont

from comfyui_host import in_process
from demo_model.scenes import HELD_OUT, draw

from .collage import carrying

MARGIN, LEFT = 6, 130
TILE = 192  # pixels a side in the gallery
SEED, CFG = 1, 4.0
TEMPLATE = "01-start-here-inpaint-fill"
Boxes = tuple[tuple[int, int, int, int], ...]


@dataclass(frozen=True)
class Task:
    """A held-out scene, what of it is painted anew, and what shall be there.

    Attributes:
        scene: number of the scene; it was never trained on.
        boxes: (left, top, right, bottom) of the masked rectangles, in pixels.
        kept: the boxes are what is kept, instead.
        cells, ramp: mask_expand_cells of Encode and mask_blend_pixels of Composite.
    """

    name: str
    scene: int
    boxes: Boxes
    prompt: str
    kept: bool = False
    cells: int = 1
    ramp: int = 16

    def picture(self) -> torch.Tensor:
        """(1, H, W, 3) in [0, 1]."""
        return torch.from_numpy(draw(HELD_OUT + self.scene).image)[None]

    def mask(self) -> torch.Tensor:
        """(1, H, W), 1 where the picture is painted anew."""
        mask = torch.zeros(self.picture().shape[:3])
        for left, top, right, bottom in self.boxes:
            mask[:, top:bottom, left:right] = 1
        return 1 - mask if self.kept else mask


TASKS = (
    Task("remove an object", 20, ((28, 55, 74, 96),), "day, sun, yellow field"),
    Task("replace an object", 56, ((64, 60, 112, 103),), "day, snow, sun, blue house"),
    Task("another sky", 20, ((0, 0, 128, 52),), "day, clouds, yellow field, white house"),
    Task("half a picture", 78, ((64, 0, 128, 128),), "sunset, snow, mountains, red house, sun"),
    Task("widen the view", 78, ((32, 32, 96, 116),), "sunset, snow, mountains, red house, sun", kept=True),
    Task(
        "mend scratches",
        10,
        tuple((i, 0, i + 5, 128) for i in (14, 50, 82, 114)),
        "sunset, yellow field, mountains, clouds, lake",
        cells=0,
        ramp=4,
    ),
)


class Painter:
    """The two graphs, node by node, in the host, with one of its checkpoints."""

    def __init__(self, checkpoint: str) -> None:
        self.nodes = in_process.start().nodes
        self.model, self.clip, self.vae = self.nodes.CheckpointLoaderSimple().load_checkpoint(checkpoint)

    def prompts(self, text: str) -> tuple[list, list]:
        encode = self.nodes.CLIPTextEncode().encode
        return encode(self.clip, text)[0], encode(self.clip, "")[0]

    def stock(self, task: Task) -> torch.Tensor:
        picture, mask = task.picture(), task.mask()
        latent = self.nodes.VAEEncode().encode(self.vae, picture)[0]
        latent = self.nodes.SetLatentNoiseMask().set_mask(latent, mask)[0]
        latent = self.nodes.KSampler().sample(
            self.model, SEED, 40, CFG, "euler_ancestral", "karras", *self.prompts(task.prompt), latent
        )[0]
        return torch.where(mask[..., None] > 0, self.nodes.VAEDecode().decode(self.vae, latent)[0], picture)

    def ours(self, task: Task) -> torch.Tensor:
        from latent_repaint.nodes.composite import Composite
        from latent_repaint.nodes.encode import Encode
        from latent_repaint.nodes.ksampler import KSampler

        picture, mask = task.picture(), task.mask()
        latent, _, painted = Encode.execute(picture, mask, self.vae, "diffuse", "max", task.cells).result
        settings = SEED, 20, CFG, "euler_ancestral", "karras", *self.prompts(task.prompt), latent, 1.0, "match", 2.0
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
    painted = sheet(Painter(in_process.start().demo_checkpoint), TASKS)
    painted.save(in_process.ROOT / "docs" / "gallery.png", optimize=True, pnginfo=carrying(TEMPLATE))
    print("docs/gallery.png")
