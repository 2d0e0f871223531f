"""What the documents point at is there: files, headings, and the workflows that their pictures carry."""

import json
import re
from pathlib import Path

import pytest
from PIL import Image

from comfyui_host.install import ROOT

PARTS = "batch benchmarks comfyui_host demo demo_model docs nodes pixels samplers subgraphs tests web workflows".split()
PAGES = sorted([*ROOT.glob("*.md"), *(path for part in PARTS for path in (ROOT / part).rglob("*.md"))])
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())


def anchors(page: Path) -> set[str]:
    """The fragments that lead to a page's headings, as they are made of them on GitHub."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@each_page
def test_every_link_leads_somewhere(page):
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    folder = page.parent
    if folder.parent.name == "docs" and folder.parent.parent.name == "web":  # help in other languages: ComfyUI's page
        folder = folder.parent  # looks for its pictures beside the English one
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        path, _, anchor = target.partition("#")
        if re.match(r"\w+:", target):
            continue
        aim = page if not path else (folder / path)
        assert aim.exists(), f"{target}: no such file"
        assert not anchor or anchor in anchors(aim), f"{target}: no such heading"


@each_page
def test_every_file_that_is_named_exists(page):
    text = page.read_text(encoding="utf-8")
    for name in re.findall(rf"`((?:{'|'.join(PARTS)})/[\w/.-]+\.(?:py|md|json|toml|png|yml))\b", text):
        assert (ROOT / name).exists(), name


@pytest.mark.parametrize("name", ["gallery.png", "side_by_side.png"])
def test_a_result_carries_the_workflow_that_made_it(name):
    """So that it opens when dragged into ComfyUI; a template of today, or one that was."""
    nodes = json.loads(Image.open(ROOT / "docs" / name).info["workflow"])["nodes"]
    kinds = {node["type"] for node in nodes}
    paths = [*(ROOT / "workflows").glob("*.json"), *(ROOT / "tests" / "compat").glob("*/*.ui.json")]
    templates = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
    assert kinds in [{node["type"] for node in template["nodes"]} for template in templates]
    assert any(kind.startswith("LatentRepaint_") for kind in kinds)
