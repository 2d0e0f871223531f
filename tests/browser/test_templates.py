"""Every template: opened in the page, queued from the page, and opened again from the picture that it made."""

import json
import re

import numpy as np
import pytest
from desk import SCREENS, inputs
from PIL import Image

from comfyui_host import install
from comfyui_host.workflow import to_prompt
from demo.demo_values import SCENES, with_demo_values
from demo.templates.everyday import CHECKPOINT

WORKFLOWS = install.ROOT / "workflows"
TEMPLATES = sorted(path.stem for path in WORKFLOWS.glob("*.json"))
SAVED = sorted((install.ROOT / "tests" / "compat").glob("*/*.ui.json"))
START = "01-start-here-inpaint-fill"
SAMPLING = ("KSampler", "LatentRepaint_KSampler", "SamplerCustomAdvanced")
SMALLEST = 9  # pixels of a letter on the screen
BLANK = """() => app.graph.nodes.filter(node => /MaskToLatent|Schedule$/.test(node.type) && !node.imgs?.length)
    .map(node => node.type)"""


def evaluations(node):
    """How many model evaluations a sampling node of a template promises."""
    if node["type"] == "SamplerCustomAdvanced":
        return 40  # Match, with one more evaluation in each of 20 steps
    if node["type"] == "KSampler":  # behind Inpaint Model, at its default of two evaluations a step
        return 2 * node["widgets_values"][2]
    _, _, steps, *_, evaluations_per_step = node["widgets_values"]
    return steps * evaluations_per_step


def issues(desk):
    """What the page has to say against a workflow that it just opened."""
    said = [
        desk.page.get_by_text("issues found"),
        desk.page.get_by_text("issue found"),
        desk.page.get_by_role("dialog"),
    ]
    return [text for place in said for text in place.all_inner_texts()]


def look(desk, name, width, height, drawing=""):
    """Open a template on a screen of that size: all of it is in view, legible, and nothing lies over anything."""
    graph = desk.template(name)
    desk.page.set_viewport_size({"width": width, "height": height})
    desk.page.wait_for_timeout(300)
    opened = desk.open(graph)
    desk.page.wait_for_timeout(1500)  # for its pictures, which make a node taller
    desk.photograph(f"{name} {width}x{height}{drawing}")
    view = desk.view()
    assert view["scale"] >= 0.75 and view["letters"] >= SMALLEST and not view["dropped"], view
    assert view["left"] >= 0 and view["top"] >= 0, view
    assert view["right"] <= view["width"] and view["bottom"] <= view["height"], view
    assert view["columns"] <= 3
    assert view["overlaps"] == [] and view["under the map"] == []
    assert opened["missing"] == [] and issues(desk) == []
    if "video" not in name:  # the page of 0.3.75 has a word of its own for no film
        assert inputs(opened["prompt"]) == inputs(to_prompt(graph))  # every value in its own widget


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_is_legible_as_it_opens(desk, name):
    for size in SCREENS:
        look(desk, name, *size)


@pytest.mark.parametrize("session_desk", ["newer page"], indirect=True, scope="session")
def test_a_template_is_legible_with_nodes_2_0_too(desk):
    """The nodes that newer pages offer in place of their own: taller and wider. The host's own page has a first form of
    them, which scales every graph as it opens it."""
    with desk.set({"Comfy.VueNodes.Enabled": True}):
        for name in TEMPLATES:
            look(desk, name, *SCREENS[0], " nodes 2.0")


def test_a_model_that_is_not_here_is_offered_for_download(desk):
    absent = "somewhere_else.safetensors"
    graph = json.loads(json.dumps(desk.template(START)).replace(CHECKPOINT, absent))
    desk.open(graph)
    if desk.newer:
        desk.page.get_by_role("button", name="View details").click()
    desk.page.get_by_text(absent).first.wait_for()
    desk.page.get_by_role("button", name=re.compile("Download")).first.wait_for()
    desk.photograph("model not here")
    desk.page.keyboard.press("Escape")


def test_the_first_template_runs_as_it_opens_and_run_twice_gives_two_pictures(desk):
    """Its values are those for SDXL, and so is the name of the model; the model itself is the demo's, and knows the
    size of SD 1.5."""
    desk.open(desk.template(START))
    desk.set_value("LatentRepaint_KSampler", "steps", 2)
    desk.set_value("LatentRepaint_KSampler", "method", "blend")
    runs = [desk.run() for _ in range(2)]
    desk.photograph(f"{START} as it opens, after")
    texts = " ".join(text for output in runs[0]["outputs"].values() for text in output.get("text", []))
    assert "The crop is 1." in texts  # more than 700 pixels, at 512
    first, second = (np.asarray(desk.saved(run)[1]).astype(int) for run in runs)
    before = np.asarray(Image.open(install.find_host().tree / "input" / "example.png").convert("RGB")).astype(int)
    dress = (before == (0xFF, 0xA6, 0xD6)).all(-1)
    assert (abs(first - before).max(-1) > 0)[dress].mean() > 0.95
    assert (abs(first - second).max(-1) > 0)[dress].mean() > 0.9
    rows, columns = np.nonzero(dress)
    far = np.ones_like(dress)
    far[max(rows.min() - 64, 0) : rows.max() + 64, max(columns.min() - 64, 0) : columns.max() + 64] = False
    assert (first == before)[far].all() and far.mean() > 0.5


@pytest.mark.parametrize("name", SCENES)
def test_a_template_opens_runs_and_comes_back_out_of_its_picture(desk, name):
    graph = with_demo_values(name, desk.template(name))
    opened = desk.open(graph)
    assert opened["missing"] == []
    assert inputs(opened["prompt"]) == inputs(to_prompt(graph))  # every value in the widget that it was meant for
    run = desk.run()
    desk.fit()
    desk.photograph(f"{name} after")
    assert desk.view()["overlaps"] == []  # also with a picture on every node that shows one
    assert desk.page.evaluate(BLANK) == []
    totals = {str(node["id"]): evaluations(node) for node in graph["nodes"] if node["type"] in SAMPLING}
    for key, total in totals.items():
        progress = [(value, of) for node, value, of in run["progress"] if node == key]
        assert progress == sorted(progress) and progress[-1] == (total, total) and {of for _, of in progress} == {total}
        assert run["previews"][key] == len(progress)  # a picture of every evaluation, on the node that makes it
        assert desk.page.evaluate("id => app.graph.getNodeById(id).imgs[0].naturalWidth", key) > 0
    file, picture = desk.saved(run)
    assert np.ptp(picture) > 0
    desk.drop(file)
    desk.page.wait_for_function("count => app.graph.nodes.length === count", arg=len(graph["nodes"]))
    assert inputs(desk.prompt()) == inputs(opened["prompt"])


@pytest.mark.parametrize("path", SAVED, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_saved_workflow_opens(desk, path):
    saved = json.loads(path.read_text(encoding="utf-8"))
    opened, wanted = desk.open(saved), inputs(to_prompt(saved))
    assert opened["missing"] == []
    found = inputs(opened["prompt"])
    for key, (_, values) in wanted.items():  # nodes may have got inputs since a workflow was saved
        assert found[key][1].items() >= values.items()
    assert {key: kind for key, (kind, _) in found.items()} == {key: kind for key, (kind, _) in wanted.items()}


def test_the_dialog_finds_a_template_by_the_word_that_a_person_has_for_it(desk):
    desk.page.get_by_role("button", name="Templates").first.click()
    dialog = desk.page.get_by_role("dialog")
    dialog.get_by_text("latent-repaint", exact=True).click()
    desk.page.get_by_test_id(f"template-workflow-{START}").wait_for()
    for word in ("inpaint", "fill", "erase", "remove", "outpaint", "extend", "repaint"):
        dialog.get_by_role("textbox").first.fill(word)
        wanted = [name for name in TEMPLATES if word in name]
        assert len(wanted) >= (8 if word == "inpaint" else 1)
        for name in wanted:
            desk.page.get_by_test_id(f"template-workflow-{name}").wait_for()
    desk.load()  # Escape empties the search, and leaves the dialog
