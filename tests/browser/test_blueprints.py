"""The blueprints: one box each, placed, run, and opened again from the picture that it made."""

import json

import pytest
from desk import SCREENS, inputs

BLUEPRINT = "Inpaint, Fill, Repaint (Latent RePaint)"
SIZE = 128  # pixels: what the small model was trained at, and less work than the size of its family
PLACE = """async ([title, values, size]) => {
    const stores = document.querySelector('#vue-app').__vue_app__.config.globalProperties.$pinia._s
    const library = stores.get('subgraph')
    const entries = () => library.subgraphBlueprints ?? Object.values(stores.get('nodeDef').allNodeDefsByName)
    let entry
    for (let tries = 0; tries < 100 && !entry; tries++) {  // the page may still be fetching them
        entry = entries().find(def => def.display_name === title)
        await new Promise(done => setTimeout(done, entry ? 0 : 100))
    }
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
    const image = add('LoadImage', 0, 200)
    const save = add('SaveImage', 950, 100)
    loader.widgets[0].value = 'latent-repaint-demo.safetensors'
    image.widgets.find(w => w.name === 'image').value = 'example_masked.png'
    const crop = box.subgraph.nodes.find(node => node.type === 'LatentRepaint_Crop')
    for (const side of size && crop ? ['width', 'height'] : [])
        crop.widgets.find(widget => widget.name === `output_target_${side}`).value = size
    await new Promise(requestAnimationFrame)  // for the widgets of the nodes inside
    for (const [name, value] of Object.entries(values))
        box.widgets.find(widget => (widget.label ?? widget.name) === name).value = value
    const into = name => box.inputs.findIndex(slot => slot.name === name)
    const connect = (node, slot, name) => into(name) < 0 || node.connect(slot, box, into(name))
    connect(loader, 0, 'model')
    connect(loader, 1, 'clip')
    connect(loader, 2, 'vae')
    connect(image, 1, 'mask')
    image.connect(0, box, into('image'))
    box.connect(0, save, 0)
    return {
        description: entry.description,
        slots: box.inputs.filter(slot => !slot.widget).map(slot => slot.name),
        outputs: box.outputs.map(slot => slot.name),
        widgets: box.widgets.map(widget => [widget.label ?? widget.name, widget.value]),
        prompt: (await app.graphToPrompt()).output,
    }
}"""
TEXTS = {"prompt": "", "negative prompt": "text, watermark"}
CONTEXT = {"context (times the mask)": 2.5}
SAMPLING = {
    "seed": 1, "steps": 20, "cfg": 7, "sampler_name": "euler_ancestral", "scheduler": "karras", "denoise": 1,
    "method": "match", "evaluations_per_step": 2,
}  # fmt: skip
MARGINS = {f"{side} (pixels to add)": width for side, width in dict(left=128, top=0, right=128, bottom=0).items()}
BLUEPRINTS = {  # title: inputs, widgets with their values, what is set for the small model, a word of the description
    BLUEPRINT: (
        ["model", "clip", "vae", "image", "mask"],
        TEXTS | CONTEXT | SAMPLING,
        {"prompt": "day, snow, sun, blue house"},
        "any checkpoint",
    ),
    "Outpaint, Extend (Latent RePaint)": (
        ["model", "clip", "vae", "image"],
        TEXTS | MARGINS | SAMPLING,
        {"prompt": "day, snow, sun", "left (pixels to add)": 16, "right (pixels to add)": 24},
        "canvas",
    ),
    "Remove Object, Erase (Latent RePaint)": (
        ["model", "clip", "vae", "image", "mask"],
        {"prompt (may stay empty)": "", "grow mask (pixels)": 6}
        | CONTEXT
        | {name: value for name, value in SAMPLING.items() if name != "denoise"}
        | {"cfg": 1, "evaluations_per_step": 3},
        {},
        "surroundings",
    ),
}


@pytest.mark.parametrize("title", BLUEPRINTS)
def test_a_blueprint_is_one_box_that_runs_and_comes_back_out_of_its_picture(desk, title):
    slots, values, given, word = BLUEPRINTS[title]
    placed = desk.page.evaluate(PLACE, [title, given | {"steps": 7, "method": "blend"}, SIZE])
    assert (placed["slots"], placed["outputs"]) == (slots, ["image", "report"])
    assert dict(placed["widgets"]) == values | given | {"steps": 7, "method": "blend"}
    assert word in placed["description"]
    file, picture = desk.saved(desk.run())
    assert any(values.get("seed", 0) > 0 for _, values in inputs(desk.prompt()).values())
    for width, height in SCREENS:
        desk.page.set_viewport_size({"width": width, "height": height})
        desk.fit()
        desk.photograph(f"{title} {width}x{height}")
    desk.drop(file)
    desk.page.wait_for_function("() => app.graph.nodes.length === 4")
    assert inputs(desk.prompt()) == inputs(json.loads(picture.info["prompt"]))


@pytest.mark.parametrize("session_desk", ["newer page"], indirect=True, scope="session")
def test_a_box_shows_its_widgets_with_nodes_2_0_too(desk):
    with desk.set({"Comfy.VueNodes.Enabled": True}):
        for title, (_, values, *_) in BLUEPRINTS.items():
            desk.page.evaluate(PLACE, [title, {}, 0])
            desk.fit()
            box = desk.page.locator("[data-node-id]", has_text=title)
            for name in values:
                if "prompt" not in name:  # a field of several lines shows its words only while it is empty
                    box.get_by_text(name, exact=True).first.wait_for()
            desk.photograph(f"nodes 2.0 {title}")
