"""The host's own page, in a real browser, with this pack in custom_nodes. Among its models are the demo's, and files of
the names that the templates want: empty, but for the one that is the small model in disguise. Among its inputs are the
demo's pictures and the one that ComfyUI brings."""

from __future__ import annotations

import io
import json
import re
import shutil
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import chromium
from PIL import Image
from playwright.sync_api import ConsoleMessage, Page, sync_playwright

from comfyui_host import install
from comfyui_host.client import Client
from comfyui_host.server_process import PACK, Server, serve
from demo.templates.everyday import CHECKPOINT
from demo.templates.models import MODELS

LOADING = 420_000  # milliseconds: the page is 30 MB of scripts, and a busy machine takes minutes to read them
PATIENCE = 120_000
SCREEN = {"width": 1800, "height": 1050}
SCREENS = ((1366, 768), (1600, 950))  # of laptops
PICTURES = install.ROOT / ".artefacts"
SETTINGS = {  # else a page greets a new user with the host's own templates, over everything, and keeps a panel open
    "Comfy.TutorialCompleted": True,
    "Comfy.RightSidePanel.IsOpen": False,
    "Comfy.Locale": "en",
    "Comfy.VueNodes.Enabled": False,
}
READY = """() => window.LiteGraph?.registered_node_types?.LatentRepaint_KSampler
    && window.app?.extensionManager?.workflow?.activeWorkflow?.isLoaded"""
# What a fresh host has not got, what no page may reach, help in the user's language, for which ours stands in, the
# page's search box, which goes on searching after it was closed, what a newer page asks this host for in vain, and the
# size of a model to download, which no page gets to know without a connection.
NOT_OURS = re.compile(
    r"Content Security Policy|filename=(undefined|(film|mask)\.mp4)|user\.css|favicon\.ico|/api/userdata"
    r"|/docs/\w+/\w+\.md|setting 'value'\)\s+at Proxy\.onChange|/api/jobs\?|Failed to fetch jobs|index_logo\.json"
    r"|at Proxy\.removeMask|'removeChild' on 'Node'|Error fetching file size"
)
PLACES = {  # where each page has what a test looks for: by `newer`
    False: {"search box": ".comfy-vue-node-search-container input", "close help": "Node Library", "language": "de"},
    True: {
        "search box": "[role=dialog] input[role=combobox]",
        "close help": "Toggle properties panel",
        "language": "fr",
    },
}

OPEN = """async (graph) => {
    await window.app.loadGraphData(graph, true, true, null, {openSource: 'template'})  // newer pages fit these
    await new Promise(requestAnimationFrame)
    return {
        missing: app.graph.nodes.filter(n => n.has_errors || !(n.constructor.nodeData || n.type.endsWith('Note')))
                                .map(n => n.type),
        prompt: (await app.graphToPrompt()).output,
    }
}"""
DROP = """async ([url, name]) => {
    const files = new DataTransfer(), how = {dataTransfer: files, bubbles: true, cancelable: true}
    files.items.add(new File([await (await fetch(url)).blob()], name, {type: 'image/png'}))
    app.graph.clear()
    for (const event of ['dragenter', 'dragover', 'drop']) app.canvas.canvas.dispatchEvent(new DragEvent(event, how))
}"""
VIEW = """() => {
    const nodes = app.graph.nodes.map(node => [node.title, ...node.getBounding()])
    const {scale, offset} = app.canvas.ds, {x, y, width, height} = app.canvas.canvas.getBoundingClientRect()
    const all = nodes.map(([title, u, v, w, h]) => [
        title, (u + offset[0]) * scale, (v + offset[1]) * scale, w * scale, h * scale
    ])
    const over = ([, x, y, w, h], [, u, v, s, t]) => x < u + s && u < x + w && y < v + t && v < y + h
    const map = document.querySelector('.minimap-main-container').getBoundingClientRect()
    return {
        scale, width, height,
        letters: Math.min(LiteGraph.NODE_TEXT_SIZE, LiteGraph.NODE_SUBTEXT_SIZE) * scale,
        dropped: LiteGraph.NODE_TEXT_SIZE * scale < app.canvas.min_font_size_for_lod,
        left: Math.min(...all.map(box => box[1])),
        top: Math.min(...all.map(box => box[2])),
        right: Math.max(...all.map(box => box[1] + box[3])),
        bottom: Math.max(...all.map(box => box[2] + box[4])),
        columns: new Set(nodes.filter(box => box[3] > 300).map(box => box[1])).size,
        overlaps: all.flatMap((a, i) => all.slice(i + 1).filter(b => over(a, b)).map(b => `${a[0]} and ${b[0]}`)),
        'under the map': all.filter(box => over(box, ['', map.x - x, map.y - y, map.width, map.height]))
                            .map(box => box[0]),
    }
}"""
SET_VALUE = """([type, name, value]) => {
    app.graph.nodes.find(node => [node.type, node.title].includes(type)).widgets
        .find(widget => widget.name === name).value = value
}"""
LISTEN = """() => {
    const run = window.run = {outputs: {}, progress: [], previews: {}}
    const hear = (name, keep) => app.api.addEventListener(name, event => window.run === run && keep(event.detail))
    hear('executed', detail => { run.outputs[detail.node] = detail.output ?? {} })
    hear('progress', detail => run.progress.push([detail.node, detail.value, detail.max]))
    hear('b_preview_with_metadata', detail => {
        run.previews[detail.nodeId] = (run.previews[detail.nodeId] ?? 0) + 1
    })
    for (const name of ['execution_success', 'execution_error', 'execution_interrupted'])
        hear(name, detail => { run.end = name; run.detail = detail })
}"""
ENDED = "() => window.run.end || Object.keys(app.lastNodeErrors ?? {}).length > 0"


def inputs(prompt: dict[str, Any]) -> dict[str, tuple[str, dict[str, Any]]]:
    """What is queued: every node's class and inputs, but PreviewAny's text, which the page fills in after a run."""
    return {
        key: (node["class_type"], {name: value for name, value in node["inputs"].items() if name != "preview"})
        for key, node in prompt.items()
    }


class Desk:
    """The page, and what it said that it should not have."""

    def __init__(self, page: Page, server: Server, newer: bool):
        self.page, self.server, self.client, self.newer = page, server, Client(server.address), newer
        self.places = PLACES[newer]
        self.errors: list[str] = []
        page.set_default_timeout(PATIENCE)
        page.on("pageerror", lambda error: self._complain(f"{error}\n{error.stack}"))
        page.on("console", self._listen)

    def _listen(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self._complain(f"{message.text} ({message.location.get('url', '')})")

    def _complain(self, text: str) -> None:
        if not NOT_OURS.search(text):
            self.errors.append(text)

    def get(self, path: str) -> Any:
        """A JSON file of the host, as the page gets it."""
        with urllib.request.urlopen(self.server.address + path, timeout=60) as answer:
            return json.load(answer)

    def template(self, name: str) -> dict[str, Any]:
        """One of the pack's templates, as the page gets it."""
        return self.get(f"/api/workflow_templates/{PACK}/{name}.json")

    def open(self, graph: dict[str, Any]) -> dict[str, Any]:
        """Load a workflow; say which nodes are red, and what the page would queue."""
        return self.page.evaluate(OPEN, graph)

    def prompt(self) -> dict[str, Any]:
        """What the page would queue now."""
        return self.page.evaluate("async () => (await app.graphToPrompt()).output")

    def set_value(self, node: str, widget: str, value: Any) -> None:
        """Give a widget of the graph's only node of that type or title a value."""
        self.page.evaluate(SET_VALUE, [node, widget, value])

    def drop(self, file: dict[str, str]) -> None:
        """Clear the graph and drop a picture of the host's onto it, as a file of that name."""
        self.page.evaluate(DROP, [f"/view?{urllib.parse.urlencode(file)}", file["filename"]])

    def queue(self) -> None:
        """Queue as Run does, and keep what the host says from then on in `window.run`."""
        self.page.evaluate(LISTEN)
        self.command("Comfy.QueuePrompt")  # the page's own messages may lie over the button

    def run(self) -> dict[str, Any]:
        """Queue as Run does, and wait for the end.

        Returns:
            outputs, by node id; progress, as (node id, value, maximum); previews, how many live ones by node id.
        """
        self.queue()
        self.page.wait_for_function(ENDED)
        run = self.page.evaluate("() => ({...window.run, errors: app.lastNodeErrors})")
        assert run.get("end") == "execution_success", run.get("detail") or run["errors"]
        return run

    def saved(self, run: dict[str, Any]) -> tuple[dict[str, str], Image.Image]:
        """The only picture that a run put into the output folder: the file, and what is in it, with its workflow."""
        images = [image for output in run["outputs"].values() for image in output.get("images", [])]
        (file,) = (image for image in images if image["type"] == "output")
        return file, Image.open(io.BytesIO(self.client.fetch(file)))

    def view(self) -> dict[str, Any]:
        """Where the nodes are on the screen, and what lies over what."""
        return self.page.evaluate(VIEW)

    def load(self) -> None:
        """Load the page anew, and wait until it knows the nodes."""
        self.page.goto(self.server.address, wait_until="commit")
        self.page.wait_for_function(READY, timeout=LOADING)
        # what else the page complains of while it loads is its own
        self.errors[:] = [text for text in self.errors if "latent_repaint.js" in text]

    @contextmanager
    def set(self, settings: dict[str, Any]) -> Iterator[None]:
        """The page with other settings, and with those of SETTINGS again afterwards."""
        try:
            self._set(settings)
            yield
        finally:
            self._set(SETTINGS)

    def _set(self, settings: dict[str, Any]) -> None:
        data = json.dumps(settings).encode()
        urllib.request.urlopen(urllib.request.Request(f"{self.server.address}/settings", data)).close()
        self.load()

    def command(self, name: str) -> None:
        """One of the page's own commands, as its menus and keys give it."""
        self.page.evaluate("name => app.extensionManager.command.execute(name)", name)

    def fit(self) -> None:
        """Fit the graph into the view, and let it be drawn."""
        self.command("Comfy.Canvas.FitView")
        self.page.wait_for_timeout(1500)

    def photograph(self, name: str) -> Path:
        """Keep a picture of the whole page."""
        PICTURES.mkdir(exist_ok=True)
        path = PICTURES / f"{'newer' if self.newer else 'own'} page {name}.png"
        self.page.screenshot(path=path)
        return path


def furnish(server: Server) -> None:
    """Give the host what the templates want."""
    for name, file in MODELS.items():
        path = server.base / "models" / file["directory"] / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    for name in (CHECKPOINT, install.SMALL_MODEL.name):  # the latter is that of saved workflows
        shutil.copy(install.SMALL_MODEL, server.base / "models" / "checkpoints" / name)
    client = Client(server.address)
    for path in [install.find_host().tree / "input" / "example.png", *(install.ROOT / "demo").glob("example_*.png")]:
        client.upload(path)


@contextmanager
def open_desk(profile: Path, newer: bool = False, scale: float = 1) -> Iterator[Desk]:
    """Start a host and a browser, and load the page.

    Arguments:
        profile: An empty folder for what the browser keeps.
        newer: Whether to take the newer page, in place of the host's own.
        scale: Pixels of the screen for one of the page.
    """
    page = ["--front-end-root", str(install.find_page())] if newer else []
    with (
        serve(install.find_host(), pack_name=PACK, previews=True, arguments=page) as server,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch_persistent_context(
            profile,
            executable_path=chromium.find(),
            headless=True,
            args=chromium.FLAGS,
            viewport=SCREEN,
            device_scale_factor=scale,
            timeout=LOADING,
        )
        desk = Desk(browser.new_page(), server, newer)
        furnish(server)
        with desk.set(SETTINGS):
            yield desk
        browser.close()
