"""`python demo thumbnails [name ...]`: runs the shipped workflows with the demo's values and draws their thumbnails,
workflows/<name>.jpg.

A thumbnail shows what the workflow made with the demo model, and small in its corner what it was given: the picture,
with red over what was to be made new. Where a template wants a model that comes in several files, one for the demo's
model paints a task of the gallery in its place.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from comfyui_host import install
from comfyui_host.client import Client
from comfyui_host.server_process import serve
from comfyui_host.workflow import to_prompt

from .collage import tinted
from .demo_values import SCENES, set_values, with_demo_values
from .examples import masked
from .gallery import TASKS

WORKFLOWS, DEMO = install.ROOT / "workflows", install.ROOT / "demo"
SIDE, INSET, BORDER = 512, 180, 4
STAND_IN = "06-inpaint-sd35"
TASK_OF = {
    "07-inpaint-flux-dev": "another sky",
    "08-inpaint-flux2-klein": "widen the view",
    "09-inpaint-z-image-turbo": "mend scratches",
    "10-inpaint-qwen-image-edit": "replace an object",
    "11-inpaint-video-wan22": "remove an object",
}
FRAMES = (-8, 0, 8)  # pixels to the right: where a film's mask is


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
    """Run one workflow, or what stands in for it, and draw its thumbnail, SIDE by SIDE pixels."""
    if path.stem in SCENES:
        workflow = json.loads(path.read_text(encoding="utf-8"))
        given = Image.open(DEMO / SCENES[path.stem][0])
        return with_inset(given, result(client, with_demo_values(path.stem, workflow)))
    (task,) = (task for task in TASKS if task.name == TASK_OF[path.stem])
    picture, mask = (255 * task.picture()[0].numpy()).astype(np.uint8), (255 * task.mask()[0].numpy()).astype(np.uint8)
    if "video" not in path.stem:
        given = masked(picture, mask)
        return with_inset(given, painted(client, given, task.prompt))
    film = [masked(picture, np.roll(mask, right, 1)) for right in FRAMES]
    return strips([(tinted(frame), painted(client, frame, task.prompt)) for frame in film])


def painted(client: Client, given: Image.Image, prompt: str) -> Image.Image:
    """What the demo's model makes of a picture with its mask, in the graph of STAND_IN."""
    content = io.BytesIO()
    given.save(content, "PNG")
    name = client.put("given.png", content.getvalue(), overwrite=True)
    path = WORKFLOWS / f"{STAND_IN}.json"
    workflow = with_demo_values(STAND_IN, json.loads(path.read_text(encoding="utf-8")))
    for node in workflow["nodes"]:
        if node["type"] == "LoadImage":
            set_values(node, image=name)
        if node.get("title") == "Prompt":
            set_values(node, text=prompt)
    return result(client, workflow)


def result(client: Client, workflow: dict[str, Any]) -> Image.Image:
    """The picture that a workflow saves."""
    prompt = to_prompt(workflow)
    saved = next(key for key, node in prompt.items() if node["class_type"] == "SaveImage")
    return Image.open(io.BytesIO(client.fetch(client.run(prompt).outputs[saved]["images"][0]))).convert("RGB")


def with_inset(given: Image.Image, made: Image.Image) -> Image.Image:
    sheet = padded(made)
    before = ImageOps.contain(tinted(given), (INSET, INSET), Image.Resampling.BICUBIC)
    before = ImageOps.expand(before, BORDER, "white")
    sheet.paste(before, (0, 0))
    return sheet


def strips(frames: Sequence[tuple[Image.Image, Image.Image]]) -> Image.Image:
    """A film, frame under frame: what was given, and what was made of it beside that."""
    sheet, height = Image.new("RGB", (SIDE, SIDE), "white"), SIDE // len(frames)
    for row, pair in enumerate(frames):
        for column, frame in enumerate(pair):
            size = (SIDE // 2 - BORDER // 2, height - BORDER // 2)
            strip = ImageOps.fit(frame, size, Image.Resampling.BICUBIC, centering=(0.5, 0.7))
            sheet.paste(strip, (column * (SIDE // 2 + BORDER // 2), row * (height + BORDER // 2)))
    return sheet


def padded(picture: Image.Image) -> Image.Image:
    return ImageOps.pad(picture, (SIDE, SIDE), Image.Resampling.BICUBIC, "#202020", (0.5, 0.0))
