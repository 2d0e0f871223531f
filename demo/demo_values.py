"""What the demo puts into the templates, which want a real model: its own model and pictures, and the values that suit
them."""

from __future__ import annotations

import copy
from typing import Any

from comfyui_host.install import DEMO_MODEL
from comfyui_host.workflow import BEHIND

MODEL = DEMO_MODEL.name
CFG = 4.0
SIZE = {"output_target_width": 256, "output_target_height": 256, "output_padding": 8}  # pixels, of the model's scenes
HOUSE = ("example_masked.png", "day, snow, sun, blue house")
SCENES = {  # picture and prompt, by the template
    "01-start-here-inpaint-fill": ("example_large.png", "sunset, yellow field, clouds, round trees"),
    "02-remove-object-erase": ("example_remove.png", "dawn, yellow field, lake"),
    "03-outpaint-extend": ("example_narrow.png", "sunset, snow, sun, clouds, mountains, pine trees, red house"),
    "04-inpaint-soft-mask": ("example_soft.png", "sunset, yellow field, mountains, red house"),
    "05-inpaint-model-any-sampler": HOUSE,
    "06-inpaint-sd35": ("example_second.png", "day, sun, yellow field, mountains, white chapel"),
    "12-repaint-match-blend-samplers": ("example_masked.png", "day, snow, sun, red house"),
    "13-see-mask-and-cost": HOUSE,
}
"""The templates whose loader is Load Checkpoint: with these the demo's model does as well as any."""


def with_demo_values(name: str, workflow: dict[str, Any]) -> dict[str, Any]:
    """A template as the demo runs it; those for models that come in several files stay as they are."""
    workflow = copy.deepcopy(workflow)
    if name not in SCENES:
        return workflow
    picture, prompt = SCENES[name]
    for node in workflow["nodes"]:
        if "models" in node["properties"]:
            set_values(node, ckpt_name=MODEL)
            del node["properties"]["models"]
        if node["type"] == "LoadImage":
            set_values(node, image=picture)
        if node.get("title") == "Prompt":
            set_values(node, text=prompt)
        if node.get("title") == "Negative prompt":
            set_values(node, text="")
        if node["type"] == "LatentRepaint_Crop":
            set_values(node, **SIZE)
        if node["type"] == "ImagePadForOutpaint":
            set_values(node, left=24, right=56)
        if values(node).get("cfg", 1.0) != 1.0:
            set_values(node, cfg=CFG)
    return workflow


def values(node: dict[str, Any]) -> dict[str, Any]:
    """What the widgets of a node have, by their names."""
    return {name: node["widgets_values"][position] for name, position in _positions(node).items()}


def set_values(node: dict[str, Any], **given: Any) -> None:
    """Give widgets of a node values."""
    for name, value in given.items():
        node["widgets_values"][_positions(node)[name]] = value


def _positions(node: dict[str, Any]) -> dict[str, int]:
    """Where the page saves the value of each widget."""
    result, position = {}, 0
    for slot in node.get("inputs", []):
        if "widget" in slot:
            result[slot["name"]] = position
            position += 1 + BEHIND.get(slot["name"], 0)
    return result
