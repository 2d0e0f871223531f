"""Wrong input over the queue: an error that names the node, and a host that goes on."""

import pytest

from comfyui_host.client import PromptError


def sampler(name):
    return {"solver": {"class_type": "KSamplerSelect", "inputs": {"sampler_name": name}}}


def sigmas(class_type, **inputs):
    """The schedule, after another node has done something to it."""
    whole = {"model": ["checkpoint", 0], "scheduler": "normal", "steps": 4, "denoise": 1.0}
    return {
        "whole": {"class_type": "BasicScheduler", "inputs": whole},
        "sigmas": {"class_type": class_type, "inputs": {"sigmas": ["whole", 0], **inputs}},
    }


# A LATENT of shapes has one dimension where a picture's has two.
SHAPES = {"encode": {"class_type": "EmptyLatentHunyuan3Dv2", "inputs": {"resolution": 64, "batch_size": 1}}}
# Three pictures, two masks.
BATCHES = {
    "three": {"class_type": "RepeatImageBatch", "inputs": {"image": ["image", 0], "amount": 3}},
    "two": {"class_type": "RepeatImageBatch", "inputs": {"image": ["image", 0], "amount": 2}},
    "encode": {"class_type": "VAEEncode", "inputs": {"pixels": ["three", 0], "vae": ["checkpoint", 2]}},
    "mask": {"class_type": "ImageToMask", "inputs": {"image": ["two", 0], "channel": "red"}},
}

# name: the prompt, its inputs, what replaces its nodes, the node at fault, words of the message
CASES = {
    "dpm_fast": ("blend", {}, sampler("dpm_fast"), "inpaint", "dpm_fast"),
    "dpm_adaptive": ("repaint", {}, sampler("dpm_adaptive"), "inpaint", "dpm_adaptive"),
    "rising sigmas": ("blend", {}, sigmas("FlipSigmas"), "sample", "sigmas"),
    "batches": ("blend", {}, BATCHES, "masked", "mask"),
    "sound for a model of pictures": ("blend", {}, SHAPES, "sample", "latent_image"),
    "window ends before it begins": (
        "blend",
        {"start_percent": 0.8, "end_percent": 0.2},
        {},
        "inpaint",
        "start_percent",
    ),
    "jump longer than the schedule": ("repaint", {"jump_length": 9}, {}, "sample", "RePaintSampler: input jump_length"),
}


@pytest.mark.parametrize("case", CASES)
def test_the_error_names_the_node_before_any_model_evaluation(client, prompt, case):
    name, inputs, replaced, node_id, words = CASES[case]
    nodes = prompt(name, steps=4, noise_seed=20, **inputs) | replaced
    progress = []
    with pytest.raises(PromptError) as error:
        client.run(nodes, lambda *message: progress.append(message))
    assert error.value.kind == "ValueError", error.value
    assert (error.value.node_id, error.value.node_type) == (node_id, nodes[node_id]["class_type"])
    assert "LatentRepaint_" in str(error.value) and words in str(error.value)
    assert not [message for message in progress if message[0] == "sample"]


def test_a_number_out_of_range_is_refused_before_the_queue(client, prompt):
    with pytest.raises(PromptError) as error:
        client.run(prompt("repaint", jump_n_sample=0))
    assert error.value.kind == "value_smaller_than_min" and error.value.node_id == "inpaint"


@pytest.mark.parametrize("name", ["dpm_fast", "dpm_adaptive", "eulerr"])
def test_a_solver_that_is_not_on_the_list_is_refused_by_name(client, prompt, name):
    with pytest.raises(PromptError) as error:
        client.run(prompt("ksampler", sampler_name=name))
    assert error.value.node_id == "sample" and error.value.kind in ("value_not_in_list", "ValueError")
    assert "sampler_name" in str(error.value) and name in str(error.value)


def test_the_host_goes_on_after_an_error(client, prompt):
    with pytest.raises(PromptError):
        client.run(prompt("blend", steps=2, noise_seed=30) | sampler("dpm_fast"))
    assert client.run(prompt("blend", steps=2, noise_seed=30)).evaluations("sample") == 2
