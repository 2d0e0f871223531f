"""Help and translations: the files that the page looks for say all that the schemas say, and nothing else."""

import json
import re

import pytest

from comfyui_host import install
from latent_repaint.nodes import NODES

SCHEMAS = {node.GET_SCHEMA().node_id: node.GET_SCHEMA() for node in NODES}
HELP_COLUMNS = 24  # of fixed width; more are cut off in the help panel of a window of 1440 pixels
TRANSLATED = ("LatentRepaint_KSampler", "LatentRepaint_Encode", "LatentRepaint_Composite")  # what people meet first
TEMPLATE = r"\*(\d\d-[\w-]+)\*"
LANGUAGES = ("en", "zh", "ja", "ko", "ru", "fr", "es", "de")


@pytest.mark.parametrize("node_id", SCHEMAS)
def test_the_help_of_a_node_names_every_input_and_output(node_id):
    text = (install.ROOT / "web" / "docs" / f"{node_id}.md").read_text(encoding="utf-8")
    head, inputs, outputs, graph = re.split(r"\n## (?:Inputs|Outputs|Graph)\n", text)
    schema = SCHEMAS[node_id]
    assert re.findall(r"^- \*\*(\w+)\*\*", inputs, re.M) == [slot.id for slot in schema.inputs]
    assert re.findall(r"^- \*\*(\w+)\*\*", outputs, re.M) == [slot.display_name or slot.id for slot in schema.outputs]
    assert len(re.findall(r"[.!?](?:\s|$)", head)) >= 2
    (drawn,) = re.findall(r"^```\n(.+?)^```$", graph, re.M | re.S)
    assert max(map(len, drawn.splitlines())) <= HELP_COLUMNS
    (template,) = re.findall(TEMPLATE, head)
    saved = json.loads((install.ROOT / "workflows" / f"{template}.json").read_text(encoding="utf-8"))
    assert node_id in {node["type"] for node in saved["nodes"]}


def test_a_help_page_has_a_picture_and_all_of_them_are_small():
    folder = install.ROOT / "web" / "docs"
    for node_id in SCHEMAS:
        text = (folder / f"{node_id}.md").read_text(encoding="utf-8")
        assert re.findall(r"^!\[.+\]\((.+)\)$", text, re.M) == [f"{node_id}.webp"]
    pictures = sorted(folder.glob("*.webp"))
    assert {path.stem for path in pictures} == {path.stem for path in folder.glob("*.md")} == set(SCHEMAS)
    assert sum(path.stat().st_size for path in pictures) < 600_000


@pytest.mark.parametrize("language", LANGUAGES[1:])
@pytest.mark.parametrize("node_id", TRANSLATED)
def test_translated_help_says_all_that_the_english_one_says(node_id, language):
    folder = install.ROOT / "web" / "docs"
    english = (folder / f"{node_id}.md").read_text(encoding="utf-8")
    text = (folder / node_id / f"{language}.md").read_text(encoding="utf-8")
    labels = json.loads((install.ROOT / "locales" / language / "nodeDefs.json").read_text(encoding="utf-8"))[node_id]
    assert text.splitlines()[0] == f"# {labels['display_name']}"
    named = [
        (label, ident or label) for label, ident in re.findall(r"^- \*\*(.+?)\*\*(?: ?[(（](\w+)[)）])?", text, re.M)
    ]
    assert [ident for _, ident in named] == re.findall(r"^- \*\*(\w+)\*\*", english, re.M)
    shown = [slot["name"] for slots in ("inputs", "outputs") for slot in labels[slots].values()]
    assert [label for label, _ in named] == shown  # as the page calls them
    same_in_all = rf"^!\[.+\]\((.+)\)$|^```\n(.+?)^```$|{TEMPLATE}"  # picture and graph
    assert re.findall(same_in_all, text, re.M | re.S) == re.findall(same_in_all, english, re.M | re.S)
    said = r"[\d.]*\d|\*[a-z]+(?:_\w+)?\*"  # figures and choices
    choices = {f"*{name}*" for slot in SCHEMAS[node_id].inputs for name in getattr(slot, "options", None) or []}
    assert {word for word in re.findall(said, english) if word[0] != "*" or word in choices} <= set(
        re.findall(said, text)
    )


def expected() -> dict:
    """The English texts, as the schemas have them."""
    return {
        node_id: {
            "display_name": schema.display_name,
            "description": schema.description,
            "inputs": {slot.id: {"name": slot.id, "tooltip": slot.tooltip} for slot in schema.inputs},
            "outputs": {
                str(i): {"name": slot.display_name or slot.id, "tooltip": slot.tooltip}
                for i, slot in enumerate(schema.outputs)
            },
        }
        for node_id, schema in SCHEMAS.items()
    }


def paths(tree: object, prefix: str = "") -> dict[str, str]:
    """Every text of a tree, by its path."""
    if not isinstance(tree, dict):
        return {prefix: str(tree)}
    return {path: text for key, value in tree.items() for path, text in paths(value, f"{prefix}/{key}").items()}


def read(language: str, name: str) -> dict[str, str]:
    return paths(json.loads((install.ROOT / "locales" / language / name).read_text(encoding="utf-8")))


def test_english_is_what_the_schemas_say():
    assert read("en", "nodeDefs.json") == paths(expected())


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_language_has_every_text_and_no_other(language):
    texts = read(language, "nodeDefs.json")
    assert texts.keys() == paths(expected()).keys()
    assert read(language, "main.json").keys() == read("en", "main.json").keys()
    assert all(text.strip() and not set(text) & set("@{}|") for text in texts.values())  # the page's own syntax


@pytest.mark.parametrize("language", LANGUAGES[1:])
def test_a_language_is_translated(language):
    own, english = read(language, "nodeDefs.json"), read("en", "nodeDefs.json")
    same = [path for path in own if path.endswith(("tooltip", "description")) and own[path] == english[path]]
    assert same == []
