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
PATIENCE = 300_000  # milliseconds: the page is 30 MB of scripts, and a busy machine takes minutes to read them
PICTURES = bootstrap.ROOT / ".artefacts"
READY = "() => window.app?.graph && window.LiteGraph?.registered_node_types?.LatentRepaint_KSampler"
NOT_OURS = re.compile(r"Content Security Policy|user\.css|/api/userdata/")  # a fresh host has no settings of a user yet

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

    def photograph(self, name: str) -> Path:
        """Keep a picture of the whole page, the graph fitted into it."""
        PICTURES.mkdir(exist_ok=True)
        path = PICTURES / f"{name}.png"
        self.page.screenshot(path=path)
        return path


@pytest.fixture(scope="session")
def session_desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with serve(bootstrap.find_host(), pack_name=PACK) as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch_persistent_context(
            tmp_path_factory.mktemp("browser"), executable_path=chromium.find(), headless=True, args=chromium.FLAGS,
            viewport={"width": 1600, "height": 950}, timeout=PATIENCE)
        desk = Desk(browser.new_page(), server)
        for path in sorted((bootstrap.ROOT / "demo").glob("example_*.png")):
            desk.client.upload(path)
        # else the page greets a new user with the host's own templates, over everything
        settings = json.dumps({"Comfy.TutorialCompleted": True}).encode()
        urllib.request.urlopen(urllib.request.Request(f"{server.address}/settings", settings)).close()
        desk.page.goto(server.address, wait_until="commit")
        desk.page.wait_for_function(READY)
        yield desk
        browser.close()


@pytest.fixture
def desk(session_desk: Desk) -> Iterator[Desk]:
    """The page, which must not complain while a test uses it."""
    session_desk.errors.clear()
    yield session_desk
    assert session_desk.errors == []
