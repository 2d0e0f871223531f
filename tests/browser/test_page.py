"""What a user finds in the page: the blueprint, help, search, pictures on the nodes, other languages."""

import pytest

BLUEPRINT = "Inpaint (Latent RePaint)"
STORE = "document.querySelector('#vue-app').__vue_app__.config.globalProperties.$pinia._s.get('%s')"
PLACE = """async (title) => {
    const library = %s
    const entry = library.subgraphBlueprints.find(def => def.display_name === title)
    app.graph.clear()
    const {nodes, definitions} = library.getBlueprint(entry.name)
    app.canvas._deserializeItems({nodes, subgraphs: definitions.subgraphs}, {position: [500, 100]})
    const box = app.graph.nodes[0]
    const add = (type, x, y) => {
        const node = LiteGraph.createNode(type)
        node.pos = [x, y]
        app.graph.add(node)
        return node
    }
    const loader = add('CheckpointLoaderSimple', 0, 0)
    const texts = [add('CLIPTextEncode', 0, 150), add('CLIPTextEncode', 0, 300)]
    const image = add('LoadImage', 0, 500)
    const save = add('SaveImage', 950, 100)
    image.widgets.find(w => w.name === 'image').value = 'example_masked.png'
    texts[0].widgets[0].value = 'day, green hills, lake'
    texts[1].widgets[0].value = ''
    const into = name => box.inputs.findIndex(slot => slot.name === name)
    texts.forEach(text => loader.connect(1, text, 0))
    loader.connect(0, box, into('model'))
    texts[0].connect(0, box, into('positive'))
    texts[1].connect(0, box, into('negative'))
    loader.connect(2, box, into('vae'))
    image.connect(0, box, into('image'))
    image.connect(1, box, into('mask'))
    box.connect(0, save, 0)
    return {
        description: entry.description,
        slots: box.inputs.filter(slot => !slot.widget).map(slot => slot.name),
        widgets: box.widgets.map(widget => [widget.name, widget.value]),
        prompt: (await app.graphToPrompt()).output,
    }
}""" % (STORE % "subgraph")


def test_the_blueprint_is_one_box_that_runs(desk):
    placed = desk.page.evaluate(PLACE, BLUEPRINT)
    assert placed["slots"] == ["model", "positive", "negative", "vae", "image", "mask"]
    assert placed["widgets"][1:] == [["steps", 25], ["cfg", 7], ["method", "match"], ["evaluations_per_step", 2]]
    assert placed["widgets"][0][0] == "seed" and "any checkpoint" in placed["description"]
    assert {node["class_type"] for node in placed["prompt"].values()} >= {
        "LatentRepaint_Encode", "LatentRepaint_KSampler", "LatentRepaint_Composite", "VAEDecode"}
    outputs = desk.run()
    assert any(output.get("images", [{}])[0].get("type") == "output" for output in outputs.values())
    desk.fit()
    desk.photograph("blueprint")


def test_previews_appear_on_the_nodes(desk):
    graph = desk.get("/api/workflow_templates/latent-repaint/repaint-inpaint.json")
    (encode,) = (node for node in graph["nodes"] if node["type"] == "LatentRepaint_Encode")
    encode["widgets_values"][2] = 2  # else the host may answer from its cache, and say nothing of previews
    desk.open(graph)
    desk.run()
    desk.fit()  # what is out of sight is not drawn
    drawn = desk.page.wait_for_function("""() => {
        const found = app.graph.nodes.filter(node => node.imgs?.length && node.type.startsWith('LatentRepaint_'))
        return found.length == 2 && found.map(node => [node.type, node.imgs[0].naturalWidth])
    }""").json_value()
    assert dict(drawn) == {"LatentRepaint_Encode": 128, "LatentRepaint_Schedule": 960}
    desk.photograph("previews")


@pytest.mark.parametrize("word", ["inpaint", "repaint", "mask"])
def test_search_finds_the_nodes(desk, word):
    search = "word => %s.nodeSearchService.searchNode(word, [], {limit: 64}).map(def => def.name)"
    found = desk.page.evaluate(search % (STORE % "nodeDef"), word)
    assert any(name.startswith("LatentRepaint_") for name in found)


def test_help_opens_beside_the_node(desk):
    desk.open(desk.get("/api/workflow_templates/latent-repaint/ksampler-inpaint.json"))
    desk.fit()
    desk.page.evaluate("""() => {
        const node = app.graph.nodes.find(node => node.type === 'LatentRepaint_KSampler')
        app.canvas.selectItems([node])
    }""")
    desk.page.get_by_test_id("info-button").click()
    desk.page.locator(".node-help-content", has_text="evaluations_per_step: the budget").wait_for()
    desk.photograph("help")


def test_the_page_speaks_german(desk):
    desk.set({"Comfy.Locale": "de"})
    try:
        desk.load()
        title = desk.page.evaluate("() => LiteGraph.createNode('LatentRepaint_Crop').title")
        assert title == "Ausschneiden (Latent RePaint)"
    finally:
        desk.set({"Comfy.Locale": "en"})
        desk.load()
