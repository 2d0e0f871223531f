"""Which nodes take the picture, the mask, the texts and the seed; and a host that does not fit."""

import json

import pytest

from batch import Refused
from batch.__main__ import NEEDS
from batch.workflow import understood
from benchmarks.batch.trial import node
from comfyui_host.install import ROOT
from comfyui_host.prompt import address, converted, parse


def flow(**nodes):
    """A workflow with a picture and a result, and what is given beside."""
    plain = {"1": node("LoadImage", "Load Image", image="x.png"), "9": node("SaveImage", images=["1", 0])}
    return plain | {key.lstrip("n"): value for key, value in nodes.items()}


NOTHING = None, None, None  # no node is named
SECOND = node("LoadImage", "Load Image", image="y.png")
MASK = node("LoadImageMask", image="m.png", channel="red")


@pytest.mark.parametrize(
    ("prompt", "options", "wanted"),
    [
        (flow(), NOTHING, ("1", "", False, "9")),
        (flow(n2=node("Encode", image=["1", 0], mask=["1", 1])), NOTHING, ("1", "", True, "9")),  # in its alpha
        (flow(n2=SECOND, n3=node("Encode", pixels=["1", 0], mask=["2", 1])), NOTHING, ("1", "2", False, "9")),
        (flow(n2=SECOND, n3=node("Encode", pixels=["2", 0], mask=["1", 1]), n9=node("SaveImage", images=["3", 0])),
         NOTHING, ("2", "1", False, "9")),
        (flow(n2=node("LoadImage", "Image", image="y.png"), n3=node("LoadImage", "MASK", image="m.png"),
              n4=node("SaveImage", "result", images=["1", 0]), n5=node("Encode", mask=["3", 0])),
         NOTHING, ("2", "3", False, "4")),
        (flow(n2=node("LoadImage", "photo", image="y.png"), n3=MASK, n4=node("Encode", mask=["3", 0])),
         ("photo", "3", "9"), ("2", "3", False, "9")),
    ],
)  # fmt: skip
def test_nodes_are_found_by_what_they_do_by_their_titles_and_by_options(prompt, options, wanted):
    found = understood(prompt, *options)
    assert (found.image, found.mask, found.mask_in_alpha, found.result) == wanted
    assert found.wants_mask == bool(found.mask or found.mask_in_alpha)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"n2": SECOND}, ["--image NODE", "1 LoadImage", "2 LoadImage"]),
        ({"n2": node("LoadImageMask", image="a"), "n3": node("LoadImageMask", image="b")}, ["--mask NODE", "3 LoadIm"]),
        ({"n2": node("SaveImage", images=["1", 0])}, ["--result NODE", "2 SaveImage", "9 SaveImage"]),
    ],
)
def test_two_candidates_are_listed(more, words):
    with pytest.raises(Refused) as caught:
        understood(flow(**more), *NOTHING)
    assert all(word in str(caught.value) for word in words)


def test_a_workflow_without_a_loader_or_a_result_says_what_is_wanted():
    with pytest.raises(Refused, match="0 nodes could take the picture, as LoadImage does"):
        understood({"1": node("SaveImage", images=["2", 0])}, *NOTHING)
    with pytest.raises(Refused, match="0 nodes could give the result, as SaveImage does"):
        understood({"1": node("LoadImage", image="x.png")}, *NOTHING)
    with pytest.raises(Refused, match="--image 7: no node"):
        understood(flow(), "7", None, None)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", "7", '{"1": 5}', '{"1": {"class_type": "A"}}', '{"a": {"inputs": {}}}', "[" * 100_000, '"\xff'],
)
def test_what_is_no_workflow_is_refused(text):
    with pytest.raises(ValueError, match=r"mine\.json"):
        parse(text.encode("latin-1"), "mine.json")


def test_a_request_to_the_host_does_as_well():
    assert parse(b"\xef\xbb\xbf" + json.dumps({"prompt": flow(), "client_id": "x"}).encode(), "w") == flow()


def test_texts_are_found_through_what_stands_between():
    prompt = flow(
        n2=node("CLIPTextEncode", text="a"), n3=node("CLIPTextEncode", text="b"),
        n4=node("ControlNetApplyAdvanced", positive=["2", 0], negative=["3", 0], strength=1.0),
        n5=node("FluxGuidance", conditioning=["4", 0], guidance=3.0),
        n6=node("KSampler", positive=["5", 0], negative=["4", 1], seed=1),
    )  # fmt: skip
    found = understood(prompt, *NOTHING)
    assert (found.text("positive"), found.text("negative")) == ("2.text", "3.text")
    prompt["5"] = node("ConditioningCombine", conditioning_1=["2", 0], conditioning_2=["3", 0])
    with pytest.raises(Refused, match="2 texts of the workflow lead to 'positive'"):
        found.text("positive")


@pytest.mark.parametrize("zeroed", [["2", 0], ["6", 0]], ids=["directly", "behind a reroute"])
def test_a_negative_that_is_made_of_the_prompt_is_refused_and_the_prompt_is_written(zeroed):
    prompt = flow(
        n2=node("CLIPTextEncode", text="a"), n3=node("FluxGuidance", conditioning=["2", 0], guidance=3.5),
        n4=node("ConditioningZeroOut", conditioning=zeroed), n5=node("KSampler", positive=["3", 0], negative=["4", 0]),
        n6=node("Reroute", value=["2", 0]),
    )  # fmt: skip
    found = understood(prompt, *NOTHING)
    assert found.text("positive") == "2.text"
    with pytest.raises(Refused, match="would overwrite the prompt"):
        found.text("negative")
    prompt["7"] = node("CLIPTextEncode", text="b")
    prompt["4"] = node("ConditioningCombine", conditioning_1=["2", 0], conditioning_2=["7", 0])
    assert found.text("negative") == "7.text"  # what leads to both sides is the prompt


def test_a_text_that_stands_in_a_node_of_its_own_is_found_there_if_it_goes_nowhere_else():
    prompt = flow(
        n2=node("PrimitiveString", value="a"), n3=node("CLIPTextEncode", text=["2", 0], clip=["1", 0]),
        n4=node("CLIPTextEncode", text="b"), n5=node("KSampler", positive=["3", 0], negative=["4", 0]),
    )  # fmt: skip
    found = understood(prompt, *NOTHING)
    assert (found.text("positive"), found.text("negative")) == ("2.value", "4.text")
    prompt["9"]["inputs"]["filename_prefix"] = ["2", 0]
    with pytest.raises(Refused, match="0 texts"):
        found.text("positive")


def test_a_picture_s_inputs_replace_the_workflow_s_and_fixed_seeds_stay():
    prompt = flow(
        n2=node("LoadImageMask", image="m.png", channel="alpha"), n3=node("KSampler", "one", seed=1, steps=20),
        n4=node("RandomNoise", noise_seed=2), n5=node("KSampler", seed=["4", 0], mask=["2", 0]),
    )  # fmt: skip
    found = understood(prompt, *NOTHING)
    made, seeds = found.filled("batch/a.png", "batch/m.png", 77, {address(prompt, "one.steps"): 4}, {})
    assert made["1"]["inputs"]["image"] == "batch/a.png"
    assert made["2"]["inputs"] == {"image": "batch/m.png", "channel": "alpha"}
    assert made["3"]["inputs"] == {"seed": 77, "steps": 4}
    assert made["4"]["inputs"] == {"noise_seed": 77}
    assert made["5"]["inputs"]["seed"] == ["4", 0] and seeds == {"3.seed": 77, "4.noise_seed": 77}
    assert prompt["3"]["inputs"] == {"seed": 1, "steps": 20}


def known(**limits):
    """What a host says of nodes whose seed has these limits."""
    return {kind: {"input": {"required": {"seed": ["INT", more]}}} for kind, more in limits.items()}


def test_a_seed_in_a_node_of_its_own_is_set_there_and_fits_all_nodes_that_it_reaches():
    prompt = flow(
        n2=node("PrimitiveInt", value=5), n3=node("Reroute", value=["2", 0]), n4=node("KSampler", seed=["3", 0]),
        n5=node("Upscaler", seed=["2", 0]),
    )  # fmt: skip
    found, small = understood(prompt, *NOTHING), known(Upscaler={"min": 0, "max": 2**32 - 1})
    made, seeds = found.filled("a", "", 2**40 + 7, {}, small)
    assert made["2"]["inputs"]["value"] == 7 and seeds == {"2.value": 7} and not found.strange_seeds
    assert understood(flow(n4=node("Upscaler", seed=3)), *NOTHING).filled("a", "", 2**32, {}, small)[1] == {"4.seed": 0}
    prompt["6"] = node("KSampler", seed=1, steps=["2", 0])  # the number is no seed alone
    found = understood(prompt, *NOTHING)
    assert list(found.seeds) == [("6", "seed")] and len(found.strange_seeds) == 2


@pytest.mark.parametrize(
    ("now", "given", "wanted"),
    [(20, "4", 4), (20, "4.0", 4), (20, "1e3", 1000), (1, "4.5", 4.5), (1, 10**30, 10**30), (1.5, "2", 2.0),
     (1.5, 2, 2.0), (1.5, "1e3", 1000.0), (True, "False", False), ("a", "7", "7"), ("a", 7, "7")],
)  # fmt: skip
def test_values_become_what_stands_in_the_workflow(now, given, wanted):
    found = converted(flow(n2=node("A", x=now)), "2.x", given)
    assert found == wanted and type(found) is type(wanted)


@pytest.mark.parametrize(
    ("now", "given"),
    [(20, "true"), (20, "nan"), (20, "1e999"), (20, "0x10"), (20, "1,5"), (1.5, "much"), (1.5, "NaN"), (1.5, "inf"),
     (1.5, 10**400), (20, "9" * 5000), (True, "1"), (20, ""), ("a", "half \ud800"),
     (20, [1, 0]), ("a", ["1", 0]), (20, float("inf")), (1.5, float("nan")), ("a", {}), (20, "[" * 9999)],
)  # fmt: skip
def test_values_that_cannot_be_are_refused(now, given):
    with pytest.raises(ValueError, match=r"input 2\.x: found"):
        converted(flow(n2=node("A", x=now)), "2.x", given)


@pytest.mark.parametrize("key", ["7.steps", "2.nothing", "2.model", "steps"])
def test_inputs_that_are_not_there_or_are_linked_are_refused(key):
    with pytest.raises(ValueError, match=key):
        address(flow(n2=node("A", steps=1, model=["1", 0])), key)


def test_the_extra_of_pyproject_is_what_is_installed_on_first_use():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert f"batch = {json.dumps(NEEDS)}" in text
