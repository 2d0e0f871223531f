"""Whole prompts, from the upload to the picture."""

import io

import numpy as np
import pytest
from PIL import Image

from comfyui_host.client import PromptError

EVALUATIONS = {"plain": 4, "blend": 4, "repaint": 10, "match": 8, "ksampler": 8}  # of 4 steps
SIZE = (150, 131)  # width and height: no multiple of anything


@pytest.mark.parametrize("name", EVALUATIONS)
def test_a_seed_gives_the_same_bytes_for_as_many_evaluations_as_were_announced(client, prompt, name):
    pictures = []
    for seed in (3, 4, 3):  # the seed between takes the first result out of the host's cache
        run = client.run(prompt(name, steps=4, noise_seed=seed, seed=seed))
        pictures.append(Image.open(io.BytesIO(client.fetch(run.outputs["save"]["images"][0]))))
        steps = [(value, total) for node, value, total in run.progress if node == "sample"]
        assert steps == sorted(steps) and steps[-1] == (EVALUATIONS[name],) * 2
        assert run.evaluations("sample") == EVALUATIONS[name] and pictures[0].size == (256, 256)
    first, other, again = (picture.tobytes() for picture in pictures)
    assert first == again != other


def test_interrupting_stops_within_an_evaluation_and_the_next_prompt_runs(client, prompt):
    reported = []

    def stop(node, value, total):
        if value >= 3 and max(reported, default=0) < 3:  # newer hosts leave out some values
            client.interrupt()
        reported.append(value)

    with pytest.raises(PromptError) as error:
        client.run(prompt("repaint", steps=200, noise_seed=5), stop)
    assert error.value.kind == "interrupted" and error.value.node_type == "SamplerCustomAdvanced"
    assert max(reported) < 30  # of 598: what ran while the request was under way, and one evaluation
    assert client.run(prompt("blend", steps=2, noise_seed=6)).evaluations("sample") == 2


@pytest.fixture(scope="module")
def photograph(client, tmp_path_factory):
    """What lies on the host as odd.png; with a hole at 70:95, 60:85 as odd_mask.png."""
    y, x = np.mgrid[: SIZE[1], : SIZE[0]]
    pixels = np.stack([x * 255 / SIZE[0], y * 255 / SIZE[1], 127 + 60 * np.sin(x / 7) * np.cos(y / 5)], -1)
    hole = np.zeros(SIZE[::-1], np.uint8)
    hole[60:85, 70:95] = 255
    for name, drawn in (("odd.png", pixels.astype(np.uint8)), ("odd_mask.png", hole)):
        path = tmp_path_factory.getbasetemp() / name
        Image.fromarray(drawn).save(path)
        client.upload(path)
    return pixels.astype(np.uint8)


@pytest.mark.parametrize("name", ["any_size", "crop"])
def test_only_the_mask_and_its_ramp_change(client, prompt, photograph, name):
    run = client.run(prompt(name, steps=3, seed=5))
    result = np.asarray(Image.open(io.BytesIO(client.fetch(run.outputs["save"]["images"][0]))))
    changed = (result != photograph).any(-1)
    assert result.shape == photograph.shape and changed[60:85, 70:95].mean() > 0.5
    near = np.zeros_like(changed)
    near[44:101, 54:111] = True  # the ramp's 16 pixels
    assert not changed[~near].any()
    assert run.outputs["report"]["text"][0].startswith("Outside the mask and its ramp nothing changed.\n")


def test_a_mask_that_does_not_fit_is_refused_before_anything_is_sampled(client, prompt, photograph, tmp_path):
    Image.new("L", (60, 131), 255).save(tmp_path / "narrow.png")
    client.upload(tmp_path / "narrow.png")
    nodes = prompt("any_size", steps=3, seed=7)
    nodes["narrow"] = {"class_type": "LoadImageMask", "inputs": {"image": "narrow.png", "channel": "red"}}
    nodes["composite"]["inputs"]["mask"] = ["narrow", 0]
    progress = []
    with pytest.raises(PromptError, match="LatentRepaint_Composite: input mask: found 60x131"):
        client.run(nodes, lambda *message: progress.append(message))
    assert not [message for message in progress if message[0] == "sample"]
