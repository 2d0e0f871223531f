"""`python tests help_pictures [node ...]`: draws the picture of each help page, web/docs/<node id>.webp.

A picture shows the node in the real page, after a run of a template: above it the nodes that it gets its inputs from,
below it those that get its outputs. The page's help is a narrow column, so a picture is narrow, and drawn at twice the
size: its letters can be read there.
"""

from __future__ import annotations

import io
import re
import sys
import tempfile
from pathlib import Path

from desk import Desk, open_desk
from PIL import Image

from comfyui_host import install
from demo.demo_values import with_demo_values

DOCS = install.ROOT / "web" / "docs"
ARRANGE = """async (type) => {
    const WIDTH = 340, TITLE = 30, GAP = 14, MARGIN = 14
    const graph = app.graph, node = graph.nodes.find(node => node.type === type)
    const ends = (slots, end) => [...new Set(slots.flatMap(slot => slot.links ?? slot.link ?? [])
        .map(link => graph.getNodeById(graph.links.get(link)[end])))]
    const before = ends(node.inputs, 'origin_id'), after = ends(node.outputs, 'target_id')
    graph.nodes.filter(other => ![node, ...before, ...after].includes(other)).forEach(other => graph.remove(other))
    graph.groups.slice().forEach(group => graph.remove(group))
    const pictured = {SaveImage: 270, PreviewAny: 110, LatentRepaint_Schedule: 250}
    let y = 0, folded = 0
    const place = other => {
        other.inputs.forEach((slot, i) => {
            if (slot.link && graph.links.get(slot.link).origin_id !== node.id) other.disconnectInput(i)
        })
        const height = after.includes(other) && pictured[other.type]
        if (height) {
            if (other.flags.collapsed) other.collapse()
            if (folded % 2) folded++
            other.setSize([WIDTH, height])
            other.pos = [0, y + Math.ceil(folded / 2) * (TITLE + GAP) + TITLE]
            y += height + TITLE + GAP
        } else {
            other.title = other.title.replace(' (Latent RePaint)', '')
            if (!other.flags.collapsed) other.collapse()
            other.pos = [folded % 2 * (WIDTH / 2 + 5), y + Math.floor(folded++ / 2) * (TITLE + GAP) + TITLE]
        }
    }
    const end = () => { y += Math.ceil(folded / 2) * (TITLE + GAP); folded = 0 }
    if (node.flags.collapsed) node.collapse()
    node.mode = 0  // not bypassed
    before.forEach(place)
    end()
    node.setSize([WIDTH, node.computeSize()[1]])
    node.pos = [0, y + TITLE]
    y += node.size[1] + TITLE + GAP
    after.forEach(place)
    app.canvas.deselectAll()
    app.canvas.ds.scale = 1
    await new Promise(requestAnimationFrame)
    const boxes = graph.nodes.map(other => other.getBounding())
    const low = i => Math.min(...boxes.map(box => box[i])) - MARGIN
    const high = i => Math.max(...boxes.map(box => box[i] + box[i + 2])) + MARGIN
    const corner = [200, 130]  // past the page's own bars
    app.canvas.ds.offset = [corner[0] - low(0), corner[1] - low(1)]
    app.canvas.setDirty(true, true)
    return {x: corner[0], y: corner[1], width: high(0) - low(0), height: high(1) - low(1)}
}"""


def main() -> None:
    names = sys.argv[1:] or sorted(path.stem for path in DOCS.glob("*.md"))
    with tempfile.TemporaryDirectory() as folder, open_desk(Path(folder), scale=2) as desk:
        for name in names:
            path = DOCS / f"{name}.webp"
            draw(desk, name).save(path, quality=85, method=6)
            print(f"{path} {path.stat().st_size // 1024} KiB")


def draw(desk: Desk, name: str) -> Image.Image:
    """Run the template that the node's help names, and photograph the node and its neighbours."""
    (template,) = re.findall(r"\*(\d\d-[\w-]+)\*", (DOCS / f"{name}.md").read_text(encoding="utf-8"))
    desk.open(with_demo_values(template, desk.template(template)))
    desk.run()
    desk.fit()
    clip = desk.page.evaluate(ARRANGE, name)
    desk.page.wait_for_timeout(1500)
    return Image.open(io.BytesIO(desk.page.screenshot(clip=clip))).convert("RGB")


if __name__ == "__main__":
    main()
