"""Every template: opened in the page, queued from the page, and opened again from the picture that it made."""

import io
import json

import pytest
from PIL import Image
from prompts import differences, values

from comfyui_host import install
from comfyui_host.workflow import to_prompt

WORKFLOWS = install.ROOT / "workflows"
TEMPLATES = sorted(path.stem for path in WORKFLOWS.glob("*.json"))
SAVED = sorted((install.ROOT / "tests" / "compat").glob("*/*.ui.json"))
SAMPLING = ("LatentRepaint_KSampler", "SamplerCustomAdvanced")
EVALUATIONS = {"blend-inpaint": 25, "match-inpaint": 50, "mask-and-schedule": 50, "repaint-inpaint": 73}
DROP = """async ([url, name]) => {
    const files = new DataTransfer()
    files.items.add(new File([await (await fetch(url)).blob()], name, {type: 'image/png'}))
    app.graph.clear()
    for (const event of ['dragenter', 'dragover', 'drop'])
        app.canvas.canvas.dispatchEvent(new DragEvent(event, {dataTransfer: files, bubbles: true, cancelable: true}))
}"""
PROMPT = "async () => (await app.graphToPrompt()).output"
OVERLAPS = """() => {
    const boxes = app.graph.nodes.map(node => [node.type, ...node.getBounding()])
    return boxes.flatMap(([a, x, y, w, h], i) => boxes.slice(i + 1)
        .filter(([b, u, v, s, t]) => x < u + s && u < x + w && y < v + t && v < y + h).map(([b]) => `${a} and ${b}`))
}"""


def evaluations(name, node):
    """How many model evaluations a sampling node of a template promises."""
    if node["type"] == "SamplerCustomAdvanced":
        return EVALUATIONS[name]
    _, _, steps, *_, evaluations_per_step = node["widgets_values"]
    return steps * evaluations_per_step


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_opens_runs_and_comes_back_out_of_its_picture(desk, name):
    graph = desk.template(name)
    opened = desk.open(graph)
    assert opened["missing"] == []
    assert differences(opened["prompt"], to_prompt(graph)) == []  # every value in the widget that it was meant for
    run = desk.run()
    desk.fit()
    desk.photograph(name)
    assert desk.page.evaluate(OVERLAPS) == []  # also with a picture on every node that shows one
    totals = {str(node["id"]): evaluations(name, node) for node in graph["nodes"] if node["type"] in SAMPLING}
    for key, total in totals.items():
        progress = [(value, of) for node, value, of in run["progress"] if node == key]
        assert progress == sorted(progress) and progress[-1] == (total, total) and {of for _, of in progress} == {total}
        assert run["previews"][key] == len(progress)  # a picture of every evaluation, on the node that makes it
        assert desk.page.evaluate("id => app.graph.getNodeById(id).imgs[0].naturalWidth", key) > 0
    (save,) = (str(node["id"]) for node in graph["nodes"] if node["type"] == "SaveImage")
    (file,) = run["outputs"][save]["images"]
    picture = Image.open(io.BytesIO(desk.client.fetch(file)))
    assert picture.convert("L").getextrema()[0] < picture.convert("L").getextrema()[1]
    url = f"/view?filename={file['filename']}&type={file['type']}&subfolder={file['subfolder']}"
    desk.page.evaluate(DROP, [url, file["filename"]])
    desk.page.wait_for_function("count => app.graph.nodes.length === count", arg=len(graph["nodes"]))
    assert differences(desk.page.evaluate(PROMPT), opened["prompt"]) == []


@pytest.mark.parametrize("name", ["gallery.png", "side_by_side.png"])
def test_a_result_in_the_documents_opens_when_it_is_dragged_in(desk, name):
    path = install.ROOT / "docs" / name
    desk.client.upload(path)
    desk.page.evaluate(DROP, [f"/view?filename={name}&type=input", name])
    carried = json.loads(Image.open(path).info["workflow"])
    desk.page.wait_for_function("count => app.graph.nodes.length === count", arg=len(carried["nodes"]))
    assert differences(desk.page.evaluate(PROMPT), to_prompt(carried)) == []


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_has_a_thumbnail_and_says_what_to_change(name):
    assert Image.open(WORKFLOWS / f"{name}.jpg").size == (512, 512)
    graph = json.loads((WORKFLOWS / f"{name}.json").read_text(encoding="utf-8"))
    notes = " ".join(node["widgets_values"][0] for node in graph["nodes"] if node["type"] == "MarkdownNote")
    assert "SD 1.5" in notes and "SDXL" in notes and "Load Checkpoint" in notes


@pytest.mark.parametrize("path", SAVED, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_saved_workflow_opens(desk, path):
    saved = json.loads(path.read_text(encoding="utf-8"))
    opened = desk.open(saved)
    assert opened["missing"] == []
    wanted, found = to_prompt(saved), opened["prompt"]
    for key, node in found.items():  # inputs may have been added
        node["inputs"] = {name: value for name, value in values(node).items() if name in wanted[key]["inputs"]}
    assert differences(found, wanted) == []


def test_a_template_is_found_in_the_dialog_and_opened_from_it(desk):
    desk.page.get_by_role("button", name="Templates").first.click()
    dialog = desk.page.get_by_role("dialog")
    dialog.get_by_text("latent-repaint", exact=True).click()
    for name in TEMPLATES:
        desk.page.get_by_test_id(f"template-workflow-{name}").wait_for()
    desk.page.wait_for_timeout(1000)  # for the thumbnails
    desk.photograph("templates")
    desk.page.get_by_test_id("template-workflow-ksampler-inpaint").click()
    desk.page.wait_for_function("() => app.graph.nodes.some(node => node.type === 'LatentRepaint_KSampler')")
    dialog.wait_for(state="hidden")
    found = desk.page.evaluate(PROMPT)
    assert differences(found, to_prompt(desk.template("ksampler-inpaint"))) == []
    assert sorted(desk.get("/api/workflow_templates")["latent-repaint"]) == TEMPLATES


def test_nothing_overlaps_with_nodes_2_0_either(desk):
    """The nodes that the page offers in place of its own, and newer pages start with: they are taller."""
    desk.set({"Comfy.VueNodes.Enabled": True})
    try:
        desk.load()
        for name in TEMPLATES:
            graph = desk.template(name)
            for _ in range(3):  # the page itself scatters a graph that comes while it still measures the one before
                assert desk.open(graph)["missing"] == []
                desk.page.wait_for_function(
                    "count => document.querySelectorAll('[data-node-id]').length === count", arg=len(graph["nodes"])
                )
                desk.fit()  # what is out of sight is not measured
                overlaps = desk.page.evaluate(OVERLAPS)
                if not overlaps:
                    break
            desk.photograph(f"nodes 2.0 {name}")
            assert overlaps == [], name
    finally:
        desk.set({"Comfy.VueNodes.Enabled": False})
        desk.load()
