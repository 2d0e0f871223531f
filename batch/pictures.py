"""What is done to pictures on this side of the host: read them, understand their masks, and give the results back what
ComfyUI drops: colour profile, transparency, EXIF. To the host go upright PNGs of 8 bits, which it reads in one way."""

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from PIL import Image, ImageChops, ImageCms, ImageOps, PngImagePlugin

from . import BadPicture

PngImagePlugin.MAX_TEXT_CHUNK, PngImagePlugin.MAX_TEXT_MEMORY = 100 << 20, 400 << 20  # as much as ComfyUI loads
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF")
"""All that is decoded, whatever a file's name says: some of Pillow's other formats start programs."""
FLOOR = 25
"""A mask is black up to this value of 255, a tenth, as everywhere in this project: videos have a black of 16."""
STRIP_HEIGHT = 160
ORIENTATION, TURNED = 0x0112, (5, 6, 7, 8)
DESCRIBING = (0x010E, 0x010F, 0x0110, 0x0131, 0x0132, 0x013B, 0x8298, 0x8769, 0x8825)
"""The tags of a TIFF that say something of the picture, not of the file."""
COLOUR = (b"cICP", b"gAMA", b"cHRM", b"sRGB")  # what a PNG says of its colours beside a profile, or without one
FINE: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 95, "subsampling": 0}, "WEBP": {"quality": 95, "exact": True},
    "TIFF": {"compression": "tiff_lzw"}, "BMP": {},
}  # fmt: skip


@dataclass
class Picture:
    """A picture, upright, in 8 bits."""

    pixels: Image.Image  # RGB
    alpha: Image.Image | None = None  # L; None if all of it is opaque
    described: dict[str, Any] = field(default_factory=dict)  # what is to be saved with it: profile, EXIF, dpi
    colour: list[tuple[bytes, bytes]] = field(default_factory=list)  # chunks of a PNG, kind and content


@dataclass
class Head:
    """What a picture's file says without being read as a whole."""

    size: tuple[int, int]  # width and height, upright
    turned: bool  # on its side, by its EXIF
    has_alpha: bool
    loses: list[str]  # what of it its result does not have


def look(file: Any, name: str) -> Head:
    """Raises BadPicture if it is no picture, or has several frames, or more than 8 bits in a way that has no one
    meaning."""
    try:
        image: Image.Image = Image.open(file, formats=FORMATS)
        _check_kind(image, name)
        known = image.format != "PNG" or "exif" in image.info  # else Pillow reads all of a PNG to look for it
        turned, loses = known and image.getexif().get(ORIENTATION) in TURNED, _loses(image)
        size = image.size[::-1] if turned else image.size
        if turned and image.format == "TIFF":  # Pillow's size of these was turned, or not, by its version
            size = ImageOps.exif_transpose(image).size
        return Head(size, turned, image.has_transparency_data, loses)
    except BadPicture:
        raise
    except Exception as error:  # a decoder may raise anything over a broken file
        raise BadPicture("files that are no picture", f"{name} cannot be read as a picture: {_plain(error)}") from None


def read(content: bytes, name: str) -> Picture:
    """All of a picture. Raises BadPicture if it is broken (ComfyUI fills what a broken file lacks with grey, and says
    nothing), or none that `look` lets pass."""
    image = _decoded(content, name)
    alpha = image.convert("RGBA").getchannel("A") if image.has_transparency_data else None
    pixels, profile = _in_rgb(image)
    dpi: Any = image.info.get("dpi")
    described: dict[str, Any] = {"icc_profile": profile, "exif": image.info["exif"]}
    if isinstance(dpi, tuple) and len(dpi) == 2 and all(1 < value < 1e6 for value in dpi):
        described["dpi"] = tuple(map(float, dpi))
    said = COLOUR[:1] if image.info.get("icc_profile") else COLOUR
    colour = [chunk for chunk in _chunks(content) if chunk[0] in said]
    opaque = alpha is None or alpha.getextrema()[0] == 255
    return Picture(pixels, None if opaque else alpha, {key: value for key, value in described.items() if value}, colour)


def read_mask(content: bytes, name: str) -> Image.Image:
    """A mask in grey, white is painted: the brightest of red, green and blue, laid over black where there is an alpha.
    Black that is transparent in places is a mask by its alpha alone, as in ComfyUI: what is transparent is painted.
    Raises BadPicture if it is broken, paints nothing or everything, or seems to mean something else."""
    image = _decoded(content, name)
    shown = image.convert("RGB")
    _check_hue(shown, name)
    red, green, blue = shown.split()
    grey = ImageChops.lighter(ImageChops.lighter(red, green), blue)
    if image.has_transparency_data:
        alpha = image.convert("RGBA").getchannel("A")
        grey = ImageChops.multiply(grey, alpha)
        if np.asarray(grey).max() <= FLOOR and np.asarray(alpha).min() < 255:
            if np.asarray(alpha).mean() < 128:
                said = f"{name} is black, and mostly transparent: is the black to be painted? Save it white on black"
                raise BadPicture("masks that can be read in two ways", said)
            grey = ImageOps.invert(alpha)
    return _useful(grey, name)


def mask_of(picture: Picture, name: str) -> Image.Image:
    """White where the picture is transparent, as ComfyUI reads it. Raises BadPicture if nothing is, or everything."""
    if picture.alpha is None:
        raise BadPicture("no mask", f"{name} has no mask: no file was found, and nothing of it is transparent")
    return _useful(ImageOps.invert(picture.alpha), f"the transparency of {name}")


def check_size(mask: tuple[int, int], picture: tuple[int, int], name: str, turned: bool = False) -> None:
    """Raises BadPicture unless a mask has the picture's size, or its proportions up to whole pixels, as Encode for
    Inpaint wants it."""
    small, large = sorted((mask, picture))
    least = max(there / (here + 0.5) for here, there in zip(small, large, strict=True))
    most = min(there / (here - 0.5) for here, there in zip(small, large, strict=True))
    if mask != picture and least >= most:
        by = "the mask {} has {} x {} pixels, the picture {} x {}{}: cut it as the picture was cut"
        by_exif = ", turned by its EXIF" if turned else ""
        raise BadPicture("masks of another size", by.format(name, *mask, *picture, by_exif))


def scaled(mask: Image.Image, size: tuple[int, int], name: str) -> Image.Image:
    """A mask at the picture's size: one of black and white stays that, and loses no stroke; a soft one is averaged.
    Raises BadPicture if it has other proportions."""
    check_size(mask.size, size, name)
    if mask.size == size:
        return mask
    values = np.asarray(mask.convert("F").resize(size, Image.Resampling.BOX))
    if set(np.unique(np.asarray(mask))) <= {0, 255}:
        values = (values > (0 if size[0] < mask.width else 127)) * 255
    return Image.fromarray(np.rint(values).astype(np.uint8))


def for_image_loader(picture: Picture, mask: Image.Image | None) -> bytes:
    """The file for the node that loads the picture; with the mask as ComfyUI wants it, transparent is painted."""
    shown = picture.pixels.copy()
    if mask:
        shown.putalpha(ImageOps.invert(mask))
    return _png(shown)


def for_mask_loader(mask: Image.Image) -> bytes:
    """The file for the node that loads the mask, whichever of its channels that reads: white in red, green and blue is
    painted, and so is what is transparent."""
    return _png(Image.merge("RGBA", [mask, mask, mask, ImageOps.invert(mask)]))


def finished(result: bytes, picture: Picture, painted: Image.Image | None) -> tuple[bytes, Image.Image]:
    """A result of ComfyUI's, in PNG, with the picture's profile, EXIF and dpi, and its alpha, opaque where painted; and
    what it shows. `painted` is None if the picture's own alpha was the mask, so that all of it is opaque now."""
    made = _decoded(result, "the result", ("PNG",))
    alpha = picture.alpha if painted and not made.has_transparency_data else None
    if not (alpha or picture.described or picture.colour):
        return result, made
    shown, texts = made.copy(), PngImagePlugin.PngInfo()
    if alpha and painted:
        alpha = ImageChops.lighter(alpha, painted.point(lambda value: 255 if value > FLOOR else 0))
        shown = made.convert("RGB")
        shown.putalpha(alpha if alpha.size == shown.size else alpha.resize(shown.size))
    for kind, content in picture.colour:
        texts.add(kind, content)
    for key, text in made.info.items():
        if isinstance(text, str):  # the workflow
            texts.add_text(str(key), text)
    return _png(shown, pnginfo=texts, **picture.described), made


def in_format_of(content: bytes, name: str, picture: Picture) -> bytes:
    """A finished result as a file of the kind that the name's ending tells, at the best quality that is still usual.
    Raises BadPicture if that kind has no transparency, and the result has."""
    kind = Image.registered_extensions()[PurePosixPath(name).suffix.lower()]
    if kind == "PNG":
        return content
    image = _decoded(content, "the result", ("PNG",))
    if image.has_transparency_data and kind == "JPEG":
        raise BadPicture("transparency in a JPEG", f"{name}: a JPEG cannot be transparent: take --format png")
    stream, shown = io.BytesIO(), image.convert("RGBA" if image.has_transparency_data else "RGB")
    shown.info = {}
    shown.save(stream, kind, **FINE[kind], **picture.described)
    return stream.getvalue()


def strip(panels: list[Image.Image], picture: Picture, comment: str = "") -> bytes:
    """Small pictures side by side, as JPEG, for the contact sheets."""
    small = [ImageOps.contain(panel.convert("RGB"), (2 * STRIP_HEIGHT, STRIP_HEIGHT)) for panel in panels]
    sheet = Image.new("RGB", (sum(panel.width for panel in small), STRIP_HEIGHT), "white")
    across = 0
    for panel in small:
        sheet.paste(panel, (across, 0))
        across += panel.width
    stream = io.BytesIO()
    sheet.save(stream, "JPEG", quality=80, icc_profile=picture.described.get("icc_profile"), comment=comment)
    return stream.getvalue()


def comment_in(strip: bytes) -> str:
    """The comment of a strip; empty if there is none."""
    try:
        return Image.open(io.BytesIO(strip), formats=("JPEG",)).info.get("comment", b"").decode("ascii", "replace")
    except OSError:
        return ""


def overlaid(picture: Picture, mask: Image.Image | None) -> Image.Image:
    """A picture with what will be painted in red."""
    shown = picture.pixels.copy()
    if mask:
        shown.paste((255, 0, 0), mask=mask.point(lambda value: 160 if value > FLOOR else 0))
    return shown


def _decoded(content: bytes, name: str, formats: tuple[str, ...] = FORMATS) -> Image.Image:
    """The picture upright, with 8 bits a channel."""
    try:
        image = Image.open(io.BytesIO(content), formats=formats)
        _check_kind(image, name)
        image.load()
        upright, exif = ImageOps.exif_transpose(image), _exif(image)
        if upright.mode.startswith("I"):
            deep, info = np.asarray(upright).astype(np.int64), upright.info
            upright = Image.fromarray(((deep + 128) // 257).clip(0, 255).astype(np.uint8))
            upright.info = info
        upright.info, upright.format = {**upright.info, "exif": exif}, image.format
        return upright
    except BadPicture:
        raise
    except Exception as error:
        raise BadPicture("broken files", f"{name} is broken: {_plain(error)}") from None


def _check_kind(image: Any, name: str) -> None:
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and image.format != "MPO":  # a photo with a second view or a depth map beside it
        raise BadPicture("files of several frames", f"{name} has {frames} frames: save one as a file of its own")
    if image.mode == "F" or image.mode == "I" and image.format != "PNG":
        raise BadPicture("files of 32 bits", f"{name} has 32 bits a channel: save it with 8 or 16 bits")
    # What Pillow reads of 16 bits, but not as it is meant.
    white_is_0 = image.format == "TIFF" and image.mode.startswith("I") and getattr(image, "tag_v2", {}).get(262) == 0
    if white_is_0 or image.format == "PNG" and "transparency" in image.info and "16" in str(image.tile[0][3]):
        said = "its white is 0" if white_is_0 else "one of its colours is transparent"
        raise BadPicture("files of 16 bits", f"{name} has 16 bits a channel, and {said}: save it with 8 bits")


def _loses(image: Any) -> list[str]:
    deep = image.format in ("PNG", "TIFF") and ";16" in str(image.tile)
    grey = image.mode in ("1", "L", "LA") or image.mode.startswith("I")
    other = [f"{image.mode} to RGB"] if image.mode in ("CMYK", "LAB") else []
    return ["16 bits to 8"] * deep + ["grey to RGB"] * grey + other


def _check_hue(shown: Image.Image, name: str) -> None:
    """Raises BadPicture if a mask has the colours of a picture, or of several classes: a brush has one hue."""
    found = shown.getcolors(4096)
    if found is None:
        raise BadPicture("masks that are pictures", f"{name} has the colours of a picture: save it as white on black")
    counts, colours = (np.array(part) for part in zip(*found, strict=True))
    least, spread = colours.min(1, keepdims=True), np.ptp(colours, axis=1)
    counts, hues = counts * (spread > FLOOR), (colours - least) / np.maximum(spread, 1)[:, None]
    others = np.abs(hues - hues[counts.argmax()]).max(1) > 0.5
    if counts[others].sum() > 0.001 * shown.width * shown.height:
        said = f"{name} has several colours; a class map? What is to be painted must be white"
        raise BadPicture("masks that can be read in two ways", said)


def _in_rgb(image: Image.Image) -> tuple[Image.Image, bytes]:
    """The pixels in red, green and blue, and the profile that these are in."""
    profile, plain = image.info.get("icc_profile") or b"", image.convert("L") if image.mode == "LA" else image
    source: Any = ImageCms.createProfile("LAB") if image.mode == "LAB" else None
    if (profile[16:20], plain.mode) in ((b"CMYK", "CMYK"), (b"GRAY", "L")):
        source = io.BytesIO(profile)
    if source:
        try:
            shown = ImageCms.profileToProfile(plain, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
            return (shown or plain).convert("RGB"), b""
        except (ImageCms.PyCMSError, OSError):  # a broken profile: viewers leave it too
            pass
    of_rgb = profile[16:20] == b"RGB " and image.mode not in ("CMYK", "LAB", "L", "LA", "1")
    return image.convert("RGB"), profile if of_rgb else b""


def _useful(mask: Image.Image, name: str) -> Image.Image:
    """The mask with its floor, unless it is certain that it is not what was meant."""
    values = mask.histogram()
    used = [value for value, count in enumerate(values) if count]
    least, most = used[0], used[-1]
    if most <= FLOOR:
        why = f"its brightest value is {most} of 255; a class map?" if most else "it is black everywhere."
        said = f"{name} paints nothing: {why} What is to be painted must be white"
        raise BadPicture("masks that paint nothing", said)
    if least > FLOOR:
        raise BadPicture("masks that paint everything", f"{name} paints everything: what is to be kept must be black")
    if values[0] and len(used) <= 8 and sum(values[1 : FLOOR + 1]) > 0.001 * sum(values):
        said = f"{name} has the values {', '.join(map(str, used))}; a class map? What is to be painted must be white"
        raise BadPicture("masks that can be read in two ways", said)
    useful = mask.point(lambda value: value if value > FLOOR else 0)
    useful.info = {}  # the file's transparency is not that of the mask
    return useful


def _exif(image: Image.Image) -> bytes:
    try:
        exif = image.getexif()
        for tag in list(exif):
            if tag == ORIENTATION or image.format == "TIFF" and tag not in DESCRIBING:
                del exif[tag]
        return exif.tobytes() if len(exif) else b""
    except Exception:  # broken EXIF does not keep a picture from being painted
        return b""


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The parts of a PNG, kind and content."""
    at = 8 if content.startswith(b"\x89PNG") else len(content)
    while at + 12 <= len(content):
        (length,) = struct.unpack_from(">I", content, at)
        yield content[at + 4 : at + 8], content[at + 8 : at + 8 + length]
        at += 12 + length


def _png(image: Image.Image, **more: Any) -> bytes:
    """As a file: quickly rather than small."""
    stream = io.BytesIO()
    image.info = {}
    image.save(stream, "PNG", compress_level=1, **more)
    return stream.getvalue()


def _plain(error: Exception) -> str:
    text = " ".join(str(error).split())
    return "it is no picture that is known here" if text.startswith("cannot identify") else text or type(error).__name__
