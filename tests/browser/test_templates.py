"""Every template: opened in the page, queued from the page, and opened again from the picture that it made."""

import io
import json

import bootstrap
import pytest
from PIL import Image
from workflow import to_prompt

WORKFLOWS = bootstrap.ROOT / "workflows"
TEMPLATES = sorted(path.stem for path in WORKFLOWS.glob("*.json"))
SAVED = sorted((bootstrap.ROOT / "tests" / "compat").glob("*/*.ui.json"))
DROP = """async ([url, name]) => {
    const content = await (await fetch(url)).blob()
    app.graph.clear()
    await app.handleFile(new File([content], name, {type: 'image/png'}))
    return (await app.graphToPrompt()).output
}"""


def inputs(prompt):
    """What is queued; PreviewAny's text is the page's own, filled in after a run."""
    return {key: (node["class_type"], {name: value for name, value in node["inputs"].items() if name != "preview"})
            for key, node in prompt.items()}


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_opens_runs_and_comes_back_out_of_its_picture(desk, name):
    graph = desk.get(f"/api/workflow_templates/latent-repaint/{name}.json")
    opened = desk.open(graph)
    assert opened["missing"] == []
    assert inputs(opened["prompt"]) == inputs(to_prompt(graph))  # every value in the widget that it was meant for
    outputs = desk.run()
    desk.fit()
    desk.photograph(name)
    (save,) = (node for node in graph["nodes"] if node["type"] == "SaveImage")
    (file,) = outputs[str(save["id"])]["images"]
    picture = Image.open(io.BytesIO(desk.client.fetch(file)))
    assert picture.convert("L").getextrema()[0] < picture.convert("L").getextrema()[1]
    url = f"/view?filename={file['filename']}&type={file['type']}&subfolder={file['subfolder']}"
    assert inputs(desk.page.evaluate(DROP, [url, file["filename"]])) == inputs(opened["prompt"])


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
    now = inputs(opened["prompt"])
    for key, (class_type, values) in inputs(to_prompt(saved)).items():
        assert now[key][0] == class_type and now[key][1].items() >= values.items()  # inputs may have been added


def test_the_template_browser_lists_them_all(desk):
    assert sorted(desk.get("/api/workflow_templates")["latent-repaint"]) == TEMPLATES
