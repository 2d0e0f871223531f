"""From an installation to the first picture of one's own, as a person gets there: with the mouse, clicks counted.

A drag counts as a click. Run is Ctrl+Enter. The screens after each step are kept among the pictures.
"""

import numpy as np
from desk import SCREENS
from PIL import Image

from comfyui_host import install

START = "01-start-here-inpaint-fill"
OWN_PICTURE = install.ROOT / "demo" / "example_image.png"
MASK_BUTTON = "[data-testid=convert-to-subgraph-button] ~ button:not([data-testid])"  # above the node that is selected
PLACE = """part => {  // of Load Image, on the screen: its title, or the widget of that name
    const node = app.graph.nodes.find(node => node.type === 'LoadImage'), [x, y] = node.pos
    const widget = node.widgets.find(one => [one.name, one.label].includes(part))
    const [u, v] = widget ? [x + node.size[0] / 2, y + widget.last_y + 12] : [x + 90, y - 15]
    const {scale, offset} = app.canvas.ds, canvas = app.canvas.canvas.getBoundingClientRect()
    return [(u + offset[0]) * scale + canvas.x, (v + offset[1]) * scale + canvas.y]
}"""
LOADED = "name => app.graph.nodes.find(node => node.type === 'LoadImage')?.widgets[0].value.includes(name)"


class Hand:
    """The mouse of somebody who counts their clicks."""

    def __init__(self, desk):
        self.desk, self.page, self.clicks = desk, desk.page, 0

    def clicked(self):
        """One more click, and the screen after it."""
        self.clicks += 1
        self.page.wait_for_timeout(500)
        self.desk.photograph(f"template 01, click {self.clicks:02}")

    def click(self, target):
        target.click()
        self.clicked()

    def click_node(self, part):
        x, y = self.page.evaluate(PLACE, part)
        self.page.mouse.move(x - 3, y)
        self.drag([x, y])

    def drag(self, *places):
        self.page.mouse.move(*places[0])
        self.page.wait_for_timeout(200)
        self.page.mouse.down()
        for place in places[1:]:
            self.page.mouse.move(*place, steps=8)
        self.page.wait_for_timeout(200)
        self.page.mouse.up()
        self.clicked()

    def upload(self):
        with self.page.expect_file_chooser() as chooser:
            self.click_node("upload")
        chooser.value.set_files(OWN_PICTURE)
        self.page.wait_for_function(LOADED, arg=OWN_PICTURE.stem)
        self.page.wait_for_timeout(500)

    def paint(self):
        """Open Load Image in the mask editor, draw one stroke over the window of the house, and save it."""
        self.click_node("title")
        self.click(self.page.locator(MASK_BUTTON).first)
        canvases = self.page.locator("[role=dialog] canvas, .maskEditor canvas, #maskEditor canvas")
        canvases.last.wait_for()
        self.page.wait_for_timeout(1500)  # until the picture is drawn
        box = canvases.last.bounding_box()
        turns = (126, 140), (160, 140), (160, 151), (126, 151), (126, 162), (160, 162)  # of 256 pixels
        self.drag(*([box["x"] + x * box["width"] / 256, box["y"] + y * box["height"] / 256] for x, y in turns))
        self.click(self.page.get_by_text("Save", exact=True).last)
        self.page.wait_for_function(LOADED, arg="clipspace")
        self.page.wait_for_timeout(500)


def test_the_first_template_takes_eight_clicks_and_one_stroke_is_painted_whole(desk):
    desk.page.set_viewport_size({"width": SCREENS[0][0], "height": SCREENS[0][1]})
    page, hand = desk.page, Hand(desk)
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
    after = np.asarray(desk.saved(run)[1]).astype(int)
    before = np.asarray(Image.open(OWN_PICTURE).convert("RGB")).astype(int)
    changed = abs(after - before).max(-1)
    assert (changed[142:160, 128:158] > 0).mean() > 0.95  # the brush paints with opacity .7
    assert not changed[:, :60].any() and not changed[:60].any()  # what is far from the stroke
