"""`python demo examples`: draws the pictures that the templates and the documents open, demo/example_*.png.

Each is a held-out scene of the demo's model, with a mask as a person would paint it: over whole objects and what they
touch. A mask stands in the picture's alpha, as the page's editor saves it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from comfyui_host import install
from demo_model.next.scenes import HELD_OUT, draw

Box = tuple[float, float, float, float]  # left, top, right, bottom
SIDE, MARGIN = 256, 10  # pixels of a scene as the model knows it, and of the brush around an object
HOUSE_ON_SNOW, BOAT_AT_DAWN, HOUSE_AT_SUNSET, TREES_AT_SUNSET, MOUNTAINS, HOUSE_ON_A_FIELD = 574, 65, 258, 524, 64, 37
WHITE_HOUSE: Box = (108, 120, 178, 195)
BOAT: Box = (148, 142, 218, 256)  # and its reflection
RED_HOUSE: Box = (137, 126, 221, 212)
TREES: tuple[Box, ...] = ((207, 98, 252, 182), (118, 106, 163, 192), (8, 86, 47, 160))


def scene(number: int, size: int = SIDE) -> np.ndarray:
    """(size, size, 3), uint8."""
    return (255 * draw(HELD_OUT + number, size).image).astype(np.uint8)


def brushed(objects: Sequence[Box], size: int = SIDE) -> np.ndarray:
    """(size, size), uint8: 255 in a round stroke around each of the objects."""
    v, u = (np.mgrid[:size, :size] + 0.5) * SIDE / size
    mask = np.zeros((size, size), bool)
    for left, top, right, bottom in objects:
        across = abs(2 * u - left - right) / (right - left + 2 * MARGIN)
        down = abs(2 * v - top - bottom) / (bottom - top + 2 * MARGIN)
        mask |= across**4 + down**4 < 1
    return np.where(mask, np.uint8(255), np.uint8(0))


def masked(picture: np.ndarray, mask: np.ndarray) -> Image.Image:
    return Image.fromarray(np.dstack([picture, 255 - mask]))


def pictures() -> dict[str, Image.Image]:
    """Every example, by its file's name."""
    house, around = scene(HOUSE_ON_SNOW), brushed([WHITE_HOUSE])
    odd = np.s_[5:242, 4:255]  # 251x237 pixels: multiples of nothing
    stronger_above = np.linspace(160, 90, SIDE).astype(np.uint8)[:, None].repeat(SIDE, 1)
    large = 5 * SIDE // 2
    return {
        "image": Image.fromarray(house),
        "mask": Image.fromarray(around),
        "masked": masked(house, around),
        "odd": masked(house[odd], around[odd]),
        "remove": masked(scene(BOAT_AT_DAWN), brushed([BOAT])),
        "narrow": Image.fromarray(scene(HOUSE_AT_SUNSET)[:, 24:200]),
        "large": masked(scene(TREES_AT_SUNSET, large), brushed(TREES[:1], large)),
        "spots": masked(scene(TREES_AT_SUNSET, large), brushed(TREES, large)),
        "soft": masked(scene(MOUNTAINS), stronger_above),
        "second": masked(scene(HOUSE_ON_A_FIELD), brushed([RED_HOUSE])),
    }


def main() -> None:
    for name, picture in pictures().items():
        path = install.ROOT / "demo" / f"example_{name}.png"
        picture.save(path, optimize=True)
        print(path.relative_to(install.ROOT))
