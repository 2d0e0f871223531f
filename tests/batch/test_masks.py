"""Pictures and masks as people have them: each is understood, or set aside with the reason."""

import functools
import io
import struct

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageDraw, ImageFilter, PngImagePlugin

from batch import BadPicture, pictures

SIDE = 96
BOX = (36, 36, 59, 59)


def rectangle(mode, background, fill):
    image = Image.new(mode, (SIDE, SIDE), background)
    ImageDraw.Draw(image).rectangle(BOX, fill=fill)
    return image


def saved(image, kind="PNG", **more):
    stream = io.BytesIO()
    image.save(stream, kind, **more)
    return stream.getvalue()


def grey16(value):
    return Image.fromarray((np.asarray(rectangle("L", 0, 1)).astype(np.uint16) * value).astype(np.uint16))


def palette():
    image = rectangle("P", 0, 1)
    image.putpalette([0, 0, 0, 255, 255, 255] + [0] * 762)
    return image


@pytest.mark.parametrize(
    ("image", "value"),
    [
        (rectangle("L", 0, 255), 255),
        (rectangle("1", 0, 1), 255),
        (palette(), 255),
        (rectangle("RGBA", (255, 255, 255, 0), (255, 255, 255, 255)), 255),
        (rectangle("RGBA", (0, 0, 0, 255), (0, 0, 0, 0)), 255),
        (rectangle("LA", (255, 0), (255, 255)), 255),
        (rectangle("RGB", 0, (255, 0, 0)), 255),
        (rectangle("RGB", 0, (0, 0, 255)), 255),
        (rectangle("RGBA", (255, 0, 0, 0), (255, 0, 0, 178)), 178),
        (grey16(65535), 255),
        (grey16(20000), 78),
        (rectangle("L", 1, 255), 255),
        (rectangle("L", 16, 235), 235),
    ],
)
def test_a_mask_paints_its_rectangle_however_it_is_saved(image, value):
    mask = np.asarray(pictures.read_mask(saved(image), "m.png"))
    painted = np.asarray(rectangle("L", 0, 255)) > 0
    assert (mask[painted] == value).all() and not mask[~painted].any()


def test_a_wide_blur_keeps_its_soft_edge_and_loses_its_trace():
    blurred = rectangle("L", 0, 255).filter(ImageFilter.GaussianBlur(6))
    found, given = np.asarray(pictures.read_mask(saved(blurred), "m.png")), np.asarray(blurred)
    assert (found[given > 25] == given[given > 25]).all() and not found[given <= 25].any()


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (rectangle("L", 0, 0), "black everywhere"),
        (rectangle("L", 0, 1), "brightest value is 1 of 255"),
        (rectangle("L", 0, 25), "brightest value is 25 of 255"),
        (rectangle("L", 255, 255), "paints everything"),
        (rectangle("L", 26, 255), "paints everything"),
        (rectangle("RGBA", (0, 0, 0, 0), (0, 0, 0, 255)), "black, and mostly transparent"),
        (rectangle("RGBA", (255, 255, 255, 255), (255, 255, 255, 255)), "paints everything"),
        (Image.merge("L", [rectangle("L", 0, 15)]), "brightest"),
    ],
)
def test_a_mask_that_cannot_be_meant_is_set_aside(image, words):
    with pytest.raises(BadPicture, match=words):
        pictures.read_mask(saved(image), "m.png")


def test_class_maps_and_photographs_are_no_masks():
    classes = np.zeros((SIDE, SIDE), np.uint8)
    classes[:40, :40], classes[38:42, :42] = 15, 255  # as VOC has them: a class, and a border that is not counted
    with pytest.raises(BadPicture, match="the values 0, 15, 255; a class map"):
        pictures.read_mask(saved(Image.fromarray(classes)), "m.png")
    photo = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    with pytest.raises(BadPicture, match="colours of a picture"):
        pictures.read_mask(saved(Image.fromarray(photo)), "m.png")


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


def scene(mode="RGB"):
    y, x = np.mgrid[0:80, 0:120]
    colours = np.stack([x * 2, y * 3, 200 - x], -1).astype(np.uint8)
    return Image.fromarray(colours).convert(mode)


def look(content, name="a.png"):
    return pictures.look(io.BytesIO(content), name)


def test_what_has_more_than_8_bits_is_divided_or_refused():
    deep = np.asarray(scene("L")).astype(np.uint16) * 257
    for kind in ("PNG", "TIFF"):
        found = pictures.read(saved(Image.fromarray(deep), kind), "a.png").pixels
        assert (np.asarray(found)[..., 0] == np.asarray(scene("L"))).all()
    for image in (Image.fromarray((deep / 65535).astype(np.float32)), Image.fromarray(deep.astype(np.int32))):
        for reading in (look, pictures.read):
            with pytest.raises(BadPicture, match="32 bits"):
                reading(saved(image, "TIFF"), "a.tif")


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_several_frames_are_refused_with_their_number(kind):
    moving = saved(scene(), kind, save_all=True, append_images=[scene().transpose(0), scene().transpose(1)])
    for reading in (look, pictures.read):
        with pytest.raises(BadPicture, match="has 3 frames"):
            reading(moving, "a")


def test_a_photo_with_a_second_view_is_one_picture():
    content = saved(scene(), "MPO", save_all=True, append_images=[scene().transpose(0)])
    assert look(content)[0] == (120, 80) and pictures.read(content, "a.jpg").pixels.size == (120, 80)


@pytest.mark.parametrize("kind", ["GIF", "EPS", "PPM", "SGI", "DDS", "ICO", "PCX", "TGA"])
def test_no_other_decoder_is_started_whatever_the_name(kind):
    for reading in (look, pictures.read, pictures.read_mask):
        with pytest.raises(BadPicture, match="no picture that is known"):
            reading(saved(scene(), kind), "a.png")


def test_whatever_a_decoder_raises_sets_the_picture_aside():
    good = saved(scene(), "TIFF")
    for at in range(0, len(good), max(len(good) // 60, 1)):
        broken = bytearray(good)
        broken[at : at + 4] = b"\xff\xff\xff\xff"
        for reading in (look, pictures.read, pictures.read_mask):
            try:
                reading(bytes(broken), "a.tif")
            except BadPicture:
                continue


def test_a_large_text_chunk_does_not_keep_a_picture_out():
    texts = PngImagePlugin.PngInfo()
    texts.add_text("workflow", "x" * (5 << 20), zip=True)
    content = saved(scene(), pnginfo=texts)
    assert look(content)[0] == (120, 80) and pictures.read(content, "a.png").pixels.tobytes() == scene().tobytes()


@functools.cache  # it has the time in it
def profile():
    """sRGB's own profile, with its blue and red columns in each other's place: a space that is not sRGB."""
    content = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    for at in range(132, 132 + 12 * struct.unpack_from(">I", content, 128)[0], 12):
        name = bytes(content[at : at + 4])
        content[at : at + 4] = {b"rXYZ": b"bXYZ", b"bXYZ": b"rXYZ"}.get(name, name)
    return bytes(content)


def result_of(picture, painted=None, mode="RGB"):
    """What ComfyUI would make of it: the same pixels but for the rectangle."""
    made = picture.pixels.copy()
    made.paste((1, 2, 3), BOX)
    texts = PngImagePlugin.PngInfo()
    texts.add_text("prompt", '{"7": 1}')
    return pictures.finished(saved(made.convert(mode), pnginfo=texts), picture, painted)[0]


@pytest.mark.parametrize(("kind", "ending"), [("PNG", "png"), ("JPEG", "jpg"), ("WEBP", "webp"), ("TIFF", "tif")])
def test_a_result_has_the_profile_the_exif_and_the_dpi(kind, ending):
    exif = Image.Exif()
    exif[0x8298], exif[0x0112], exif[0x0132] = "(c) nobody", 6, "2026:01:02 03:04:05"
    lossless = {"lossless": True} if kind == "WEBP" else {"quality": 97} if kind == "JPEG" else {}
    content = saved(scene(), kind, icc_profile=profile(), exif=exif, dpi=(300, 300), **lossless)
    picture = pictures.read(content, f"a.{ending}")
    assert picture.pixels.size == (80, 120) == look(content)[0]  # upright
    made = result_of(picture)
    own = pictures.in_format_of(made, f"a.{ending}", picture)
    for result in (made, own):
        found = Image.open(io.BytesIO(result))
        assert found.info["icc_profile"] == profile() and found.size == (80, 120)
        assert found.getexif()[0x8298] == "(c) nobody" and found.getexif().get(0x0112, 1) == 1
        if kind != "WEBP":  # which has no dpi of its own
            assert found.info["dpi"] == pytest.approx((300, 300), abs=0.1)
    assert Image.open(io.BytesIO(made)).info["prompt"] == '{"7": 1}'
    assert Image.open(io.BytesIO(own)).format == kind
    kept = np.ones((120, 80), bool)
    kept[BOX[1] : BOX[3], BOX[0] : BOX[2]] = False
    assert (np.asarray(Image.open(io.BytesIO(made)))[kept] == np.asarray(picture.pixels)[kept]).all()


def test_what_a_png_says_of_its_colours_without_a_profile_is_kept():
    texts = PngImagePlugin.PngInfo()
    texts.add(b"gAMA", struct.pack(">I", 100000))
    texts.add(b"cHRM", struct.pack(">8I", 31270, 32900, 64000, 33000, 21000, 71000, 15000, 6000))
    found = Image.open(io.BytesIO(result_of(pictures.read(saved(scene(), pnginfo=texts), "a.png"))))
    assert found.info["gamma"] == 1.0 and found.info["chromaticity"][4] == 0.21


def test_a_profile_that_is_not_of_red_green_and_blue_is_used_and_not_copied():
    lab = ImageCms.profileToProfile(
        scene(), ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
    )
    picture = pictures.read(saved(lab, "TIFF"), "a.tif")
    assert np.abs(np.asarray(picture.pixels).astype(int) - np.asarray(scene())).mean() < 3
    wrong = saved(scene("L"), icc_profile=profile())  # a profile of colours in a grey picture
    assert "icc_profile" not in pictures.read(wrong, "a.png").described


def test_a_cut_out_stays_one_and_is_opaque_where_it_was_painted():
    cut = scene("RGBA")
    alpha = Image.new("L", cut.size, 255)
    ImageDraw.Draw(alpha).rectangle([0, 0, 47, 80], fill=0)
    cut.putalpha(alpha)
    picture, mask = pictures.read(saved(cut), "a.png"), Image.new("L", cut.size, 0)
    ImageDraw.Draw(mask).rectangle(BOX, fill=120)
    found = Image.open(io.BytesIO(result_of(picture, mask)))
    wanted = np.where(np.asarray(mask) > 25, 255, np.asarray(alpha))
    assert (np.asarray(found.getchannel("A")) == wanted).all() and found.info["prompt"] == '{"7": 1}'
    assert Image.open(io.BytesIO(result_of(picture, None))).mode == "RGB"  # its own alpha was the mask
    webp = pictures.in_format_of(result_of(picture, mask), "a.webp", picture)
    assert (np.asarray(Image.open(io.BytesIO(webp)).getchannel("A")) == wanted).all()
    with pytest.raises(BadPicture, match="a JPEG cannot be transparent"):
        pictures.in_format_of(result_of(picture, mask), "a.jpg", picture)


def test_every_channel_of_what_the_loaders_get_says_the_same():
    picture, mask = pictures.read(saved(scene()), "a.png"), Image.new("L", (120, 80), 0)
    ImageDraw.Draw(mask).rectangle(BOX, fill=200)
    sent = Image.open(io.BytesIO(pictures.for_mask_loader(mask)))
    assert all(sent.getchannel(channel).tobytes() == mask.tobytes() for channel in "RGB")
    assert (255 - np.asarray(sent.getchannel("A")) == np.asarray(mask)).all()
    joined = Image.open(io.BytesIO(pictures.for_image_loader(picture, mask)))
    assert joined.convert("RGB").tobytes() == picture.pixels.tobytes()
    assert (255 - np.asarray(joined.getchannel("A")) == np.asarray(mask)).all()
