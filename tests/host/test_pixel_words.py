"""What Encode, Composite, Crop and Stitch say: to wrong input, to a mistake on the way, to a mask of another size."""

import pytest
import torch
from pixel_nodes import composite, encode, picture, square

from demo_model import scenes
from latent_repaint.nodes.composite import Composite
from latent_repaint.nodes.crop_stitch import Crop, Stitch
from latent_repaint.nodes.encode import Encode

pytestmark = pytest.mark.usefixtures("as_the_server_runs_nodes")


def test_wrong_input_is_named_with_its_node(vae):
    image, mask = picture(32, 40), square(32, 40, 4, 4, 8)
    for bad_image, bad_mask, message in [
        (image, picture(16, 30)[..., 0], "input mask: found 30x16 pixels, wanted 40x32"),
        (image[0], mask, r"input \w+: found shape \(32, 40, 3\), wanted \(batch"),
        (image / 0, mask, r"input \w+: found NaN"),
        (image.repeat(3, 1, 1, 1), mask.repeat(2, 1, 1), "input mask: found a batch of 2, wanted one that divides 3"),
    ]:
        with pytest.raises(ValueError, match=f"LatentRepaint_Encode: {message}"):
            encode(bad_image, bad_mask, vae)
        with pytest.raises(ValueError, match=f"LatentRepaint_Composite: {message}"):
            composite(bad_image, bad_image, bad_mask)
        with pytest.raises(ValueError, match=f"LatentRepaint_Crop: {message}"):
            Crop.execute(bad_image, bad_mask, 1.2, 64, 64, 8)


def test_a_mistake_on_the_way_says_what_to_do():
    image, mask = picture(128, 192), square(128, 192, 40, 50, 20)
    stitch, cropped, _ = Crop.execute(image, mask, 1.2, 0, 0, 8).args

    def put_back(stitch, generated, painted=None):
        Stitch.execute(stitch, generated, 0, 16, "multiband", 1.0, painted)

    odd, padded, odd_mask = picture(70, 75), 0.97 * picture(72, 80), square(70, 75, 30, 30, 9)
    for mistake, words in [
        (lambda: composite(image, cropped, mask), "Composite: input generated: .*goes back .* with Stitch"),
        (lambda: put_back(stitch, image), "Stitch: input generated: .*wanted the decoded crop"),
        (lambda: put_back(object(), cropped), "Stitch: input stitch: found object, wanted a link to Crop"),
        # as Encode pads the whole picture
        (lambda: put_back(stitch, picture(128, 200)), "Stitch: input generated: .*wanted the decoded crop"),
        (lambda: put_back(stitch, cropped, torch.ones(1, 9, 99)), "painted_mask: .*connect Encode's painted_mask, or"),
        (lambda: composite(padded, odd, odd_mask), "80x72 and 75x70.*the other way round"),
        # as VAE Encode cuts it: not a matter of order
        (lambda: composite(odd, odd[:, 3:67, 1:73], odd_mask), "generated: found 72x64 pixels, wanted 75x70"),
    ]:
        with pytest.raises(ValueError, match=words):
            mistake()
    swapped = {"original": padded, "mask": odd_mask}  # asks for what is cheap then, and sees the sizes
    assert Composite.check_lazy_status(**swapped, generated=None) == ["generated"]
    like_a_file, computed = picture(64, 64), picture(64, 64, 1) * 0.97
    assert composite(computed, like_a_file, square(64, 64, 8, 8, 9))[2].startswith("Are original and generated swapped")
    assert "swapped" not in composite(like_a_file, computed, square(64, 64, 8, 8, 9))[2]


def test_a_crop_in_composite_is_sent_to_stitch():
    image, mask = picture(128, 200), square(128, 200, 40, 50, 20)
    _, cropped, cropped_mask = Crop.execute(image, mask, 1.2, 64, 64, 8).args
    wanted = "input mask: found 64x64 pixels, wanted 200x128.*After Crop, use Stitch instead of Composite"
    with pytest.raises(ValueError, match=wanted):
        Composite.check_lazy_status(original=image, mask=cropped_mask)
    with pytest.raises(ValueError, match=wanted):
        composite(image, image, cropped_mask)


@pytest.fixture
def scene():
    """A drawn picture of 128x128, a mask of 25x25 in it, and its crop at the same size: no size tells them apart."""
    image, mask = torch.from_numpy(scenes.draw(scenes.HELD_OUT).image)[None], square(128, 128, 70, 75, 25)
    return image, mask, *Crop.execute(image, mask, 1.2, 128, 128, 32).args


def test_a_crop_as_large_as_the_picture_is_asked_about(scene):
    image, mask, stitch, cropped, cropped_mask = scene
    asked = "Does the generated picture belong to this original?"
    by_composite = Composite.execute(image, cropped, cropped_mask, 0, 16, "multiband", 1.0)
    by_stitch = Stitch.execute(stitch, image, 0, 16, "multiband", 1.0, cropped_mask)
    for node, report in ((by_composite, by_composite.args[2]), (by_stitch, by_stitch.args[1])):
        assert report.startswith(asked) and node.ui["text"][0].startswith(asked) and "Connect" not in report
    right = Stitch.execute(stitch, cropped, 0, 16, "multiband", 1.0, cropped_mask)
    assert asked not in right.args[1] and right.ui is None
    assert asked not in composite(image, image * 0.97, mask)[2]


def test_with_nothing_masked_the_person_is_told(vae):
    image, nothing = picture(32, 40), torch.zeros(1, 64, 64)
    for node in (
        Composite.execute(image, image, nothing, 0, 16, "feather", 1.0),
        Encode.execute(image, nothing, vae, "diffuse", "max", 1),
    ):
        assert "Nothing is masked: paint a mask in Load Image" in node.ui["text"][0]
    masked = square(32, 40, 8, 8, 9)
    grey = Encode.execute(image, 0.7 * masked, vae, "diffuse", "max", 1)
    assert (
        grey.ui["text"][0] == "The mask is grey (0.7): it is painted whole. Switch on soft_mask for a gradual change."
    )
    assert Encode.execute(image, 0.7 * masked, vae, "diffuse", "max", 1, True).ui is None
    assert Composite.execute(image, image, masked, 0, 16, "feather", 1.0).ui is None
    assert Encode.execute(image, masked, vae, "diffuse", "max", 1).ui is None


def test_black_paint_under_the_mask_is_named_where_it_matters(vae):
    """As the mask editor of some pages saves its strokes; a dark picture, and a fill that covers it, are no matter."""
    image, mask = picture(64, 96).clamp(min=0.1), square(64, 96, 20, 20, 24)
    stroke = torch.where(mask[..., None] > 0, 0, image)
    for shown, fill, named in [(stroke, "original", True), (stroke, "diffuse", False), (image, "original", False),
                               (torch.zeros_like(image), "original", False)]:  # fmt: skip
        ui = Encode.execute(shown, mask, vae, fill, "max", 1).ui
        assert bool(ui) == named
    ui = Encode.execute(stroke, mask, vae, "original", "max", 1).ui
    assert ui["text"][0].startswith("The picture is black wherever the mask is white") and ui["amiss"] == (True,)
    full = Encode.execute(torch.zeros_like(image), torch.ones_like(mask), vae, "original", "max", 1)
    assert full.ui is None


def test_a_mask_of_another_size_is_scaled_and_the_person_is_told(vae):
    image, mask = picture(64, 96), square(32, 48, 8, 8, 9)
    scaled = "The mask was scaled from 48x32 pixels to 96x64 pixels"
    assert composite(image, 1 - image, mask)[2].startswith(scaled)
    assert scaled in Encode.execute(image, mask, vae, "diffuse", "max", 1).ui["text"][0]
    assert scaled in Crop.execute(image, mask, 1.2, 64, 64, 8).ui["text"][0]
