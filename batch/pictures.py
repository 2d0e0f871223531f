"""What is done to pictures on this side of the host: read, check, give a mask as alpha, convert, make small."""

from __future__ import annotations

import io
from pathlib import PurePosixPath
from typing import Any

from PIL import Image, ImageOps

from .errors import BadPicture

STRIP_HEIGHT = 160
TRANSPOSED = (5, 6, 7, 8)
"""Values of EXIF's orientation that swap width and height."""
EXIF_ORIENTATION = 0x0112
FINE: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 95, "subsampling": 0},
    "WEBP": {"quality": 95},
    "TIFF": {"compression": "tiff_lzw"},
}


def size_of(file: Any, name: str) -> tuple[tuple[int, int], bool]:
    """(width, height) as ComfyUI will see it, and whether there is an alpha, without reading all of the file.

    Raises:
        BadPicture: If it is no picture.
    """
    try:
        with Image.open(file) as image:
            known = image.format != "PNG" or "exif" in image.info  # else Pillow reads all of a PNG to look for it
            turned = known and image.getexif().get(EXIF_ORIENTATION) in TRANSPOSED
            return (image.size[::-1] if turned else image.size), image.has_transparency_data
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise BadPicture(f"{name} cannot be read as a picture: {_plain(error)}") from None


def read(content: bytes, name: str) -> Image.Image:
    """The whole picture, upright. ComfyUI itself fills what a broken file lacks with grey, and says nothing.

    Raises:
        BadPicture: If it is broken.
    """
    try:
        image = Image.open(io.BytesIO(content))
        image.load()
        return ImageOps.exif_transpose(image)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise BadPicture(f"{name} is broken: {_plain(error)}") from None


def mask_from_alpha(image: Image.Image, name: str) -> Image.Image:
    """White where the picture is transparent, as ComfyUI reads it.

    Raises:
        BadPicture: If nothing is transparent.
    """
    alpha = image.convert("RGBA").getchannel("A")
    if alpha.getextrema()[0] == 255:
        raise BadPicture(f"{name} has no mask: no mask file was found, and nothing of the picture is transparent")
    return ImageOps.invert(alpha)


def with_alpha(image: Image.Image, mask: Image.Image, name: str) -> Image.Image:
    """The picture, transparent where the mask is white.

    Raises:
        BadPicture: If it has more than eight bits, which would be lost on the way.
    """
    if image.mode.startswith(("I", "F")):
        raise BadPicture(f"{name} has more than 8 bits a channel: use a workflow that loads the mask by LoadImageMask")
    joined = image.convert("RGB")
    joined.putalpha(ImageOps.invert(mask))
    return joined


def png(image: Image.Image) -> bytes:
    """As a file to be uploaded: quickly rather than small."""
    stream = io.BytesIO()
    image.save(stream, "PNG", compress_level=1)
    return stream.getvalue()


def in_format_of(content: bytes, name: str) -> bytes:
    """A result as a file of the kind that the name's ending tells, at the best quality that is still usual."""
    kind = Image.registered_extensions()[PurePosixPath(name).suffix.lower()]
    stream = io.BytesIO()
    image = Image.open(io.BytesIO(content))
    image.convert("RGB").save(stream, kind, **FINE.get(kind, {}))
    return stream.getvalue()


def strip(panels: list[Image.Image]) -> bytes:
    """Small pictures side by side, as JPEG, for the contact sheet."""
    small = [ImageOps.contain(panel.convert("RGB"), (2 * STRIP_HEIGHT, STRIP_HEIGHT)) for panel in panels]
    sheet = Image.new("RGB", (sum(panel.width for panel in small), STRIP_HEIGHT), "white")
    across = 0
    for panel in small:
        sheet.paste(panel, (across, 0))
        across += panel.width
    stream = io.BytesIO()
    sheet.save(stream, "JPEG", quality=80)
    return stream.getvalue()


def _plain(error: Exception) -> str:
    text = str(error)
    return "it is no picture that is known here" if text.startswith("cannot identify") else text
