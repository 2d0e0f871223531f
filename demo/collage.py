"""One picture out of several, side by side, each with its name above it; and the workflow that a picture carries."""

from __future__ import annotations

import json

from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from comfyui_host import install

from .demo_values import with_demo_values

HEIGHT, MARGIN, CAPTION = 256, 8, 22


def side_by_side(panels: dict[str, Image.Image]) -> Image.Image:
    """Draw the panels in one row, all of one height, on white."""
    scaled = {
        name: image.convert("RGB").resize((image.width * HEIGHT // image.height, HEIGHT), Image.Resampling.NEAREST)
        for name, image in panels.items()
    }
    width = sum(image.width for image in scaled.values()) + MARGIN * (len(scaled) + 1)
    sheet = Image.new("RGB", (width, HEIGHT + CAPTION + 2 * MARGIN), "white")
    draw, font, left = ImageDraw.Draw(sheet), ImageFont.load_default(15), MARGIN
    for name, image in scaled.items():
        draw.text((left, MARGIN), name, "black", font)
        sheet.paste(image, (left, MARGIN + CAPTION))
        left += image.width + MARGIN
    return sheet


def tinted(picture: Image.Image) -> Image.Image:
    """The picture, with a little red over what is to be made new, so that what stands there is still seen."""
    picture = picture.convert("RGBA")
    red = Image.blend(picture.convert("RGB"), Image.new("RGB", picture.size, "#e5533d"), 0.5)
    return Image.composite(picture.convert("RGB"), red, picture.getchannel("A"))


def carrying(template: str) -> PngInfo:
    """What a PNG is saved with so that it opens workflows/`template`.json, with the demo's values, when dragged into
    ComfyUI."""
    path = install.ROOT / "workflows" / f"{template}.json"
    workflow = with_demo_values(template, json.loads(path.read_text(encoding="utf-8")))
    info = PngInfo()
    info.add_text("workflow", json.dumps(workflow))  # plain ASCII: the page reads no compressed text
    return info
