"""Pictures and masks as people have them: each comes back right from a real host, or is set aside with the reason.

The workflow inverts what the mask paints, so that every result is known to a step of 256.
"""

import functools
import io
import json
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageDraw, ImageFilter, ImageOps, PngImagePlugin

from batch import BadPicture, pictures
from batch.manifest import DONE
from batch.worker import Worker
from benchmarks.batch.trial import node

WIDTH, HEIGHT, BOX = 96, 64, (36, 24, 59, 47)
INVERT = {
    "1": node("LoadImage", image="x.png"), "2": node("LoadImageMask", image="x.png", channel="red"),
    "3": node("ImageInvert", image=["1", 0]),
    "4": node("ImageCompositeMasked", destination=["1", 0], source=["3", 0], x=0, y=0, resize_source=False,
              mask=["2", 0]),
    "5": node("SaveImage", images=["4", 0], filename_prefix="x"),
}  # fmt: skip


def scene(mode="RGB"):
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    return Image.fromarray(np.stack([x * 2, y * 3, 200 - x], -1).astype(np.uint8)).convert(mode)


def rectangle(mode="L", background=0, fill=255, size=(WIDTH, HEIGHT), box=BOX):
    image = Image.new(mode, size, background)
    ImageDraw.Draw(image).rectangle(box, fill=fill)
    return image


def saved(image, kind="PNG", **more):
    stream = io.BytesIO()
    image.save(stream, kind, **more)
    return stream.getvalue()


def deep(image, scale=257):
    return (np.asarray(image).astype(np.uint16) * scale).astype(np.uint16)


def palette(colours, **boxes):
    image = Image.new("P", (WIDTH, HEIGHT), 0)
    image.putpalette(colours + [0] * (768 - len(colours)))
    for index, box in {"1": BOX, **boxes}.items():
        ImageDraw.Draw(image).rectangle(box, fill=int(index[-1]))
    return image


def png(bits, kind, array, *chunks):
    """A PNG that Pillow does not write."""
    rows = b"".join(b"\0" + row.astype(">u2" if bits == 16 else "u1").tobytes() for row in array)
    head = struct.pack(">IIBBBBB", WIDTH, HEIGHT, bits, kind, 0, 0, 0)
    parts = [(b"IHDR", head), *chunks, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    made = [
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in parts
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(made)


def in_negative(tiff):
    """The TIFF with its photometric interpretation, tag 262, from 1 to 0."""
    return tiff.replace(struct.pack("<HHII", 262, 3, 1, 1), struct.pack("<HHII", 262, 3, 1, 0))


@functools.cache  # it has the time in it
def profile():
    """sRGB's own profile, with its blue and red columns in each other's place: a space that is not sRGB."""
    content = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    for at in range(132, 132 + 12 * struct.unpack_from(">I", content, 128)[0], 12):
        name = bytes(content[at : at + 4])
        content[at : at + 4] = {b"rXYZ": b"bXYZ", b"bXYZ": b"rXYZ"}.get(name, name)
    return bytes(content)


@functools.cache
def srgb():
    return ImageCms.createProfile("sRGB")


@pytest.fixture
def results(server, understood, tmp_path):
    """results(files) are what becomes of pictures with masks beside them: the file of the result, or the error."""

    def made(files, *options):
        folder = tmp_path / "pictures"
        folder.mkdir()
        for name, content in files.items():
            (folder / name).write_bytes(content)
        (tmp_path / "flow.json").write_text(json.dumps(INVERT))
        task = understood(folder, *options, workflow=tmp_path / "flow.json")
        worker = Worker(task, server.address)
        worker.start()
        found = {}
        for job in task.jobs(task.rows()):
            entry = {} if job.error else worker.paint(job)
            done = entry.get("state") == DONE
            found[job.name] = tmp_path / "out" / job.result if done else job.error or entry["error"]
        assert all((folder / name).read_bytes() == content for name, content in files.items())
        return found

    return made


HALF, BLACK = (WIDTH // 2, HEIGHT // 2), Image.new("L", (WIDTH, HEIGHT))
WHITE, TURNED = Image.new("L", (WIDTH, HEIGHT), 255), Image.Exif()
TURNED[0x0112], TURNED[0x8298] = 6, "(c) nobody"
MASKS = {
    "grey": (saved(rectangle()), 255),
    "one bit": (saved(rectangle("1", 0, 1)), 255),
    "palette": (saved(palette([0, 0, 0, 255, 255, 255])), 255),
    "palette, black is clear": (saved(palette([0, 0, 0, 255, 255, 255]), transparency=0), 255),
    "grey, white is clear": (saved(rectangle("L", 0, 254), transparency=0), 254),
    "painted on a clear layer": (saved(rectangle("RGBA", (255, 255, 255, 0), (255, 255, 255, 255))), 255),
    "a hole in black": (saved(rectangle("RGBA", (0, 0, 0, 255), (0, 0, 0, 0))), 255),
    "grey and alpha": (saved(rectangle("LA", (255, 0), (255, 255))), 255),
    "blue": (saved(rectangle("RGB", 0, (0, 0, 255))), 255),
    "a soft orange": (saved(rectangle("RGBA", (255, 128, 0, 0), (255, 128, 0, 178))), 178),
    "CMYK": (saved(rectangle("RGB", 0, (255, 255, 255)).convert("CMYK"), "TIFF"), 255),
    "16 bits": (saved(Image.fromarray(deep(rectangle()))), 255),
    "16 bits, soft": (saved(Image.fromarray(deep(rectangle("L", 0, 1), 20000))), 78),
    "black is 1": (saved(rectangle("L", 1, 255)), 255),
    "as in videos": (saved(rectangle("L", 16, 235)), 235),
    "JPEG": (saved(rectangle(), "JPEG", quality=95), 255),
    "half the size": (saved(rectangle(size=HALF, box=(18, 12, 29, 23))), 255),
    "turned by EXIF": (saved(rectangle().transpose(Image.Transpose.ROTATE_90), exif=TURNED), 255),
}


def test_a_mask_paints_its_rectangle_however_it_is_saved(results):
    files = {f"{name}_mask.png": mask for name, (mask, _) in MASKS.items()}
    found = results(files | {f"{name}.png": saved(scene()) for name in MASKS})
    before, painted, wrong = np.asarray(scene()).astype(int), np.asarray(rectangle()) > 0, {}
    for name, (_, value) in MASKS.items():
        if isinstance(found[f"{name}.png"], str):
            wrong[name] = found[f"{name}.png"]
            continue
        after = np.asarray(Image.open(found[f"{name}.png"]).convert("RGB")).astype(int)
        wanted = np.where(painted[..., None], before + (255 - 2 * before) * value / 255, before)
        # The ring of a JPEG's rectangle may be soft.
        off = np.abs(after - wanted)[np.asarray(rectangle().filter(ImageFilter.FIND_EDGES)) == 0]
        wrong |= {name: off.max()} if off.max() > (12 if name == "JPEG" else 1.5) else {}
    assert not wrong


@pytest.mark.parametrize(
    ("mask", "words"),
    [
        (BLACK, "black everywhere"),
        (rectangle("L", 0, 1), "brightest value is 1 of 255"),
        (deep(rectangle("L", 0, 1), 255), "brightest value is 1 of 255"),
        (WHITE, "paints everything"),
        (rectangle("L", 26, 255), "paints everything"),
        (rectangle("RGBA", (0, 0, 0, 0), (0, 0, 0, 255)), "black, and mostly transparent"),
        (palette([0, 0, 0, 15, 15, 15, 255, 255, 255], b2=(0, 0, 9, 9)), "the values 0, 15, 255; a class map"),
        (palette([0, 0, 0, 128, 0, 0, 0, 128, 0], b2=(0, 0, 9, 9)), "several colours; a class map"),
        (rectangle("RGB", (255, 0, 0), (0, 255, 0)), "several colours"),
        (np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8), "colours of a picture"),
    ],
)
def test_a_mask_that_cannot_be_meant_is_set_aside(mask, words):
    with pytest.raises(BadPicture, match=words):
        pictures.read_mask(saved(Image.fromarray(mask) if isinstance(mask, np.ndarray) else mask), "m.png")


def test_a_wide_blur_keeps_its_soft_edge_and_loses_its_trace():
    blurred = rectangle().filter(ImageFilter.GaussianBlur(6))
    found, given = np.asarray(pictures.read_mask(saved(blurred), "m.png")), np.asarray(blurred)
    assert (found[given > 25] == given[given > 25]).all() and not found[given <= 25].any()


@pytest.mark.parametrize("size", [(48, 48), (192, 192), (95, 96), (96, 95), (100, 150)])
def test_a_mask_of_the_picture_s_proportions_is_scaled_and_loses_no_stroke(size):
    picture = (2 * size[0], 2 * size[1])
    mask = Image.new("L", size, 0)
    mask.putpixel((size[0] // 2, size[1] // 2), 255)
    up = np.asarray(pictures.scaled(mask, picture, "m"))
    assert set(np.unique(up)) == {0, 255} and (up == 255).sum() == 4
    thin = Image.new("L", picture, 0)
    ImageDraw.Draw(thin).line([5, 0, 5, picture[1]], fill=255)
    down = np.asarray(pictures.scaled(thin, size, "m"))
    assert (down[:, 2] == 255).all() and set(np.unique(down)) == {0, 255}
    with pytest.raises(BadPicture, match="cut it as the picture was cut"):
        pictures.scaled(mask, (2 * size[0], 2 * size[1] + 3), "m")


def cut_out():
    image = scene("RGBA")
    image.putalpha(rectangle("L", 255, 0, box=(0, 0, 47, HEIGHT)))
    return image


def text_chunk():
    texts = PngImagePlugin.PngInfo()
    texts.add_text("workflow", "x" * (5 << 20), zip=True)
    return texts


LAB = ImageCms.profileToProfile(scene(), srgb(), ImageCms.createProfile("LAB"), outputMode="LAB")
SAID = {"icc_profile": profile(), "exif": TURNED, "dpi": (300, 300)}
PICTURES = {
    "plain.png": saved(scene()),
    "grey of 16 bits.png": saved(Image.fromarray(deep(scene("L")))),
    "grey of 16 bits.tif": saved(Image.fromarray(deep(scene("L"))), "TIFF"),
    "colours of 16 bits.png": png(16, 2, deep(scene()).reshape(HEIGHT, -1)),
    "CMYK.jpg": saved(scene("CMYK"), "JPEG", quality=95),
    "LAB.tif": saved(LAB, "TIFF"),
    "one bit.png": saved(scene("1")),
    "indexed.png": saved(scene().quantize(64), icc_profile=profile()),
    "indexed, a colour is clear.png": saved(scene().quantize(64), transparency=3),
    "a colour is clear.png": saved(scene(), transparency=scene().getpixel((0, 0))),
    "a cut-out.png": saved(cut_out(), icc_profile=profile(), dpi=(300, 300)),
    "a cut-out.webp": saved(cut_out(), "WEBP", lossless=True, exact=True),
    "turned, wide colour.jpg": saved(scene(), "JPEG", quality=97, **SAID),
    "turned, wide colour.png": saved(scene(), **SAID),
    "turned, wide colour.webp": saved(scene(), "WEBP", lossless=True, **SAID),
    "turned, wide colour.tif": saved(scene(), "TIFF", **SAID),
    "linear light.png": png(8, 2, np.asarray(scene()).reshape(HEIGHT, -1), (b"gAMA", struct.pack(">I", 100000))),
    "HDR.png": png(8, 2, np.asarray(scene()).reshape(HEIGHT, -1), (b"cICP", bytes([12, 16, 0, 1])),
                   (b"iCCP", b"x\0\0" + zlib.compress(profile()))),
    "long text.png": saved(scene(), pnginfo=text_chunk()),
    "a second view.jpg": saved(scene(), "MPO", save_all=True, append_images=[scene().transpose(0)]),
}  # fmt: skip


def viewed(content):
    """What a viewer that knows colour shows, and the alpha."""
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(content)))
    alpha = image.convert("RGBA").getchannel("A")
    if image.mode.startswith("I"):
        image = Image.fromarray((np.asarray(image).astype(int) / 257).round().astype(np.uint8))
    shown, space = image.convert("RGB") if image.mode != "LAB" else image, image.info.get("icc_profile")
    if space or image.mode == "LAB":
        space = io.BytesIO(space) if space else ImageCms.createProfile("LAB")
        shown = ImageCms.profileToProfile(shown, space, srgb(), outputMode="RGB")
    return np.asarray(shown).astype(int), np.asarray(alpha)


@pytest.mark.parametrize("options", [[], ["--format", "own"]])
def test_a_picture_is_afterwards_what_it_was_but_where_it_was_painted(results, options):
    """To whoever looks at it, and in what its file says of it."""
    upright, sideways = rectangle(), rectangle(size=(HEIGHT, WIDTH), box=(24, 36, 47, 59))
    endings = {f"{number} {name}": content for number, (name, content) in enumerate(PICTURES.items())}
    masks = {f"{name[:-4].rstrip('.')}_mask.png": saved(sideways if "turned" in name else upright) for name in endings}
    found, wrong = results(endings | masks, *options), {}
    for name, content in endings.items():
        if isinstance(found[name], str):
            wrong[name] = found[name]
            continue
        mask = np.asarray(sideways if "turned" in name else upright) > 0
        result = found[name].read_bytes()
        (before, clear), (after, alpha), made = viewed(content), viewed(result), Image.open(io.BytesIO(result))
        kept = np.abs(after - before).max(2)[~mask & (clear > 0)]
        lossy = options and name[-3:] in ("jpg", "ebp")
        facts = {
            "format": options == [] or made.format == Image.open(io.BytesIO(content)).format.replace("MPO", "JPEG"),
            "kept": kept.mean() < 4 if lossy else kept.max() <= (2 if name.endswith("LAB.tif") else 1),
            "painted": np.abs(after - before).max(2)[mask].mean() > 20,
            "alpha": (alpha == np.where(mask, 255, clear)).all(),
            "profile": "wide" not in name or made.info["icc_profile"] == profile(),
            "exif": "wide" not in name or made.getexif()[0x8298] == "(c) nobody" and made.getexif().get(0x0112, 1) == 1,
            "dpi": "wide" not in name or name.endswith("webp") or np.allclose(made.info["dpi"], 300, atol=0.1),
            "gamma": "linear" not in name or made.info["gamma"] == 1.0,
            "cICP": "HDR" not in name or bytes([12, 16, 0, 1]) in result[:2000],
            "workflow": made.format != "PNG" or "prompt" in made.info,
        }
        wrong |= {name: [fact for fact, good in facts.items() if not good]} if not all(facts.values()) else {}
    assert not wrong


def test_a_transparent_picture_s_own_alpha_is_its_mask_and_a_jpeg_cannot_be_transparent(results):
    own = scene("RGBA")
    own.putalpha(rectangle("L", 255, 0))
    files = {"own.png": saved(own), "a.jpg": saved(cut_out(), "WEBP", exact=True), "a_mask.png": saved(rectangle())}
    found = results(files, "--format", "own")
    assert "a JPEG cannot be transparent" in found["a.jpg"]
    after, before = (np.asarray(image).astype(int) for image in (Image.open(found["own.png"]), scene()))
    wanted = np.where(np.asarray(rectangle())[..., None] > 0, 255 - before, before)
    assert after.shape[2] == 3 and np.abs(after - wanted).max() <= 1


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (saved(Image.fromarray(np.ones((9, 9), np.float32)), "TIFF"), "32 bits"),
        (saved(Image.fromarray(np.ones((9, 9), np.int32)), "TIFF"), "32 bits"),
        (in_negative(saved(Image.fromarray(deep(scene("L"))), "TIFF")), "its white is 0"),
        (png(16, 0, deep(scene("L")), (b"tRNS", b"\0\1")), "one of its colours is transparent"),
        (png(16, 2, deep(scene()).reshape(HEIGHT, -1), (b"tRNS", bytes(6))), "one of its colours is transparent"),
        *((saved(scene(), kind, save_all=True, append_images=[scene().transpose(at) for at in (0, 1)]), "has 3 frames")
          for kind in ("PNG", "WEBP", "TIFF")),
        *((saved(scene(), kind), "no picture that is known")
          for kind in ("GIF", "EPS", "PPM", "SGI", "DDS", "ICO", "PCX", "TGA")),
        (b"", "no picture that is known"),
    ],
)  # fmt: skip
def test_what_has_no_one_meaning_is_refused_and_no_other_decoder_is_started_whatever_the_name(content, words):
    for reading in (lambda content, name: pictures.look(io.BytesIO(content), name), pictures.read, pictures.read_mask):
        with pytest.raises(BadPicture, match=words):
            reading(content, "a.png")


def test_whatever_a_decoder_raises_sets_the_picture_aside():
    for kind in ("PNG", "JPEG", "WEBP", "BMP"):  # where ComfyUI would fill what is missing with grey
        cut = saved(scene(), kind)
        with pytest.raises(BadPicture, match=r"a\.png is broken"):
            pictures.read(cut[: len(cut) // 2], "a.png")
    good = saved(scene(), "TIFF")
    for at in range(0, len(good), max(len(good) // 60, 1)):
        broken = good[:at] + b"\xff\xff\xff\xff" + good[at + 4 :]
        for reading in (pictures.read, pictures.read_mask):
            try:
                reading(broken, "a.tif")
            except BadPicture:
                continue


def test_a_result_that_is_no_picture_sets_its_picture_aside():
    picture = pictures.read(saved(scene()), "a.png")
    for result in (b"", b"<html>", saved(scene())[:60], saved(scene(), "GIF")):
        with pytest.raises(BadPicture, match="the result is broken"):
            pictures.finished(result, picture, None)


def test_what_results_do_not_keep_is_seen_without_reading_the_file():
    found = {name: pictures.look(io.BytesIO(content), name).loses for name, content in PICTURES.items()}
    assert {name: loses for name, loses in found.items() if loses} == {
        "grey of 16 bits.png": ["16 bits to 8", "grey to RGB"], "grey of 16 bits.tif": ["16 bits to 8", "grey to RGB"],
        "colours of 16 bits.png": ["16 bits to 8"], "CMYK.jpg": ["CMYK to RGB"], "LAB.tif": ["LAB to RGB"],
        "one bit.png": ["grey to RGB"],
    }  # fmt: skip


def test_a_profile_that_is_not_of_red_green_and_blue_is_not_copied():
    wrong = saved(scene("L"), icc_profile=profile())  # a profile of colours in a grey picture
    assert "icc_profile" not in pictures.read(wrong, "a.png").described


def test_a_result_as_jpeg_keeps_the_colours_of_single_pixels():
    stripes = np.zeros((16, 16, 3), np.uint8)
    stripes[:, ::2], stripes[:, 1::2] = (200, 40, 40), (40, 40, 200)
    content = saved(Image.fromarray(stripes))
    made = np.asarray(Image.open(io.BytesIO(pictures.in_format_of(content, "a.jpg", pictures.read(content, "a.png")))))
    assert np.abs(made.astype(int) - stripes).mean() < 8  # with half as many colours as pixels, 58
