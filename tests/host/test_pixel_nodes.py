"""Encode, Composite, Crop and Stitch in the real host: VAE and SaveImage."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from pixel_nodes import composite, encode, picture, square

from comfyui_host import in_process
from comfyui_host.families import FAMILIES
from latent_repaint.nodes.crop_stitch import Crop, Stitch
from latent_repaint.pixels.composite import BLENDS

host = in_process.start()
pytestmark = pytest.mark.usefixtures("as_the_server_runs_nodes")


@pytest.mark.parametrize("size", [(64, 64), (70, 75), (33, 129), (1, 1), (7, 200), (1499, 3), (2, 1500)])
def test_any_size_goes_through_the_vae_and_comes_back(vae, size):
    image, mask = picture(*size), square(*size, 0, size[1] // 2, 5)
    samples, preview, painted = encode(image, mask, vae)
    assert painted.shape == (1, *size) and (painted[mask > 0] == 1).all()
    rows, columns = (-(-side // 8) for side in size)
    assert samples["samples"].shape == (1, 4, rows, columns)
    assert samples["noise_mask"].shape == (1, 1, rows, columns)
    assert preview.shape == (1, 8 * rows, 8 * columns, 3)
    decoded = vae.decode(samples["samples"])
    result, blended, _ = composite(image, decoded, mask)
    assert result.shape == image.shape and torch.equal(result[blended == 0], image[blended == 0])


def test_frames_of_a_video_are_masked_where_they_are_and_come_back(video_vae):
    video, masks = picture(30, 44, batch=9), torch.zeros(9, 30, 44)
    masks[0, 8:16, 8:16], masks[6, 20:24, 30:40] = 1, 1  # frame 0 is cell 0, frames 5 to 8 are cell 2
    samples, preview, painted = encode(video, masks, video_vae, mask_expand_cells=0)
    assert samples["samples"].shape == (1, 16, 3, 4, 6) and samples["noise_mask"].shape == (1, 1, 3, 4, 6)
    assert samples["noise_mask"].amax((-1, -2)).flatten().tolist() == [1, 0, 1] and len(preview) == 3
    assert painted.shape == (9, 30, 44) and painted.amax((1, 2)).tolist() == [1, 0, 0, 0, 0, 1, 1, 1, 1]
    decoded = video_vae.decode(samples["samples"])[0]
    result, blended, _ = composite(video, decoded, masks)
    assert result.shape == video.shape and torch.equal(result[blended == 0], video[blended == 0])
    assert torch.equal(result[1:6], video[1:6]) and not torch.equal(result[6], video[6])
    assert encode(video, masks[:1], video_vae)[0]["noise_mask"].amax((-1, -2)).flatten().tolist() == [1, 1, 1]


def test_a_video_is_cropped_by_a_box_that_moves_and_comes_back(video_vae):
    video = picture(120, 160, batch=9)
    masks = torch.cat([square(120, 160, 40 + 2 * t, 20 + 8 * t, 24) for t in range(9)])
    stitch, cropped, cropped_mask = Crop.execute(video, masks, 1.0, 64, 64, 32, islands="moving").args
    assert cropped.shape == (9, 64, 64, 3) and (cropped_mask.amax((1, 2)) == 1).all()
    samples, _, painted = encode(cropped, cropped_mask, video_vae)
    generated = video_vae.decode(samples["samples"])[0]
    result, _, blended = Stitch.execute(stitch, generated, 0, 16, "multiband", 1.0, painted).args
    assert result.shape == video.shape and (blended[masks > 0] == 1).all()
    assert torch.equal(result[blended == 0], video[blended == 0]) and (blended == 0).any((1, 2)).all()


@pytest.mark.parametrize("frames, wanted", [(2, "1 or 5"), (10, "9 or 13"), (12, "9 or 13")])
def test_frames_that_the_vae_would_leave_out_are_refused(video_vae, frames, wanted):
    with pytest.raises(ValueError, match=f"LatentRepaint_Encode: input image: found {frames} frames, wanted {wanted}"):
        encode(picture(16, 16, batch=frames), square(16, 16, 4, 4, 4), video_vae)


def test_half_precision_is_taken_and_every_bit_of_it_kept(vae):
    image, mask = picture(40, 50).half(), square(40, 50, 10, 10, 12).bool()
    assert encode(image, mask, vae)[0]["samples"].dtype == torch.float32
    result, blended, _ = composite(image, 1 - image, mask)
    assert result.dtype == torch.float32 and torch.equal(result[blended == 0], image.float()[blended == 0])
    stitch, cropped, _ = Crop.execute(image, mask, 1.2, 64, 64, 8).args
    put_back = Stitch.execute(stitch, cropped.half(), 0, 0, "feather", 0.0).args[0]
    assert torch.equal(put_back[~mask], image[~mask].float())


def test_transparency_is_kept_outside_and_opaque_inside(vae):
    image, mask = torch.cat([picture(40, 50), torch.zeros(1, 40, 50, 1)], dim=-1), square(40, 50, 10, 10, 12)
    decoded = vae.decode(encode(image, mask, vae)[0]["samples"])
    result, blended, _ = composite(image, decoded, mask)
    assert decoded.shape[-1] == 3 and result.shape == image.shape
    assert not result[..., 3][blended == 0].any() and (result[..., 3][mask > 0] == 1).all()


def saved(image: torch.Tensor, name: str) -> list[np.ndarray]:
    """What SaveImage writes, read back."""
    folder = Path(host.folder_paths.get_output_directory())
    files = host.nodes.SaveImage().save_images(image, name)["ui"]["images"]
    return [np.asarray(Image.open(folder / file["subfolder"] / file["filename"])) for file in files]


def test_no_byte_differs_outside_the_mask_in_the_saved_file():
    """Through SaveImage's PNG, 200 times: RGB and RGBA, masks of every kind, each ramp and blend."""
    outside = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        height, width = (int(side) for side in rng.integers(1, 130, 2))
        pixels = torch.from_numpy(rng.integers(0, 256, (2, height, width, 3 + seed // 2 % 2), np.uint8))
        original, generated = (pixels.float() / 255).split(1)
        mask = torch.from_numpy(rng.random((1, height, width)) < rng.choice([0, 0.001, 0.3])).float()
        top, left = rng.integers(height), rng.integers(width)
        mask[:, top : top + rng.integers(1, 80), left : left + rng.integers(1, 80)] = rng.random()
        expand, ramp = (int(side) for side in rng.integers(0, 40, 2))
        result, blended, report = composite(
            original, generated, mask, expand, ramp, BLENDS[seed % 2], float(rng.random())
        )
        untouched = blended[0].numpy() == 0
        assert np.array_equal(saved(result, f"case_{seed}")[0][untouched], pixels[0].numpy()[untouched])
        assert "Nothing is masked" in report or "Outside the mask and its ramp nothing changed." in report
        outside += untouched.sum()
    assert outside > 100_000


@pytest.mark.parametrize("size, cells", [((64, 64), 1), ((70, 75), 0), ((70, 75), 2), ((33, 129), 1)])
@pytest.mark.parametrize("method", ["max", "area", "min"])
@pytest.mark.parametrize("soft", [False, True])
def test_the_painted_mask_is_what_the_sampler_may_change(vae, size, cells, method, soft):
    """Every pixel whose cell is painted is in it, no other, and it comes back from Composite in full."""
    image, mask = picture(*size), square(*size, 20, 30, 13) * 0.6
    samples, _, painted = encode(image, mask, vae, spatial_method=method, mask_expand_cells=cells, soft_mask=soft)
    noised = samples["samples"] + 9 * (samples["noise_mask"] > 0)
    plain, changed = (vae.decode(latent) for latent in (samples["samples"], noised))
    offset = [(plain.shape[1 + axis] - size[axis]) // 2 for axis in (0, 1)]
    cut = [x[:, offset[0] : offset[0] + size[0], offset[1] : offset[1] + size[1]] for x in (plain, changed)]
    grid = samples["noise_mask"][0, 0].repeat_interleave(8, 0).repeat_interleave(8, 1) > 0
    assert torch.equal(painted[0] > 0, grid[offset[0] : offset[0] + size[0], offset[1] : offset[1] + size[1]])
    assert set(painted.unique().tolist()) <= {0, 1}
    result, blended, _ = composite(image, changed, painted, match_colour=0.0)
    assert torch.equal(result[painted > 0], cut[1][painted > 0])
    assert torch.equal(result[blended == 0], image[blended == 0])


@pytest.mark.parametrize("times", [2, 1.5, 0.5, 1.02])
def test_a_crop_scaled_in_equal_proportions_is_put_back(vae, times):
    """By an upscaler, say: 544 of 512 is no padding. What it shows lies where it lay."""
    image, mask = picture(300, 420), square(300, 420, 100, 200, 60)
    stitch, cropped, cropped_mask = Crop.execute(image, mask, 1.5, 256, 256, 32).args
    painted = encode(cropped, cropped_mask, vae)[2]
    height, width = (round(times * side) for side in cropped.shape[1:3])
    scaled = torch.nn.functional.interpolate(
        cropped.movedim(-1, 1), (height, width), mode="bicubic", antialias=True
    ).movedim(1, -1)
    result, _, blended = Stitch.execute(stitch, scaled, 0, 16, "multiband", 0.0, painted).args
    plain, _, same = Stitch.execute(stitch, cropped, 0, 16, "multiband", 0.0, painted).args
    assert torch.equal(result[blended == 0], image[blended == 0]) and (blended[mask > 0] == 1).all()
    assert (result - plain).abs().max() < 0.02 and (blended - same).abs().mean() < 0.01
    for other in ((256, 400), (200, 256)):
        with pytest.raises(
            ValueError, match="LatentRepaint_Stitch: input generated: found .*in equal proportions only"
        ):
            Stitch.execute(stitch, torch.zeros(1, *other, 3), 0, 16, "multiband", 0.0)


def test_values_above_1_are_kept():
    """HDR: beside the mask in the ramp, in what is painted, and in a crop; nothing overshoots them."""
    original = 3 * picture(96, 120)
    generated, mask = 2.5 * picture(96, 120, 1), square(96, 120, 30, 40, 24)
    for blend in BLENDS:
        result, weight, _ = composite(original, generated, mask, 4, 16, blend, 0.0)
        ramp = (weight > 0) & (weight < 1)
        assert result[ramp].max() > 1.5 and torch.equal(result[weight == 1], generated[weight == 1])
        assert result.max() <= 3 and torch.equal(result[weight == 0], original[weight == 0])
    matched = composite(original, original + 0.05, mask, 4, 16, "multiband", 1.0)[0]
    assert (matched - original).abs().max() < 0.01
    assert Crop.execute(original, mask, 1.2, 64, 64, 8).args[1].max() > 2


@pytest.mark.parametrize(("family", "side"), [("eps", 512), ("sd3", 1024), ("wan 2.1", None)])
def test_a_crop_has_the_size_that_the_model_was_trained_at(family, side):
    image, mask = picture(300, 400), square(300, 400, 120, 160, 40)
    model = FAMILIES[family]().model
    given = image, mask, 1.5, 0, 0, 32, False, "together", None
    cut = Crop.execute(*given, model)
    plain = Crop.execute(*given)
    assert cut.args[1].shape[1:3] == ((side, side) if side else plain.args[1].shape[1:3])
    assert plain.args[1].shape[1] < 200 and plain.ui is None
    said = (cut.ui or {}).get("text", [""])[0]
    assert bool(said) == (side is None) and (side or "output_target_width" in said)
    assert Crop.execute(image, mask, 1.5, 256, 256, 32, model=model).args[1].shape[1:3] == (256, 256)  # as it says
