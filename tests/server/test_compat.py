"""Workflows saved with any release still run."""

import io
import json

import pytest
from PIL import Image

from comfyui_host import install
from comfyui_host.workflow import to_prompt

SAVED = sorted((install.ROOT / "tests" / "compat").glob("*/*.json"))


@pytest.mark.parametrize("path", SAVED, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_saved_workflow_runs(client, path):
    saved = json.loads(path.read_text(encoding="utf-8"))
    prompt = to_prompt(saved) if path.name.endswith(".ui.json") else saved
    for node in prompt.values():
        node["inputs"] |= {"steps": 3} if "steps" in node["inputs"] else {}
    run = client.run(prompt)
    (file,) = (
        image for output in run.outputs.values() for image in output.get("images", []) if image["type"] == "output"
    )
    low, high = Image.open(io.BytesIO(client.fetch(file))).convert("L").getextrema()
    assert low < high
