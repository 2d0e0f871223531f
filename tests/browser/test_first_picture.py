"""From an installation to the first picture of one's own, as a person gets there: with the mouse, clicks counted.

A drag counts as a click, typing does not. The screens after each step are kept among the pictures.
"""

import io

import numpy as np
import pytest
from desk import SCREEN, SCREENS
from PIL import Image

from comfyui_host import install

START = "01-start-here-inpaint-fill"
OWN_PICTURE = install.ROOT / "demo" / "example_image.png"
SCREEN_OF = """([x, y]) => {
    const {scale, offset} = app.canvas.ds, place = app.canvas.canvas.getBoundingClientRect()
    return [(x + offset[0]) * scale + place.x, (y + offset[1]) * scale + place.y]
}"""
MASK_BUTTON = "[data-testid=convert-to-subgraph-button] ~ button:not([data-testid])"  # above the node that is selected
TITLE = "type => { const {pos} = app.graph.nodes.find(node => node.type === type); return [pos[0] + 90, pos[1] - 15] }"
WIDGET = """([type, name]) => {
    const node = app.graph.nodes.find(node => node.type === type)
    const widget = node.widgets.find(widget => widget.name === name)
    return [node.pos[0] + node.size[0] / 2, node.pos[1] + widget.last_y + 10]
}"""
SLOT = """([type, name, output]) => {
    const node = app.graph.nodes.find(node => node.type === type)
    const slots = output ? node.outputs : node.inputs
    return [...node.getConnectionPos(!output, slots.findIndex(slot => slot.name === name))]
}"""
VIEW = """() => {
    const boxes = app.graph.nodes.map(node => node.getBounding())
    const low = i => Math.min(...boxes.map(box => box[i]))
    Object.assign(app.canvas.ds, {scale: 0.5, offset: [250 - low(0), 300 - low(1)]})
    app.canvas.setDirty(true, true)
}"""
FREE = """([width, height]) => {
    const items = [...app.graph.nodes, ...app.graph.groups]
    const taken = items.map(item => [...(item.getBounding?.() ?? item.boundingRect)])
    const {scale, offset} = app.canvas.ds
    for (let y = 560; y > 200; y -= 20)
        for (let x = 1000; x > 100; x -= 20) {
            const [u, v] = [x / scale - offset[0], y / scale - offset[1]]
            if (taken.every(([l, t, w, h]) => u > l + w || u + width < l || v > t + h || v + height < t))
                return [u + 20, v + 40]
        }
}"""


class Hand:
    """The mouse of somebody who counts their clicks; Run is Ctrl+Enter."""

    def __init__(self, desk):
        self.desk, self.page, self.clicks = desk, desk.page, 0

    def place(self, script, given):
        """Where something of the graph is on the screen."""
        return self.page.evaluate(SCREEN_OF, self.page.evaluate(script, given))

    def click(self, target):
        """Click a part of the page, or a place on the screen."""
        self.clicks += 1
        if not isinstance(target, list):
            return target.click()
        self.page.mouse.move(target[0] - 3, target[1])
        self.page.mouse.move(*target)
        self.page.wait_for_timeout(200)
        self.page.mouse.down()
        self.page.wait_for_timeout(150)
        self.page.mouse.up()

    def drag(self, *places):
        self.clicks += 1
        self.page.mouse.move(*places[0])
        self.page.wait_for_timeout(200)
        self.page.mouse.down()
        for place in places[1:]:
            self.page.mouse.move(*place, steps=8)
        self.page.wait_for_timeout(200)
        self.page.mouse.up()

    def paint(self, left, top, right, bottom):
        """A stroke of the mask editor's brush over a part of the picture, given in its pixels of 128, and save it."""
        canvases = self.page.locator("[role=dialog] canvas, .maskEditor canvas, #maskEditor canvas")
        canvases.last.wait_for()
        self.page.wait_for_timeout(1500)  # until the picture is drawn
        box = canvases.last.bounding_box()
        middle = (top + bottom) / 2
        turns = (left, top), (right, top), (right, middle), (left, middle), (left, bottom), (right, bottom)
        self.drag(*([box["x"] + x * box["width"] / 128, box["y"] + y * box["height"] / 128] for x, y in turns))
        self.click(self.page.get_by_text("Save", exact=True).last)
        self.page.wait_for_function(
            "() => /clipspace/.test(app.graph.nodes.find(node => node.type === 'LoadImage').widgets[0].value)"
        )


@pytest.fixture
def hand(desk):
    desk.page.set_viewport_size({"width": SCREENS[0][0], "height": SCREENS[0][1]})
    yield Hand(desk)
    desk.page.set_viewport_size(SCREEN)


def test_the_first_template_takes_eight_clicks_and_one_stroke_is_painted_whole(desk, hand):
    page = desk.page
    hand.click(page.get_by_role("button", name="Templates").first)
    hand.click(page.get_by_role("dialog").get_by_text("latent-repaint", exact=True))
    hand.click(page.get_by_test_id(f"template-workflow-{START}"))
    page.wait_for_function("() => app.graph.nodes.some(node => node.type === 'LatentRepaint_Crop')")
    page.get_by_role("dialog").wait_for(state="hidden")
    page.wait_for_timeout(1500)
    desk.photograph("first picture 1 the template")
    with page.expect_file_chooser() as chooser:
        hand.click(hand.place(WIDGET, ["LoadImage", "upload"]))
    chooser.value.set_files(OWN_PICTURE)
    page.wait_for_function(
        "() => /example_image/.test(app.graph.nodes.find(node => node.type === 'LoadImage').widgets[0].value)"
    )
    hand.click(hand.place(TITLE, "LoadImage"))
    hand.click(page.locator(MASK_BUTTON).first)
    hand.paint(78, 70, 104, 92)
    page.wait_for_timeout(1000)
    desk.photograph("first picture 2 painted")
    desk.set_value("LatentRepaint_KSampler", "steps", 2)  # the demo's model would take minutes
    desk.set_value("LatentRepaint_KSampler", "method", "blend")
    outputs = desk.run()["outputs"]  # Ctrl+Enter
    page.wait_for_timeout(1000)
    desk.photograph("first picture 3 after")
    assert hand.clicks == 8
    (file,) = (image for output in outputs.values() for image in output.get("images", []) if image["type"] == "output")
    after = np.asarray(Image.open(io.BytesIO(desk.client.fetch(file))).convert("RGB")).astype(int)
    before = np.asarray(Image.open(OWN_PICTURE).convert("RGB")).astype(int)
    changed = abs(after - before).max(-1)
    assert (changed[72:90, 80:102] > 0).mean() > 0.95  # the brush paints with opacity .7
    assert not changed[:, :30].any() and not changed[:30].any()


def test_inpaint_model_takes_four_clicks_in_a_graph_that_one_has(desk, hand):
    """ComfyUI's own template for inpainting, with a checkpoint and a picture that are here. A fifth click puts the node
    down, which the host's own page does by itself; there the canvas clings to this test's mouse after the search."""
    if not desk.newer:
        pytest.skip("on the host's own page the canvas clings to this test's mouse after the search")
    page = desk.page
    graph = desk.get("/templates/inpaint_example.json")
    for node in graph["nodes"]:
        node["properties"].pop("models", None)
        if node["type"] == "CheckpointLoaderSimple":
            node["widgets_values"][0] = "latent-repaint-demo.safetensors"
        if node["type"] == "LoadImage":
            node["widgets_values"][0] = "example_masked.png"
        if node["type"] == "KSampler":
            node["widgets_values"][2:5] = [2, 4, "euler"]
        if node["type"] == "ImageScaleToTotalPixels":
            node["widgets_values"][1] = 0.02
    desk.open(graph)
    page.evaluate(VIEW)  # in place of Fit View, which moves the graph for a while
    page.wait_for_timeout(1000)
    free = hand.place(FREE, [340, 220])
    hand.clicks += 1
    page.mouse.dblclick(*free)
    page.locator(desk.places["search box"]).wait_for()
    page.keyboard.type("inpaint model")
    found = page.get_by_role("option").filter(has_text="Inpaint Model (Latent RePaint)")
    hand.click(found.first)
    page.wait_for_timeout(500)
    hand.click(free)  # it hangs at the mouse until then
    page.wait_for_function("() => app.graph.nodes.some(node => node.type === 'LatentRepaint_InpaintModel')")
    page.wait_for_timeout(800)
    hand.drag(
        hand.place(SLOT, ["CheckpointLoaderSimple", "MODEL", True]),
        hand.place(SLOT, ["LatentRepaint_InpaintModel", "model", False]),
    )
    hand.drag(
        hand.place(SLOT, ["LatentRepaint_InpaintModel", "model", True]), hand.place(SLOT, ["KSampler", "model", False])
    )
    page.wait_for_timeout(500)
    desk.photograph("Inpaint Model in a graph of one's own")
    prompt = desk.prompt()
    (ours,) = (key for key, node in prompt.items() if node["class_type"] == "LatentRepaint_InpaintModel")
    (sampler,) = (node for node in prompt.values() if node["class_type"] == "KSampler")
    assert sampler["inputs"]["model"] == [ours, 0] and prompt[ours]["inputs"]["model"][1] == 0
    assert hand.clicks == 4 + 1
    desk.run()
