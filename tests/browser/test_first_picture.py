"""From an installation to the first picture of one's own, as a person gets there: with the mouse, clicks counted.

A drag counts as a click, typing does not, nor does the Enter that takes the first thing found. Run is Ctrl+Enter. The
screens after each step are kept among the pictures.
"""

import numpy as np
import pytest
from desk import SCREENS
from PIL import Image
from playwright.sync_api import TimeoutError as TooLate

from comfyui_host import install

START = "01-start-here-inpaint-fill"
BOX = "Inpaint, Fill, Repaint (Latent RePaint)"
OWN_PICTURE = install.ROOT / "demo" / "example_image.png"
CHECKPOINT = install.SMALL_MODEL.name
MASK_BUTTON = "[data-testid=convert-to-subgraph-button] ~ button:not([data-testid])"  # above the node that is selected
PLACE = """([name, what, part]) => {  // of a node's title, widget or slot, on the screen
    const node = app.graph.nodes.find(node => [node.type, node.title].includes(name)), [x, y] = node.pos
    const named = all => all.findIndex(one => [one.name, one.label].includes(part))
    const [u, v] = {
        title: () => [x + 90, y - 15],
        widget: () => [x + node.size[0] / 2, y + node.widgets[named(node.widgets)].last_y + 12],
        input: () => node.getConnectionPos(true, named(node.inputs)),
        output: () => node.getConnectionPos(false, named(node.outputs)),
    }[what]()
    const {scale, offset} = app.canvas.ds, canvas = app.canvas.canvas.getBoundingClientRect()
    return [(u + offset[0]) * scale + canvas.x, (v + offset[1]) * scale + canvas.y]
}"""
WIDTH = "title => app.graph.nodes.find(node => node.title === title).size[0] * app.canvas.ds.scale"
VIEW = """scale => {  // in place of Fit View, which moves the graph for a while
    const boxes = app.graph.nodes.map(node => node.getBounding())
    const low = i => Math.min(...boxes.map(box => box[i]))
    Object.assign(app.canvas.ds, {scale, offset: [250 - low(0), 300 - low(1)]})
    app.canvas.setDirty(true, true)
}"""
FREE = """([width, height, bar]) => {  // a place for a node of that size, and a bar above it, left of the map
    const items = [...app.graph.nodes, ...app.graph.groups]
    const taken = items.map(item => [...(item.getBounding?.() ?? item.boundingRect)])
    const {scale, offset} = app.canvas.ds, canvas = app.canvas.canvas.getBoundingClientRect()
    for (let y = 160; y < 560; y += 20)
        for (let x = 1060 - width * scale; x > 100; x -= 20) {
            const [u, v] = [(x - canvas.x) / scale - offset[0], (y - canvas.y) / scale - offset[1]]
            if (taken.every(([l, t, w, h]) => u > l + w || u + width < l || v - bar / scale > t + h || v + height < t))
                return [x + 10, y + 20]
        }
}"""


class Hand:
    """The mouse of somebody who counts their clicks."""

    def __init__(self, desk):
        self.desk, self.page, self.clicks, self.story = desk, desk.page, 0, ""

    def clicked(self):
        """One more click, and the screen after it."""
        self.clicks += 1
        self.page.wait_for_timeout(500)
        self.desk.photograph(f"{self.story}, click {self.clicks:02}")

    def open_core(self, name, scale):
        """Open a template of ComfyUI's own without its notes, with a checkpoint and a picture that are here."""
        graph = self.desk.get(f"/templates/{name}.json")
        given = {
            "CheckpointLoaderSimple": [CHECKPOINT],
            "LoadImage": ["example_masked.png", "image"],
            "KSampler": [1, "fixed", 2, 4, "euler", "normal", 1],
            "ImageScaleToTotalPixels": ["bilinear", 0.02],
        }
        graph["nodes"] = [node for node in graph["nodes"] if node["type"] != "MarkdownNote"]
        for node in graph["nodes"]:
            node["properties"].pop("models", None)
            node["widgets_values"] = given.get(node["type"], node.get("widgets_values"))
        self.desk.open(graph)
        self.page.evaluate(VIEW, scale)
        self.page.wait_for_timeout(1000)

    def place(self, node, what, part=""):
        return self.page.evaluate(PLACE, [node, what, part])

    def free(self, width, height, bar=0):
        return self.page.evaluate(FREE, [width, height, bar])

    def click(self, target):
        """Click a part of the page, or a place on the screen."""
        if isinstance(target, list):
            self.page.mouse.move(target[0] - 3, target[1])
            return self.drag(target)
        target.click()
        self.clicked()

    def drag(self, *places):
        self.page.mouse.move(*places[0])
        self.page.wait_for_timeout(200)
        self.page.mouse.down()
        for place in places[1:]:
            self.page.mouse.move(*place, steps=8)
        self.page.wait_for_timeout(200)
        self.page.mouse.up()
        self.clicked()

    def link(self, source, output, target, name):
        self.drag(self.place(source, "output", output), self.place(target, "input", name))

    def double_click(self, place):
        """Ask for the search box, and again as a person would: a busy page takes two late clicks for single ones."""
        for _ in range(5):
            self.page.mouse.dblclick(*place)
            try:
                self.page.locator(self.desk.places["search box"]).wait_for(timeout=10_000)
                break
            except TooLate:
                self.page.mouse.move(place[0] - 3, place[1])
        self.clicked()

    def search(self, words, title, free):
        """Type into the search box, take what is first, and put it down where the page lets it hang at the mouse."""
        self.page.locator(self.desk.places["search box"]).wait_for()
        self.page.keyboard.type(words)
        self.page.get_by_role("option").filter(has_text=title).first.wait_for()
        self.page.wait_for_timeout(500)  # the box searches again after the last letter
        self.page.keyboard.press("Enter")
        self.page.locator(self.desk.places["search box"]).wait_for(state="hidden")
        if self.desk.newer:
            self.page.wait_for_timeout(500)
            width = self.page.evaluate(WIDTH, title)
            self.click([free[0] + width / 2, free[1]])
        self.page.wait_for_function("title => app.graph.nodes.some(node => node.title === title)", arg=title)
        self.page.wait_for_timeout(500)

    def paint(self):
        """Open Load Image in the mask editor, draw one stroke over the window of the house, and save it."""
        self.click(self.place("LoadImage", "title"))
        self.click(self.page.locator(MASK_BUTTON).first)
        canvases = self.page.locator("[role=dialog] canvas, .maskEditor canvas, #maskEditor canvas")
        canvases.last.wait_for()
        self.page.wait_for_timeout(1500)  # until the picture is drawn
        box = canvases.last.bounding_box()
        turns = (126, 140), (160, 140), (160, 151), (126, 151), (126, 162), (160, 162)  # of 256 pixels
        self.drag(*([box["x"] + x * box["width"] / 256, box["y"] + y * box["height"] / 256] for x, y in turns))
        self.click(self.page.get_by_text("Save", exact=True).last)
        self.has_picture("clipspace")

    def upload(self):
        with self.page.expect_file_chooser() as chooser:
            self.click(self.place("LoadImage", "widget", "upload"))
        chooser.value.set_files(OWN_PICTURE)
        self.has_picture(OWN_PICTURE.stem)

    def has_picture(self, name):
        self.page.wait_for_function(
            """name => app.graph.nodes.find(node => node.type === 'LoadImage')?.widgets[0].value.includes(name)""",
            arg=name,
        )
        self.page.wait_for_timeout(500)


@pytest.fixture
def hand(desk):
    desk.page.set_viewport_size({"width": SCREENS[0][0], "height": SCREENS[0][1]})
    return Hand(desk)


def assert_painted_whole(desk, run):
    """The stroke of paint() is new in the saved picture, and what is far from it is as it was."""
    after = np.asarray(desk.saved(run)[1]).astype(int)
    before = np.asarray(Image.open(OWN_PICTURE).convert("RGB")).astype(int)
    changed = abs(after - before).max(-1)
    assert (changed[142:160, 128:158] > 0).mean() > 0.95  # the brush paints with opacity .7
    assert not changed[:, :60].any() and not changed[:60].any()


def test_the_first_template_takes_eight_clicks_and_one_stroke_is_painted_whole(desk, hand):
    page, hand.story = desk.page, "template 01"
    hand.click(page.get_by_role("button", name="Templates").first)
    hand.click(page.get_by_role("dialog").get_by_text("latent-repaint", exact=True))
    hand.click(page.get_by_test_id(f"template-workflow-{START}"))
    page.wait_for_function("() => app.graph.nodes.some(node => node.type === 'LatentRepaint_Crop')")
    page.get_by_role("dialog").wait_for(state="hidden")
    page.wait_for_timeout(1500)
    hand.upload()
    hand.paint()
    desk.set_value("LatentRepaint_KSampler", "steps", 2)  # the model would take minutes
    desk.set_value("LatentRepaint_KSampler", "method", "blend")
    run = desk.run()
    page.wait_for_timeout(1000)
    desk.photograph("template 01, after")
    assert hand.clicks == 8
    assert_painted_whole(desk, run)


def test_a_box_takes_fifteen_clicks_in_a_graph_that_one_has(desk, hand):
    """ComfyUI's own template for a picture from words."""
    page, hand.story = desk.page, "box"
    hand.open_core("default", 0.6)
    free = hand.free(360, 660, bar=80)
    hand.double_click(free)
    hand.search("inpaint fill", BOX, free)
    for output in ("MODEL", "CLIP", "VAE"):
        hand.link("CheckpointLoaderSimple", output, BOX, output.lower())
    hand.drag(hand.place(BOX, "input", "image"), hand.free(300, 280))
    hand.click(page.locator(".litecontextmenu").get_by_text("LoadImage", exact=True))
    hand.upload()
    hand.link("LoadImage", "MASK", BOX, "mask")
    hand.link(BOX, "image", "SaveImage", "images")
    hand.paint()
    hand.click(hand.place(BOX, "widget", "prompt"))
    page.keyboard.type("a house in the snow")
    desk.set_value(BOX, "steps", 2)
    desk.set_value(BOX, "method", "blend")
    run = desk.run()
    page.wait_for_timeout(1000)
    desk.photograph("box, after")
    assert hand.clicks == (15 if desk.newer else 14)
    assert "a house in the snow" in {node["inputs"].get("text") for node in desk.prompt().values()}
    assert_painted_whole(desk, run)


def test_inpaint_model_takes_four_clicks_in_a_graph_that_one_has(desk, hand):
    """ComfyUI's own template for inpainting."""
    page, hand.story = desk.page, "Inpaint Model"
    hand.open_core("inpaint_example", 0.5)
    free = hand.free(340, 220)
    hand.drag(hand.place("CheckpointLoaderSimple", "output", "MODEL"), free)
    hand.click(page.locator(".litecontextmenu").get_by_text("Search", exact=True))
    hand.search("inpaint model", "Inpaint Model (Latent RePaint)", free)  # comes connected to MODEL
    hand.link("LatentRepaint_InpaintModel", "model", "KSampler", "model")
    prompt = desk.prompt()
    (ours,) = (key for key, node in prompt.items() if node["class_type"] == "LatentRepaint_InpaintModel")
    (sampler,) = (node for node in prompt.values() if node["class_type"] == "KSampler")
    assert sampler["inputs"]["model"] == [ours, 0] and prompt[ours]["inputs"]["model"][1] == 0
    assert hand.clicks == (4 if desk.newer else 3)
    desk.run()
