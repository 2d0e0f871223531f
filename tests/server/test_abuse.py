"""Every input of every node, given what any workflow may give: an error that names the node and the input, or a run;
and a host that goes on.

    python -m pytest -c tests/pytest.ini tests/server/test_abuse.py --hypothesis-profile=long
"""

import math
from collections.abc import Iterator
from typing import Any

import pytest
from any_node import SOURCES, kind, options, prompt_for, slots
from hypothesis import given
from hypothesis import strategies as st

from comfyui_host.client import Client, PromptError

NODES = """MaskToLatent BlendSampler RePaintSampler MatchSampler KSampler InpaintModel Schedule Encode Composite Crop
           Stitch""".split()
WRONG = [None, "", "abc", [], {}, {"samples": 1}, {"__value__": [1]}, True, -1, 10**30, 1.5, math.nan, math.inf]
PRIMITIVES = {"INT": "PrimitiveInt", "FLOAT": "PrimitiveFloat", "COMBO": "PrimitiveString"}
SINKS = {"target", "sample"}


@pytest.fixture(scope="module")
def nodes(client) -> dict[str, Any]:
    found = {name: info for name, info in client.object_info().items() if name.startswith("LatentRepaint_")}
    assert found.keys() == {f"LatentRepaint_{name}" for name in NODES}
    return found


@pytest.fixture(scope="module", autouse=True)
def the_same_picture_before_and_after(client, prompt) -> Iterator[None]:
    """Whatever happens between: the host goes on, and a seed gives the same bytes."""

    def picture() -> bytes:
        run = client.run(prompt("ksampler", steps=3, seed=11))
        assert run.evaluations("sample") == 6
        return client.fetch(run.outputs["save"]["images"][0])

    before = picture()
    yield
    assert picture() == before


def values(slot: list[Any]) -> st.SearchStrategy:
    """What is at, about and far beyond the limits of an input, and what is not even of its type."""
    if kind(slot) not in ("INT", "FLOAT"):
        legal = options(slot) if kind(slot) == "COMBO" else []
        return st.sampled_from([*WRONG, *legal]) | st.text(max_size=20)
    low, high = slot[1]["min"], slot[1]["max"]
    numbers = st.integers(low, high) if kind(slot) == "INT" else st.floats(low, high)
    return st.sampled_from([low, high, low - 1, high + 1, *WRONG]) | numbers | st.integers() | st.floats()


def is_legal(slot: list[Any], value: Any) -> bool:
    """Whether the host may take `value` for this input; it converts what can be converted."""
    if kind(slot) == "COMBO":
        return value in options(slot)
    if kind(slot) == "BOOLEAN":
        return True
    if kind(slot) not in ("INT", "FLOAT"):
        return False
    try:
        number = int(value) if kind(slot) == "INT" else float(value)
    except (TypeError, ValueError, OverflowError):
        return False
    return slot[1]["min"] <= number <= slot[1]["max"]


def run_a_while(client: Client, prompt: dict[str, Any]) -> None:
    """Run a prompt; a long one is interrupted after a few evaluations."""
    reported: list[int] = []

    def stop(node: str, value: int, total: int) -> None:
        if value >= 5 and total > 100 and not any(seen >= 5 for seen in reported):
            client.interrupt()
        reported.append(value)

    try:
        client.run(prompt, stop)
    except PromptError as error:
        if error.kind != "interrupted":
            raise


@pytest.mark.parametrize("name", NODES)
@given(data=st.data())
def test_a_wrong_input_is_named_and_a_right_one_runs(client, nodes, name, data):
    info = nodes[f"LatentRepaint_{name}"]
    slot_name = data.draw(st.sampled_from(sorted(slots(info))), "input")
    slot = slots(info)[slot_name]
    value = data.draw(values(slot), "value")
    over_a_link = kind(slot) in PRIMITIVES and type(value) in (int, float, str) and data.draw(st.booleans(), "link")
    prompt = prompt_for(f"LatentRepaint_{name}", info, **{slot_name: ["primitive", 0] if over_a_link else value})
    if over_a_link:
        prompt["primitive"] = {"class_type": PRIMITIVES[kind(slot)], "inputs": {"value": value}}
    try:
        run_a_while(client, prompt)
    except PromptError as error:
        said = f"{error} ({error.kind}, node {error.node_id}, {error.node_type})"
        if over_a_link and error.node_type == PRIMITIVES[kind(slot)]:
            return  # the host's own node refused the number
        assert error.node_id in SINKS and slot_name in str(error), said
        assert f"LatentRepaint_{name}" in error.node_type + str(error), said
    else:
        left_out = value is None and slot_name in info["input"].get("optional", {})
        assert left_out or is_legal(slot, value), f"{slot_name} = {value!r} went through"


@pytest.mark.parametrize("name", NODES)
def test_a_link_of_another_type_is_refused_by_name(client, nodes, name):
    info = nodes[f"LatentRepaint_{name}"]
    for slot_name, slot in slots(info).items():
        other = "MASK" if kind(slot) == "IMAGE" else "IMAGE"
        with pytest.raises(PromptError) as error:
            client.run(prompt_for(f"LatentRepaint_{name}", info, **{slot_name: SOURCES[other]}))
        assert error.value.kind == "return_type_mismatch" and slot_name in str(error.value)
        assert error.value.node_id == "target"
