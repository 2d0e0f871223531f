"""Wrong input over the queue: an error that names the node, and a host that goes on."""

import pytest

from comfyui_host.client import PromptError


def node(class_type, **inputs):
    return {"class_type": class_type, "inputs": inputs}


RISING = {
    "whole": node("BasicScheduler", model=["checkpoint", 0], scheduler="normal", steps=4, denoise=1.0),
    "sigmas": node("FlipSigmas", sigmas=["whole", 0]),
}
# A LATENT of shapes has one dimension where a picture's has two.
SHAPES = {"encode": node("EmptyLatentHunyuan3Dv2", resolution=64, batch_size=1)}
# name: the prompt, its inputs, what replaces its nodes, the node at fault, words of the message
CASES = {
    "a solver": ("blend", {}, {"solver": node("KSamplerSelect", sampler_name="dpm_fast")}, "inpaint", "dpm_fast"),
    "rising sigmas": ("blend", {}, RISING, "sample", "sigmas"),
    "sound for a model of pictures": ("blend", {}, SHAPES, "sample", "latent_image"),
    "a window": ("blend", {"start_percent": 0.8, "end_percent": 0.2}, {}, "inpaint", "start_percent"),
    "a jump": ("repaint", {"jump_length": 9}, {}, "sample", "RePaintSampler: input jump_length"),
}


@pytest.mark.parametrize("case", CASES)
def test_the_error_names_the_node_before_any_model_evaluation_and_the_host_goes_on(client, prompt, case):
    name, inputs, replaced, node_id, words = CASES[case]
    nodes = prompt(name, steps=4, noise_seed=20, **inputs) | replaced
    progress = []
    with pytest.raises(PromptError) as error:
        client.run(nodes, lambda *message: progress.append(message))
    assert error.value.kind == "ValueError", error.value
    assert (error.value.node_id, error.value.node_type) == (node_id, nodes[node_id]["class_type"])
    assert "LatentRepaint_" in str(error.value) and words in str(error.value)
    assert not [message for message in progress if message[0] == "sample"]
    seed = 30 + [*CASES].index(case)
    assert client.run(prompt("blend", steps=2, noise_seed=seed)).evaluations("sample") == 2
