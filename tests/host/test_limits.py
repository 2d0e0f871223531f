"""What a link may bring: the host holds only what is typed into a widget against the limits of an input."""

import inspect

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from comfyui_host.install import ROOT
from latent_repaint.nodes import NODES
from latent_repaint.nodes.crop_stitch import Crop
from latent_repaint.nodes.schema import check_input

SLOTS = {f"{node.GET_SCHEMA().node_id}.{slot.id}": slot for node in NODES for slot in node.GET_SCHEMA().inputs}
NUMBERS = {name: slot for name, slot in SLOTS.items() if slot.io_type in ("INT", "FLOAT")}
CHOICES = {name: slot for name, slot in SLOTS.items() if slot.io_type == "COMBO"}
TENSORS = {name: slot for name, slot in SLOTS.items() if slot.io_type in ("IMAGE", "MASK", "SIGMAS")}
anything = st.one_of(st.none(), st.text(), st.integers(), st.floats(), st.lists(st.integers()))


def in_limits(slot, value):
    kinds = int if slot.io_type == "INT" else (int, float)
    return isinstance(value, kinds) and slot.min <= value <= slot.max


@pytest.mark.parametrize("name", NUMBERS)
@settings(max_examples=30, deadline=None)
@given(value=st.one_of(st.floats(), st.integers(), anything))
def test_a_number_is_taken_within_its_limits_alone(name, value):
    slot = NUMBERS[name]
    check_input(slot, slot.min), check_input(slot, slot.max)
    if in_limits(slot, value):
        check_input(slot, value)
    else:
        with pytest.raises(ValueError, match=f"input {slot.id}: found .* wanted .* from {slot.min} to {slot.max}"):
            check_input(slot, value)


@pytest.mark.parametrize("name", [*CHOICES, *TENSORS])
@settings(max_examples=30, deadline=None)
@given(value=anything)
def test_a_choice_is_one_of_them_and_a_tensor_is_a_tensor(name, value):
    with pytest.raises(ValueError, match=f"input {SLOTS[name].id}: found .* wanted "):
        check_input(SLOTS[name], value)


@pytest.mark.parametrize("node", NODES, ids=lambda node: node.__name__)
def test_every_number_has_limits_and_every_node_checks_its_inputs(node):
    for slot in node.GET_SCHEMA().inputs:
        if slot.io_type in ("INT", "FLOAT"):
            assert slot.min is not None and slot.max is not None, slot.id
    with pytest.raises(ValueError, match=f"{node.GET_SCHEMA().node_id}: input .*: found"):
        node.execute(**dict.fromkeys(inspect.signature(node.execute).parameters, object()))


def test_the_page_on_security_has_the_limits_as_they_are():
    page = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    rows = [
        f"| {name.removeprefix('LatentRepaint_').replace('.', ' | `', 1)}` | {slot.min} | {slot.max} |"
        for name, slot in NUMBERS.items()
    ]
    assert "| least | most |\n|---|---|---|---|\n" + "\n".join(rows) + "\n\n" in page


def test_an_optional_input_of_nothing_is_one_that_was_left_out():
    """A workflow may hold null there; the node's own default counts."""
    picture, mask = torch.rand(1, 64, 64, 3), torch.zeros(1, 64, 64)
    mask[:, 20:40, 20:40] = 1.0
    inputs = picture, mask, 1.5, 64, 64, 8
    left_out = {"mask_fill_holes": None, "islands": None, "context_mask": None, "model": None}
    for ours, whole in zip(Crop.execute(*inputs, **left_out).args[1:], Crop.execute(*inputs).args[1:], strict=True):
        assert torch.equal(ours, whole)
