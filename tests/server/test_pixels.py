"""Encode, Composite, Crop and Stitch through the queue: any size in, the same picture out but for the mask."""

import io

import numpy as np
import pytest
from PIL import Image

from comfyui_host.client import PromptError

SIZE = (150, 131)  # width and height: no multiple of anything


def photograph() -> Image.Image:
    y, x = np.mgrid[: SIZE[1], : SIZE[0]]
    pixels = np.stack([x * 255 / SIZE[0], y * 255 / SIZE[1], 127 + 60 * np.sin(x / 7) * np.cos(y / 5)], axis=-1)
    return Image.fromarray(pixels.astype(np.uint8))


def hole() -> Image.Image:
    pixels = np.zeros(SIZE[::-1], np.uint8)
    pixels[60:85, 70:95] = 255
    return Image.fromarray(pixels)


@pytest.fixture(scope="module")
def uploaded(client, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pixels")
    for name, picture in (("odd.png", photograph()), ("odd_mask.png", hole())):
        picture.save(folder / name)
        client.upload(folder / name)


@pytest.mark.parametrize("name", ["any_size", "crop"])
def test_only_the_mask_and_its_ramp_change(client, prompt, uploaded, name):
    run = client.run(prompt(name, steps=3, seed=5))
    result = np.asarray(Image.open(io.BytesIO(client.fetch(run.outputs["save"]["images"][0]))))
    changed = (result != np.asarray(photograph())).any(-1)
    assert result.shape == (SIZE[1], SIZE[0], 3)
    assert changed[60:85, 70:95].mean() > 0.5
    near = np.zeros_like(changed)
    near[44:101, 54:111] = True  # the ramp's 16 pixels
    assert not changed[~near].any()
    assert run.outputs["report"]["text"][0].startswith("Outside the mask and its ramp nothing changed.\n")


def test_with_nothing_masked_the_job_succeeds_and_says_so_on_the_nodes(client, prompt, uploaded, tmp_path):
    Image.new("L", SIZE).save(tmp_path / "no_mask.png")
    client.upload(tmp_path / "no_mask.png")
    nodes = prompt("any_size", steps=3, seed=6)
    nodes["mask"]["inputs"]["image"] = "no_mask.png"
    run = client.run(nodes)
    result = np.asarray(Image.open(io.BytesIO(client.fetch(run.outputs["save"]["images"][0]))))
    assert (result == np.asarray(photograph())).all()
    for node in ("encode", "sample", "composite"):
        assert "Nothing is masked" in run.outputs[node]["text"][0]


def test_a_mask_that_does_not_fit_is_refused_before_anything_is_sampled(client, prompt, uploaded, tmp_path):
    Image.new("L", (60, 131), 255).save(tmp_path / "narrow.png")
    client.upload(tmp_path / "narrow.png")
    nodes = prompt("any_size", steps=3, seed=7)
    nodes["narrow"] = {"class_type": "LoadImageMask", "inputs": {"image": "narrow.png", "channel": "red"}}
    nodes["composite"]["inputs"]["mask"] = ["narrow", 0]
    progress = []
    with pytest.raises(PromptError, match="LatentRepaint_Composite: input mask: found 60x131"):
        client.run(nodes, lambda *message: progress.append(message))
    assert not [message for message in progress if message[0] == "sample"]
