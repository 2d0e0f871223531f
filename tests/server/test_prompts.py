"""Whole prompts, from the upload to the picture."""

import io

import pytest
from PIL import Image

from comfyui_host.client import PromptError

EVALUATIONS = {"plain": 4, "blend": 4, "repaint": 10, "match": 8, "ksampler": 8}  # of 4 steps


@pytest.mark.parametrize("name", EVALUATIONS)
def test_a_prompt_runs_and_counts_its_model_evaluations(client, prompt, name):
    run = client.run(prompt(name, steps=4, noise_seed=3, seed=3))
    picture = Image.open(io.BytesIO(client.fetch(run.outputs["save"]["images"][0])))
    assert picture.size == (128, 128)
    steps = [(value, total) for node, value, total in run.progress if node == "sample"]
    assert steps[-1] == (EVALUATIONS[name],) * 2
    assert [value for value, _ in steps] == sorted(value for value, _ in steps)
    assert run.evaluations("sample") == EVALUATIONS[name]


@pytest.mark.parametrize("name", ["blend", "repaint"])
def test_the_same_seed_gives_the_same_bytes(client, prompt, name):
    pixels = []
    for seed in (11, 12, 11):  # the seed between takes the first result out of the host's cache
        run = client.run(prompt(name, steps=3, noise_seed=seed))
        assert run.evaluations("sample") > 0
        pixels.append(Image.open(io.BytesIO(client.fetch(run.outputs["save"]["images"][0]))).tobytes())
    assert pixels[0] == pixels[2] != pixels[1]


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
