"""`python demo registry`: draws docs/icon.png and docs/banner.png, which the registry and ComfyUI Manager show.

Both are made of one result of the demo's model: the picture with its mask on the left, and what was painted there.
"""

from __future__ import annotations

from PIL import Image, ImageDraw, ImageFont

from comfyui_host import install

from .collage import tinted
from .examples import SIDE

DOCS = install.ROOT / "docs"
ICON, BANNER = 400, (1260, 540)  # pixels; the banner is 21:9, as the registry wants it
TEMPLATE = "12-repaint-match-blend-samplers"
HOUSE = (72, 80, 212, 220)  # pixels of the scene


def main() -> None:
    before = tinted(Image.open(install.ROOT / "demo" / "example_masked.png"))
    after = Image.open(install.ROOT / "workflows" / f"{TEMPLATE}.jpg").convert("RGB")  # the result, without its corner
    icon, left = (
        picture.resize((ICON, ICON), Image.Resampling.BICUBIC, [edge * picture.width / SIDE for edge in HOUSE])
        for picture in (after, before)
    )
    icon.paste(left.crop((0, 0, ICON // 2, ICON)), (0, 0))
    ImageDraw.Draw(icon).line([(ICON // 2, 0), (ICON // 2, ICON)], "white", 6)
    icon.save(DOCS / "icon.png", optimize=True)
    banner = Image.new("RGB", BANNER, "#202020")
    side = BANNER[1]
    banner.paste(icon.resize((side, side), Image.Resampling.LANCZOS), (BANNER[0] - side, 0))
    pen = ImageDraw.Draw(banner)
    pen.text((60, 190), "Latent RePaint", "white", ImageFont.load_default(84))
    pen.text((64, 300), "Inpainting with any checkpoint", "#c8c8c8", ImageFont.load_default(40))
    banner.save(DOCS / "banner.png", optimize=True)
    print("docs/icon.png docs/banner.png")
