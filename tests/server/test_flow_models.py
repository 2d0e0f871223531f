"""The template for flow models, as it is shipped, with a flow model: a tiny SD 3 behind the stock loader."""

import io
import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file

from comfyui_host import in_process, install
from comfyui_host.workflow import to_prompt
from demo.demo_values import with_demo_values


def tiny_sd3() -> dict[str, torch.Tensor]:
    """A checkpoint as SD 3's come, of one block, with random weights. It brings the key, but no weights, of its text
    encoders: the host then gives SD 3's own encoder, which answers zeros."""
    in_process.start()
    from comfy.taesd.taesd import TAESD

    from comfyui_host.families import sd3_network

    network = sd3_network(4096, 2048, 16)  # the widths of SD 3's text encoders
    parts = {"model.diffusion_model.": network, "first_stage_model.": TAESD(latent_channels=16)}
    weights = {
        prefix + name: torch.randn(weight.shape, generator=torch.Generator().manual_seed(0)) * 0.05
        for prefix, part in parts.items() for name, weight in part.state_dict().items()
    }  # fmt: skip
    scale = {"first_stage_model.vae_scale": torch.tensor(1.0), "first_stage_model.vae_shift": torch.tensor(0.0)}
    return weights | scale | {"text_encoders.none": torch.zeros(1)}


def test_the_template_for_flow_models_runs_with_one(server, client):
    name, checkpoint = "06-inpaint-sd35", "tiny_sd3.safetensors"
    save_file(tiny_sd3(), Path(server.base) / "models" / "checkpoints" / checkpoint)
    graph = json.loads((install.ROOT / "workflows" / f"{name}.json").read_text(encoding="utf-8"))
    prompt = to_prompt(with_demo_values(name, graph))
    for node in prompt.values():
        node["inputs"] |= {"ckpt_name": checkpoint} if "ckpt_name" in node["inputs"] else {}
    run = client.run(prompt)
    assert "model_type FLOW" in server.log()
    (sample,) = (key for key, node in prompt.items() if node["class_type"] == "LatentRepaint_KSampler")
    assert run.evaluations(sample) == 40
    (image,) = (output["images"][0] for key, output in run.outputs.items() if prompt[key]["class_type"] == "SaveImage")
    result = np.asarray(Image.open(io.BytesIO(client.fetch(image))).convert("RGB")).astype(int)
    (shown,) = (node["inputs"]["image"] for node in prompt.values() if node["class_type"] == "LoadImage")
    given = Image.open(install.ROOT / "demo" / shown)
    original, masked = np.asarray(given.convert("RGB")).astype(int), np.asarray(given.getchannel("A")) < 255
    changed = np.abs(result - original).max(-1) > 0
    assert changed[masked].mean() > 0.5 and not changed[:, :80].any()  # 47 pixels from the mask
