"""What a user finds in the page: help, search, pictures on the nodes, other languages. And what they do in it: cancel,
save, and come back."""

import json

import pytest

from comfyui_host import install
from demo.demo_values import with_demo_values

BOXES = {path.stem for path in (install.ROOT / "subgraphs").glob("*.json")}
(BLUEPRINT,) = (name for name in BOXES if name.startswith("Inpaint"))
PLAIN = install.ROOT / "tests" / "compat" / "0.2.0" / "start-here-inpaint.ui.json"
"""The small model, Encode, KSampler Inpaint and Composite, all unfolded."""
START = "01-start-here-inpaint-fill"
NOTHING_MASKED = "Nothing is masked: paint a mask in Load Image, right click > Open in MaskEditor."
NODES = json.loads((install.ROOT / "locales" / "en" / "nodeDefs.json").read_text(encoding="utf-8"))
TOLD = """['Encode', 'KSampler', 'Composite'].map(name => app.graph.nodes
    .find(node => node.type === `LatentRepaint_${name}`).widgets
    .find(widget => widget.name === 'latent_repaint_notice')?.element.textContent ?? '')"""
VISIBLE = """() => {
    const {element} = app.graph.nodes.find(node => node.type === 'LatentRepaint_KSampler').widgets
        .find(widget => widget.name === 'latent_repaint_notice')
    return element.checkVisibility() && element.scrollHeight <= element.clientHeight + 1 && element.clientHeight > 20
}"""
DISABLED = """() => app.graph.nodes.find(node => node.type === 'LatentRepaint_KSampler').widgets
    .find(widget => widget.name === 'evaluations_per_step').disabled"""
ALONE = """type => {
    app.graph.clear()
    const node = LiteGraph.createNode(type)
    app.graph.add(node)
    const {scale, offset} = app.canvas.ds
    node.pos = [900 / scale - offset[0], 400 / scale - offset[1]]
    app.canvas.selectItems([node])
}"""
TRANSLATED = ("LatentRepaint_KSampler", "LatentRepaint_Encode", "LatentRepaint_Composite")


def plain():
    graph = json.loads(PLAIN.read_text(encoding="utf-8"))
    for node in graph["nodes"]:
        if node["type"] == "LatentRepaint_KSampler":
            node["pos"][1] += 60  # Encode above it has got an input since, and is taller
    return graph


def test_what_goes_wrong_is_said_on_the_node_in_room_of_its_own(desk):
    """The sentence of the error, on the node that failed; and it is gone when it no longer holds."""
    desk.open(plain())
    desk.set_value("LatentRepaint_KSampler", "method", "blend")
    desk.set_value("LatentRepaint_KSampler", "denoise", 0.0001)
    desk.queue()
    desk.page.wait_for_function(f"window.run.end === 'execution_error' && {TOLD}[1]")
    desk.page.keyboard.press("Escape")  # the page's own words for it
    desk.fit()
    said = desk.page.evaluate(TOLD)[1]
    assert said.startswith("inputs steps, denoise: found 20, 0.0001, wanted steps / denoise of at most")
    desk.photograph("error")
    assert desk.page.evaluate(VISIBLE) and desk.view()["overlaps"] == []
    desk.set_value("LatentRepaint_KSampler", "denoise", 1.0)
    desk.run()
    desk.page.wait_for_function(f"/^20 steps in /.test({TOLD}[1])")


def test_with_nothing_masked_the_nodes_say_so(desk):
    graph = plain()
    for node in graph["nodes"]:
        if node["type"] == "LoadImage":
            node["widgets_values"][0] = "example_image.png"  # without alpha, so without a mask
    desk.open(graph)
    before = desk.prompt()
    desk.run()
    desk.page.wait_for_function(f"/MaskEditor/.test({TOLD}[0])")
    desk.fit()
    desk.photograph("nothing masked")
    assert desk.page.get_by_text("Nothing is masked").is_visible() and desk.view()["overlaps"] == []
    assert desk.page.evaluate(TOLD)[1:] == ["", ""]  # once for one cause
    desk.run()  # nothing is computed again, and what was said still holds
    assert desk.page.evaluate(f"/MaskEditor/.test({TOLD}[0])")
    saved = desk.page.evaluate("() => JSON.parse(JSON.stringify(app.graph.serialize()))")  # as a file has it
    desk.set_value("LoadImage", "image", "example_masked.png")
    desk.set_value("LatentRepaint_KSampler", "method", "blend")
    desk.run()
    desk.page.wait_for_function(f"/^20 steps in /.test({TOLD}[1])")
    assert desk.page.evaluate(TOLD)[::2] == ["", ""]
    assert desk.open(saved)["prompt"] == before  # what a node says is no part of the workflow


def test_a_folded_node_says_it_once_in_a_message_of_the_page(desk):
    graph = with_demo_values(START, desk.template(START))
    for node in graph["nodes"]:
        if node["type"] == "LoadImage":
            node["widgets_values"][0] = "example_image.png"
    desk.open(graph)
    desk.run()
    said = desk.page.get_by_text(NOTHING_MASKED, exact=True).locator("visible=true")
    said.first.wait_for()
    desk.photograph("folded")
    assert said.count() == 1


def test_the_budget_that_blend_does_not_use_is_greyed_out(desk):
    graph = plain()
    (sampler,) = [node for node in graph["nodes"] if node["type"] == "LatentRepaint_KSampler"]
    desk.open(graph)
    assert not desk.page.evaluate(DISABLED)
    desk.page.evaluate("""() => {
        const widgets = app.graph.nodes.find(node => node.type === 'LatentRepaint_KSampler').widgets
        widgets.find(widget => widget.name === 'method').setValue('blend', {e: {}, node: widgets, canvas: app.canvas})
    }""")
    assert desk.page.evaluate(DISABLED)
    sampler["widgets_values"][-2] = "blend"  # saved so
    desk.open(graph)
    assert desk.page.evaluate(DISABLED)
    desk.open(plain())
    assert not desk.page.evaluate(DISABLED)


@pytest.mark.parametrize(
    ("word", "names"),
    [
        (
            "inpaint",
            {BLUEPRINT, "RePaint Sampler (Latent RePaint)"}
            | {node["display_name"] for node in NODES.values() if "Inpaint" in node["display_name"]},
        ),
        ("fill", {BLUEPRINT}),
        ("erase", {"Remove Object, Erase (Latent RePaint)"}),
        ("remove object", {"Remove Object, Erase (Latent RePaint)"}),
        ("outpaint", {"Outpaint, Extend (Latent RePaint)"}),
        ("repaint", BOXES | {node["display_name"] for node in NODES.values()}),
        ("mask", {"Mask to Latent (Latent RePaint)"}),
    ],
)
def test_search_finds_the_nodes(desk, word, names):
    desk.page.evaluate("() => app.graph.clear()")
    box = desk.page.locator(desk.places["search box"])
    desk.command("Workspace.SearchBox.Toggle")
    box.wait_for()
    desk.page.keyboard.type(word)
    found = desk.page.get_by_role("option").filter(has_text="(Latent RePaint)")
    found.first.wait_for()
    desk.page.wait_for_timeout(500)  # the box searches again after the last letter
    desk.photograph(f"search {word}")
    listed = [text.splitlines()[0].strip() for text in found.all_inner_texts()]
    assert names <= set(listed)
    if word == "repaint":  # what a beginner wants stands first, but for the node of that very name
        assert BLUEPRINT in listed[:2]
    desk.page.keyboard.press("Escape")
    box.wait_for(state="hidden")
    found.first.wait_for(state="hidden")  # a list that still stands would take the next click as a choice


def open_help(desk, node_id, text):
    """The help of a node, once it shows this text and its picture."""
    desk.page.evaluate(ALONE, node_id)
    desk.page.get_by_test_id("info-button").click()
    help_page = desk.page.locator(".node-help-content", has_text=text)
    picture = help_page.locator(f"img[src$='{node_id}.webp']")
    picture.wait_for()
    desk.page.wait_for_function("image => image.naturalWidth >= 640", arg=picture.element_handle())
    return help_page


def test_help_opens_beside_every_node_and_shows_its_picture(desk):
    for node_id, texts in NODES.items():
        help_page = open_help(desk, node_id, f"{list(texts['inputs'])[0]}: ")
        assert help_page.locator("pre").evaluate("graph => graph.scrollWidth <= graph.clientWidth")  # not cut off
    desk.photograph("help")
    desk.page.get_by_role("button", name=desk.places["close help"]).click()


def test_the_page_speaks_the_user_s_language(desk):
    """On the page of 0.3.75 it is German, because the page has none of its own: the languages that it has, it loads
    after the packs' and writes over them. Newer pages show a pack's texts in each language of their settings."""
    language = desk.places["language"]
    texts = json.loads((install.ROOT / "locales" / language / "nodeDefs.json").read_text(encoding="utf-8"))
    with desk.set({"Comfy.Locale": language}):
        title = desk.page.evaluate("() => LiteGraph.createNode('LatentRepaint_Crop').title")
        desk.open(desk.template(START))
        desk.fit()
        desk.photograph(f"language {language}")
        for node_id in TRANSLATED:
            open_help(desk, node_id, list(texts[node_id]["inputs"].values())[-1]["name"])
        desk.photograph(f"help {language}")
        assert title == texts["LatentRepaint_Crop"]["display_name"] != NODES["LatentRepaint_Crop"]["display_name"]
