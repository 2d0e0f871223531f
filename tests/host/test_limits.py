"""What a link may bring: the host holds only what is typed into a widget against the limits of an input."""

import math

import pytest
import torch
from comfy.nested_tensor import NestedTensor
from sampling import POSITIVE

from comfyui_host.install import ROOT
from comfyui_host.tiny import ksampler, sigmas
from latent_repaint.nodes import NODES
from latent_repaint.nodes.crop_stitch import Crop

pytestmark = pytest.mark.usefixtures("as_the_server_runs_nodes")
LINKS = ["", "abc", 3, 2.5, True, {}, {"samples": 1}]  # what a prompt may hold in the place of a link
WRONG = {
    "INT": [None, "", "3", 1.5, True, 10**30, math.nan, [], {}],
    "FLOAT": [None, "", "2.5", True, 10**30, math.nan, math.inf, [], {}],
    "COMBO": [None, "", "mach", 3, math.nan, [], {}],
    "BOOLEAN": [],  # whatever Python takes for yes or no
    "CONDITIONING": [*LINKS, [1]],
}


@pytest.fixture(scope="module")
def right(eps_model, vae):
    """A value of each type of link."""
    image, mask, latent = torch.rand(1, 64, 64, 3), torch.zeros(1, 64, 64), torch.randn(1, 4, 8, 8)
    mask[:, 20:40, 20:40] = 1
    return {
        "MODEL": eps_model, "VAE": vae, "IMAGE": image, "MASK": mask, "LATENT": {"samples": latent},
        "SAMPLER": ksampler("euler"), "SIGMAS": sigmas(eps_model, 2), "CONDITIONING": POSITIVE,
        "LATENT_REPAINT_STITCH": Crop.execute(image, mask, 1.0, 64, 64, 8).args[0],
    }  # fmt: skip


@pytest.mark.parametrize("node", NODES, ids=lambda node: node.__name__)
def test_every_input_of_every_node_names_what_is_wrong(node, right):
    schema = node.GET_SCHEMA()
    given = {slot.id: right[slot.io_type] if slot.io_type in right else slot.default for slot in schema.inputs}
    for slot in schema.inputs:
        wrong = WRONG.get(slot.io_type, [*LINKS, [], object()])
        if slot.io_type in ("INT", "FLOAT"):
            wrong = [*wrong, slot.min - 1, slot.max + 1]
        for value in wrong:
            if not (value is None and slot.optional):
                with pytest.raises(ValueError, match=rf"{schema.node_id}: input {slot.id}: found .*, wanted "):
                    node.execute(**given | {slot.id: value})


def test_the_page_on_security_has_the_limits_as_they_are():
    rows = [
        f"| {node.GET_SCHEMA().node_id.removeprefix('LatentRepaint_')} | `{slot.id}` | {slot.min} | {slot.max} |"
        for node in NODES for slot in node.GET_SCHEMA().inputs if slot.io_type in ("INT", "FLOAT")
    ]  # fmt: skip
    page = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    assert "| least | most |\n|---|---|---|---|\n" + "\n".join(rows) + "\n\n" in page


def test_an_optional_input_of_nothing_is_one_that_was_left_out(right):
    """A workflow may hold null there; the node's own default counts."""
    inputs = right["IMAGE"], right["MASK"], 1.5, 64, 64, 8
    left_out = {"mask_fill_holes": None, "islands": None, "context_mask": None, "model": None}
    for ours, whole in zip(Crop.execute(*inputs, **left_out).args[1:], Crop.execute(*inputs).args[1:], strict=True):
        assert torch.equal(ours, whole)


@pytest.mark.parametrize(("key", "value", "said"), [
    ("samples", torch.zeros(1, 4, 8, 8, dtype=torch.int64), "int64"),
    ("samples", torch.zeros(64), "shape"),
    ("samples", torch.full((1, 4, 8, 8), math.inf), "NaN or infinity"),
    ("samples", NestedTensor([torch.zeros(1, 4, 8, 8)] * 2), "nested"),
    *(("batch_index", wrong, "batch_index") for wrong in ("one", [0, 1], [0.5], [-1], [None], [True], {"a": 1}, 3)),
    *(("noise_mask", wrong, "noise_mask") for wrong in ("a mask", 3, [1], torch.zeros(3))),
])  # fmt: skip
def test_what_a_latent_holds_is_checked(right, key, value, said):
    (node,) = (node for node in NODES if node.__name__ == "KSampler")
    given = {slot.id: right.get(slot.io_type, getattr(slot, "default", None)) for slot in node.GET_SCHEMA().inputs}
    with pytest.raises(ValueError, match=f"LatentRepaint_KSampler: input latent_image: found .*{said}.*, wanted "):
        node.execute(**given | {"latent_image": right["LATENT"] | {key: value}})
