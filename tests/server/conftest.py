"""The server tier: one real host for all tests, in a custom_nodes folder with a name no one would choose."""

import copy
import json
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from comfyui_host import install
from comfyui_host.client import Client
from comfyui_host.server_process import Server, serve

PROMPTS = install.ROOT / "demo" / "prompts"
Prompt = dict[str, Any]


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    with serve(install.find_host(), pack_name="some folder 1.0") as server:
        shutil.copy(install.SMALL_MODEL, server.base / "models" / "checkpoints")  # of saved workflows
        yield server


@pytest.fixture(scope="session")
def client(server: Server) -> Client:
    client = Client(server.address)
    for path in sorted((install.ROOT / "demo").glob("example_*.png")):
        client.upload(path)
    return client


@pytest.fixture(scope="session")
def prompt() -> Callable[..., Prompt]:
    """prompt("repaint", steps=4) is demo/prompts/repaint.json, with that input changed in every node that has it."""
    prompts = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in PROMPTS.glob("*.json")}

    def load(name: str, **inputs: Any) -> Prompt:
        nodes = copy.deepcopy(prompts[name])
        for key, value in inputs.items():
            for node in nodes.values():
                if key in node["inputs"]:
                    node["inputs"][key] = value
        return nodes

    return load
