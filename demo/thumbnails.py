"""`python demo thumbnails [name ...]`: runs the shipped workflows with the demo's values and draws their thumbnails,
workflows/<name>.jpg.

A thumbnail shows what the workflow made with the demo model, and small in its corner what it was given: the picture,
with red over what was to be made new.
"""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

from PIL import Image, ImageOps

from comfyui_host import install
from comfyui_host.client import Client
from comfyui_host.server_process import serve
from comfyui_host.workflow import to_prompt

from .demo_values import HOUSE, SCENES, with_demo_values

WORKFLOWS, DEMO = install.ROOT / "workflows", install.ROOT / "demo"
SIDE, INSET, BORDER = 512, 200, 4


def main() -> None:
    names = sys.argv[1:] or sorted(path.stem for path in WORKFLOWS.glob("*.json"))
    with serve(install.find_host()) as server:
        client = Client(server.address)
        for path in sorted(DEMO.glob("example_*.png")):
            client.upload(path)
        for name in names:
            path = WORKFLOWS / f"{name}.jpg"
            draw(client, WORKFLOWS / f"{name}.json").save(path, quality=88, optimize=True)
            print(path)


def draw(client: Client, path: Path) -> Image.Image:
    """Run one workflow and draw its thumbnail, SIDE by SIDE pixels. If its model is not here, draw what is given."""
    picture, _ = SCENES.get(path.stem, HOUSE)
    before = tinted(Image.open(DEMO / picture))
    if path.stem not in SCENES:
        return padded(before)
    prompt = to_prompt(with_demo_values(path.stem, json.loads(path.read_text(encoding="utf-8"))))
    saved = next(key for key, node in prompt.items() if node["class_type"] == "SaveImage")
    sheet = padded(Image.open(io.BytesIO(client.fetch(client.run(prompt).outputs[saved]["images"][0]))).convert("RGB"))
    before = ImageOps.expand(ImageOps.contain(before, (INSET, INSET), Image.Resampling.BICUBIC), BORDER, "white")
    sheet.paste(before, (0, SIDE - before.height))
    return sheet


def tinted(picture: Image.Image) -> Image.Image:
    """The picture, with a little red over what is to be made new, so that what stands there is still seen."""
    picture = picture.convert("RGBA")
    red = Image.blend(picture.convert("RGB"), Image.new("RGB", picture.size, "#e5533d"), 0.5)
    return Image.composite(picture.convert("RGB"), red, picture.getchannel("A"))


def padded(picture: Image.Image) -> Image.Image:
    return ImageOps.pad(picture, (SIDE, SIDE), Image.Resampling.BICUBIC, "#202020", (0.5, 0.0))
