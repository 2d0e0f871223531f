"""The browser tier: the host's own page, in a real browser, with this pack in custom_nodes."""

import json
import re
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bootstrap
import chromium
import pytest
from client import Client
from playwright.sync_api import ConsoleMessage, Page, sync_playwright
from server_process import Server, serve

PACK = "latent-repaint"
LOADING = 420_000  # milliseconds: the page is 30 MB of scripts, and a busy machine takes minutes to read them
PATIENCE = 120_000
PICTURES = bootstrap.ROOT / ".artefacts"
READY = "() => window.app?.graph && window.LiteGraph?.registered_node_types?.LatentRepaint_KSampler"
# What a fresh host has not got, what no page may reach, and help in the user's language, for which ours stands in.
NOT_OURS = re.compile(r"Content Security Policy|user\.css|favicon\.ico|/api/userdata|/docs/\w+/\w+\.md")

OPEN = """async (graph) => {
    await window.app.loadGraphData(graph)
    await new Promise(requestAnimationFrame)
    return {
        missing: app.graph.nodes.filter(n => n.has_errors || !(n.constructor.nodeData || n.type.endsWith('Note')))
                                .map(n => n.type),
        prompt: (await app.graphToPrompt()).output,
    }
}"""
RUN = """async () => {
    const outputs = {}
    const keep = event => { outputs[event.detail.node] = event.detail.output }
    app.api.addEventListener('executed', keep)
    const end = new Promise(resolve => {
        for (const name of ['execution_success', 'execution_error', 'execution_interrupted'])
            app.api.addEventListener(name, event => resolve({end: name, detail: event.detail}), {once: true})
    })
    const queued = await app.queuePrompt(0)
    if (Object.keys(app.lastNodeErrors ?? {}).length) return {end: 'refused', detail: app.lastNodeErrors}
    const result = await end
    app.api.removeEventListener('executed', keep)
    return {...result, outputs}
}"""


class Desk:
    """The page, and what it said that it should not have."""

    def __init__(self, page: Page, server: Server):
        self.page, self.server, self.client = page, server, Client(server.address)
        self.errors: list[str] = []
        page.set_default_timeout(PATIENCE)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", self._listen)

    def _listen(self, message: ConsoleMessage) -> None:
        text = f"{message.text} ({message.location.get('url', '')})"
        if message.type == "error" and not NOT_OURS.search(text):
            self.errors.append(text)

    def get(self, path: str) -> Any:
        """A JSON file of the host, as the page gets it."""
        with urllib.request.urlopen(self.server.address + path, timeout=60) as answer:
            return json.load(answer)

    def open(self, graph: dict[str, Any]) -> dict[str, Any]:
        """Load a workflow; say which nodes are red, and what the page would queue."""
        return self.page.evaluate(OPEN, graph)

    def run(self) -> dict[str, Any]:
        """Queue what is open, and wait for its end; the outputs, by node id."""
        result = self.page.evaluate(RUN)
        assert result["end"] == "execution_success", result
        return result["outputs"]

    def load(self) -> None:
        """Load the page anew, and wait until it knows the nodes."""
        self.page.goto(self.server.address, wait_until="commit")
        self.page.wait_for_function(READY, timeout=LOADING)
        self.errors.clear()  # the pack has no scripts: what the page complains of while it loads is its own

    def set(self, settings: dict[str, Any]) -> None:
        """Change settings of the user, for the next load."""
        data = json.dumps(settings).encode()
        urllib.request.urlopen(urllib.request.Request(f"{self.server.address}/settings", data)).close()

    def fit(self) -> None:
        """Fit the graph into the view, and let it be drawn."""
        self.page.evaluate("() => app.extensionManager.command.execute('Comfy.Canvas.FitView')")
        self.page.wait_for_timeout(1500)

    def photograph(self, name: str) -> Path:
        """Keep a picture of the whole page."""
        PICTURES.mkdir(exist_ok=True)
        path = PICTURES / f"{name}.png"
        self.page.screenshot(path=path)
        return path


@pytest.fixture(scope="session")
def session_desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with serve(bootstrap.find_host(), pack_name=PACK) as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch_persistent_context(
            tmp_path_factory.mktemp("browser"), executable_path=chromium.find(), headless=True, args=chromium.FLAGS,
            viewport={"width": 1800, "height": 1050}, timeout=LOADING)
        desk = Desk(browser.new_page(), server)
        for path in sorted((bootstrap.ROOT / "demo").glob("example_*.png")):
            desk.client.upload(path)
        # else the page greets a new user with the host's own templates, over everything
        desk.set({"Comfy.TutorialCompleted": True, "LiteGraph.Canvas.MinFontSizeForLOD": 0})
        desk.load()
        yield desk
        browser.close()


@pytest.fixture
def desk(session_desk: Desk) -> Iterator[Desk]:
    """The page, which must not complain while a test uses it."""
    session_desk.errors.clear()
    yield session_desk
    assert session_desk.errors == []
