"""Hosts whose model waits half a second an evaluation and whose VAE computes next to nothing, as if both were on a GPU:
so many of them fit on a few processors."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from comfyui_host import install
from comfyui_host.client import Client
from comfyui_host.server_process import Server, serve

from .trial import PLUGIN, ROOT, SHIPPED

SECONDS_AN_EVALUATION = 0.5
VAE = ["2", 2]
STARTING_AT_A_TIME = 3
"""Each start needs a processor for some seconds."""


def waiting_flow(steps: int, seconds: float = SECONDS_AN_EVALUATION) -> dict[str, Any]:
    """The shipped workflow, with `blend` at one evaluation a step, without the models' computing."""
    flow = copy.deepcopy(SHIPPED)
    flow["20"] = {"class_type": "BatchWaitingModel", "inputs": {"model": ["2", 0], "seconds": seconds}}
    flow["21"] = {"class_type": "BatchAveragingVAE", "inputs": {"vae": VAE}}
    for node in flow.values():
        if node["inputs"].get("vae") == VAE and node is not flow["21"]:
            node["inputs"]["vae"] = ["21", 0]
    flow["7"]["inputs"] |= {"model": ["20", 0], "steps": steps, "cfg": 1.0, "method": "blend"}
    return flow


def with_picture(flow: dict[str, Any], client: Client, image: Path, mask: Path) -> dict[str, Any]:
    """The workflow with a picture that is uploaded."""
    flow["5"]["inputs"]["image"] = client.upload(image)
    flow["12"]["inputs"]["image"] = client.upload(mask)
    return flow


@contextmanager
def waiting_hosts(count: int) -> Iterator[list[Server]]:
    """Hosts that have loaded their model."""
    made = [serve(install.find_host(), plugin=PLUGIN) for _ in range(count)]
    with ExitStack() as stack, ThreadPoolExecutor(STARTING_AT_A_TIME) as threads:
        servers = list(threads.map(lambda server: server.__enter__(), made))
        for server in made:
            stack.push(server.__exit__)
        list(threads.map(_warm, servers))
        yield servers


def _warm(server: Server) -> None:
    client, demo = Client(server.address), ROOT / "demo"
    client.run(with_picture(waiting_flow(1, 0.0), client, demo / "example_image.png", demo / "example_mask.png"))
