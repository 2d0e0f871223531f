"""The templates are what their descriptions say, and the examples what their script draws."""

import json

import numpy as np
import pytest
from PIL import Image

from comfyui_host import install
from demo import examples, templates
from demo.demo_values import CFG, MODEL, SCENES, values, with_demo_values
from demo.examples import SIDE
from demo.templates.models import MODELS
from latent_repaint.nodes import NODES

SHARED = ("steps", "cfg", "sampler_name", "scheduler", "denoise", "method", "context_from_mask_extend_factor")
DEFAULTS = {
    slot.id: slot.default for node in NODES for slot in node.GET_SCHEMA().inputs if getattr(slot, "default", None)
} | {"denoise": 1.0}
OWN_VALUES = {"02-remove-object-erase", "Remove Object, Erase (Latent RePaint)"} | {
    name for name in templates.ALL if "06" <= name < "12"
}
"""They say why: an object goes away at cfg 1, and other models have values of their own."""


def files():
    """Every template and blueprint, with its nodes."""
    for folder in ("workflows", "subgraphs"):
        for path in sorted((install.ROOT / folder).glob("*.json")):
            graph = json.loads(path.read_text(encoding="utf-8"))
            subgraphs = graph.get("definitions", {}).get("subgraphs", [])
            yield path.stem, subgraphs[0]["nodes"] if subgraphs else graph["nodes"]


def test_the_workflows_are_what_their_descriptions_make():
    texts = templates.texts()
    paths = [path for folder in ("workflows", "subgraphs") for path in (install.ROOT / folder).glob("*.json")]
    written = {path.relative_to(install.ROOT).as_posix(): path.read_text(encoding="utf-8") for path in paths}
    assert written.keys() == texts.keys()
    assert [name for name in texts if texts[name] != written[name]] == []  # else: python demo templates


@pytest.mark.parametrize("name", templates.ALL)
def test_a_template_has_a_thumbnail_and_says_what_to_do_first(name):
    assert Image.open(install.ROOT / "workflows" / f"{name}.jpg").size == (512, 512)
    graph = json.loads((install.ROOT / "workflows" / f"{name}.json").read_text(encoding="utf-8"))
    steps = [group["title"][:3] for group in graph["groups"]]
    assert len(steps) >= 2 and steps == ["1 -", "2 -", "3 -"][: len(steps)]


def test_the_examples_are_what_their_script_draws():
    for name, picture in examples.pictures().items():
        path = install.ROOT / "demo" / f"example_{name}.png"
        assert np.array_equal(np.asarray(Image.open(path)), np.asarray(picture)), name


@pytest.mark.parametrize(("name", "nodes"), [*files()], ids=lambda given: given if isinstance(given, str) else "")
def test_node_template_and_box_have_one_set_of_values_for_sd_and_sdxl(name, nodes):
    assert DEFAULTS["cfg"] == 7.0
    found = {key: value for node in nodes for key, value in values(node).items() if key in SHARED}
    differ = {key for key, value in found.items() if value != DEFAULTS[key]}
    assert differ == set() or name in OWN_VALUES and "context_from_mask_extend_factor" not in differ


@pytest.mark.parametrize(("name", "nodes"), [*files()], ids=lambda given: given if isinstance(given, str) else "")
def test_every_model_that_a_template_names_can_be_downloaded_and_lies_where_its_loader_looks(name, nodes):
    for node in nodes:
        named = [value for value in node.get("widgets_values", []) if str(value).endswith(".safetensors")]
        said = node["properties"].get("models", [])
        assert [file["name"] for file in said] == named
        for file in said:
            assert MODELS[file["name"]]["url"] == file["url"] and file["url"].endswith(f"/{file['name']}")
        folder = {"CheckpointLoaderSimple": "checkpoints", "UNETLoader": "diffusion_models", "VAELoader": "vae"}
        assert {file["directory"] for file in said} <= {folder.get(node["type"], "text_encoders")}
        assert "fixed" not in node.get("widgets_values", [])  # a second run is another picture


@pytest.mark.parametrize("name", SCENES)
def test_the_demo_puts_its_own_model_and_values_into_a_template(name):
    shipped = json.loads((install.ROOT / "workflows" / f"{name}.json").read_text(encoding="utf-8"))
    before = json.dumps(shipped)
    found = {}
    for node in with_demo_values(name, shipped)["nodes"]:
        found |= values(node)
    assert json.dumps(shipped) == before
    assert found["ckpt_name"] == MODEL and found["image"] == SCENES[name][0]
    assert found.get("cfg", CFG) in (CFG, 1.0) and found.get("output_target_width", SIDE) == SIDE
