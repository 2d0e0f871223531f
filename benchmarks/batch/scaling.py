"""Hosts whose model waits half a second an evaluation: what batch, Ray and ComfyUI's API add to that."""

from __future__ import annotations

import json
import re
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from comfyui_host import install
from comfyui_host.client import Client
from comfyui_host.server_process import Server, serve

from .trial import PLUGIN, ROOT, make_pictures, run

HOSTS = (1, 2, 4, 8, 16)
STEPS, WAIT = 4, 0.5
"""A picture takes STEPS * WAIT = 2 s of model time."""
SIDE = 512
PICTURES_A_HOST = 12


def waiting_flow() -> dict[str, Any]:
    """The shipped workflow, with `blend` at one evaluation a step, on a model that waits."""
    flow = json.loads((ROOT / "batch" / "inpaint_any_size.json").read_text(encoding="utf-8"))
    flow["20"] = {"class_type": "BatchWaitingModel", "inputs": {"model": ["2", 0], "seconds": WAIT}}
    flow["7"]["inputs"] |= {"model": ["20", 0], "steps": STEPS, "cfg": 1.0, "method": "blend"}
    return flow


def measure(folder: Path, count: int | None, most: int) -> None:
    """Print the table of scaling, and the overhead."""
    (folder / "flow.json").write_text(json.dumps(waiting_flow()))
    with ExitStack() as stack:
        servers = _started(stack, most)
        say("| hosts | pictures | seconds | pictures a minute | efficiency |\n|---|---|---|---|---|")
        first = 0.0
        for hosts in (number for number in HOSTS if number <= most):
            pictures = hosts * (count or PICTURES_A_HOST)
            make_pictures(folder / f"in {hosts}", pictures, SIDE)
            rate = _rate(folder, hosts, servers[:hosts])
            first = first or rate
            say(f"| {hosts} | {pictures} | {60 * pictures / rate:.1f} | {rate:.1f} | {rate / hosts / first:.2f} |")
        by_hand = _by_hand(folder / "in 1", servers[0])
        say(f"\nA picture by hand, all prompts queued at once: {by_hand:.3f} s")
        say(f"A picture by batch, one host: {60 / first:.3f} s; {(60 / first - by_hand) / 2:.1%} of 2 s more")


def _started(stack: ExitStack, count: int) -> list[Server]:
    """Hosts, three at a time: each needs a processor for some seconds."""
    with ThreadPoolExecutor(3) as threads:
        made = [serve(install.find_host(), plugin=PLUGIN) for _ in range(count)]
        servers = list(threads.map(lambda server: server.__enter__(), made))
    for server in made:
        stack.push(server.__exit__)
    with ThreadPoolExecutor(3) as threads:  # the first prompt of a host loads the model
        list(threads.map(_warm, servers))
    return servers


def _warm(server: Server) -> None:
    flow, client = waiting_flow(), Client(server.address)
    flow["20"]["inputs"]["seconds"] = 0.0
    client.run(_with_pictures(flow, client, ROOT / "demo", "example_image.png", "example_mask.png"))


def _with_pictures(flow: dict[str, Any], client: Client, folder: Path, image: str, mask: str) -> dict[str, Any]:
    flow["5"]["inputs"]["image"] = client.upload(folder / image)
    flow["12"]["inputs"]["image"] = client.upload(folder / mask)
    return flow


def _rate(folder: Path, hosts: int, servers: list[Server]) -> float:
    options = [part for server in servers for part in ("--host", server.address)]
    code, said = run(folder / "flow.json", folder / f"in {hosts}", folder / f"out {hosts}", *options)
    found = re.search(r"painting .*?([\d.]+) pictures a minute", said)
    if code or not found:
        raise SystemExit(said)
    return float(found[1])


def _by_hand(pictures: Path, server: Server) -> float:
    """Seconds a picture of the same prompts, uploaded before and queued without waiting for one another."""
    client = Client(server.address)
    prompts = []
    for number, path in enumerate(sorted(pictures.glob("*/*[0-9].png"))):
        prompt = _with_pictures(waiting_flow(), client, path.parent, path.name, f"{path.stem}_mask.png")
        prompt["7"]["inputs"]["seed"] = 10_000 + number
        prompts.append(prompt)
    started = time.monotonic()
    with ThreadPoolExecutor(len(prompts)) as threads:
        list(threads.map(client.run, prompts))
    return (time.monotonic() - started) / len(prompts)


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
