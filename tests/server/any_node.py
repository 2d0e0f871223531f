"""The smallest prompt that runs one node, made from what the host says of the node: a new node or input needs nothing
here, as long as its types are known."""

from __future__ import annotations

import copy
from typing import Any

Prompt = dict[str, Any]


def node(class_type: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": class_type, "inputs": inputs}


SIZE = ("output_target_width", "output_target_height")
CROP = {"context_from_mask_extend_factor": 1.0, "output_padding": 8, **dict.fromkeys(SIZE, 64)}
MASK_OF_PART = {"destination": ["empty_mask", 0], "source": ["full_mask", 0], "x": 16, "y": 24, "operation": "add"}
BASE: Prompt = {
    "checkpoint": node("CheckpointLoaderSimple", ckpt_name="latent-repaint-demo.safetensors"),
    "text": node("CLIPTextEncode", text="day, lake", clip=["checkpoint", 1]),
    "image": node("EmptyImage", width=64, height=64, batch_size=1, color=0x4080C0),
    "empty_mask": node("SolidMask", value=0.0, width=64, height=64),
    "full_mask": node("SolidMask", value=1.0, width=24, height=16),
    "mask": node("MaskComposite", **MASK_OF_PART),
    "latent": node("VAEEncode", pixels=["image", 0], vae=["checkpoint", 2]),
    "masked": node("SetLatentNoiseMask", samples=["latent", 0], mask=["mask", 0]),
    "solver": node("KSamplerSelect", sampler_name="euler"),
    "sigmas": node("BasicScheduler", model=["checkpoint", 0], scheduler="normal", steps=2, denoise=1.0),
    "noise": node("RandomNoise", noise_seed=1),
    "guider": node("BasicGuider", model=["checkpoint", 0], conditioning=["text", 0]),
    "crop": node("LatentRepaint_Crop", image=["image", 0], mask=["mask", 0], **CROP),
}
# what samples with the node "target", if that gives a SAMPLER or a MODEL
SAMPLES = {"noise": ["noise", 0], "guider": ["guider", 0], "sigmas": ["sigmas", 0], "latent_image": ["masked", 0]}
ENDS = {
    "SAMPLER": node("SamplerCustomAdvanced", sampler=["target", 0], **SAMPLES),
    "MODEL": node("KSampler", model=["target", 0], positive=["text", 0], negative=["text", 0], denoise=1.0, seed=1,
                  latent_image=["masked", 0], steps=2, cfg=1.0, sampler_name="euler", scheduler="normal"),
}  # fmt: skip
SOURCES = {
    "MODEL": ["checkpoint", 0],
    "CLIP": ["checkpoint", 1],
    "VAE": ["checkpoint", 2],
    "CONDITIONING": ["text", 0],
    "IMAGE": ["image", 0],
    "MASK": ["mask", 0],
    "LATENT": ["masked", 0],
    "SAMPLER": ["solver", 0],
    "SIGMAS": ["sigmas", 0],
    "LATENT_REPAINT_STITCH": ["crop", 0],
}
SMALL = {"steps": 2, **dict.fromkeys(SIZE, 64)}


def slots(info: dict[str, Any]) -> dict[str, list[Any]]:
    """The inputs of a node as /object_info tells them: name -> [type or options, {default, min, max, ...}]."""
    return {**info["input"].get("required", {}), **info["input"].get("optional", {})}


def kind(slot: list[Any]) -> str:
    """The type of an input; a combo is told as its options by some hosts, and by its name by others."""
    return "COMBO" if isinstance(slot[0], list) else slot[0]


def options(slot: list[Any]) -> list[str]:
    return slot[0] if isinstance(slot[0], list) else slot[1]["options"]


def prompt_for(name: str, info: dict[str, Any], **changed: Any) -> Prompt:
    """A prompt that runs node `name`, called "target", with defaults, sources of every type, and `changed` inputs."""
    inputs: dict[str, Any] = {}
    for slot_name, slot in slots(info).items():
        if kind(slot) in SOURCES:
            inputs[slot_name] = SOURCES[kind(slot)]
        elif slot_name in SMALL:
            inputs[slot_name] = SMALL[slot_name]
        else:
            inputs[slot_name] = slot[1]["default"] if "default" in slot[1] else options(slot)[0]
    if any(kind(slot) == "LATENT_REPAINT_STITCH" for slot in slots(info).values()):
        inputs["generated"] = ["crop", 1]
    prompt = {**copy.deepcopy(BASE), "target": node(name, **{**inputs, **changed})}
    end = copy.deepcopy(ENDS.get(info["output"][0]))
    if end:  # what is wrong with it may show only where it samples
        prompt["sample"] = end
    return prompt | {"show": node("PreviewAny", source=["sample" if end else "target", 0])}
