"""Pictures a minute by the number of hosts, and what a picture costs more than by the same prompts, queued by hand.

In place of a model that computes, the hosts have a node that waits: so many of them fit on a few processors.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from comfyui_host import install
from comfyui_host.client import Client
from comfyui_host.server_process import Server, serve

from .trial import PLUGIN, digests, make_pictures, node, run

HOSTS, PICTURES_A_HOST, SECONDS = (1, 2, 4, 8), 24, 4.0
"""With few pictures, the end of a run, when some hosts have none left, counts for much."""
SIDES, ONE_BY_ONE, SECONDS_ONE_BY_ONE, REPEATS = (512, 1024), 10, 2.0, 3
GRAIN = 8.0  # as large a PNG as a photograph's


def measure(folder: Path, count: int | None) -> None:
    """Print the tables of scaling, with so many pictures a host, and of the overhead."""
    count, first = count or PICTURES_A_HOST, 0.0
    with ExitStack() as stack, ThreadPoolExecutor(3) as threads:
        made = [serve(install.find_host(), plugin=PLUGIN) for _ in range(max(HOSTS))]
        servers = list(threads.map(stack.enter_context, made))
        print("| hosts | pictures | pictures a minute | efficiency |\n|---|---|---|---|")
        for hosts in HOSTS:
            make_pictures(folder / f"in {hosts}", hosts * count, SIDES[0], GRAIN)
            ends = _by_batch(folder, f"in {hosts}", servers[:hosts], SECONDS)
            # From the end of each host's first picture to that of the last one of all.
            rate = 60 * (len(ends) - hosts) / (ends[-1] - ends[hosts - 1])
            first = first or rate
            print(f"| {hosts} | {len(ends)} | {rate:.1f} | {rate / hosts / first:.3f} |", flush=True)
        print(f"medians of {REPEATS} repeats\n| pixels | by hand | by batch | more |\n|---|---|---|---|")
        for side in SIDES:
            make_pictures(folder / f"{side}", ONE_BY_ONE, side, GRAIN)
            hand, batch = [], []
            for seed in range(REPEATS):
                hand.append(_apart(_by_hand(folder / f"{side}", servers[0], seed)))
                ends = _by_batch(folder, f"{side}", servers[:1], SECONDS_ONE_BY_ONE, seed)
                batch.append(_apart(ends))
            cells = [f"{statistics.median(all_):.3f} s ({min(all_):.3f} to {max(all_):.3f})" for all_ in (hand, batch)]
            more = (statistics.median(batch) - statistics.median(hand)) / SECONDS_ONE_BY_ONE
            print(f"| {side} x {side} | {cells[0]} | {cells[1]} | {more:.1%} |", flush=True)


def _flow(seconds: float, image: str = "", mask: str = "", seed: int = 0) -> dict[str, Any]:
    return {
        "1": node("LoadImage", image=image), "2": node("LoadImageMask", image=mask, channel="red"),
        "3": node("BatchWait", image=["1", 0], mask=["2", 0], seconds=seconds, seed=seed),
        "4": node("SaveImage", images=["3", 0], filename_prefix="x"),
    }  # fmt: skip


def _by_batch(folder: Path, pictures: str, servers: Sequence[Server], seconds: float, seed: int = 0) -> list[float]:
    """When each result was written, in order."""
    (folder / "flow.json").write_text(json.dumps(_flow(seconds)))
    hosts, out = [part for server in servers for part in ("--host", server.address)], folder / f"out {pictures} {seed}"
    code, said = run(folder / "flow.json", folder / pictures, out, *hosts, "--seed", seed)
    if code:
        raise SystemExit(said)
    return sorted((out / name).stat().st_mtime for name in digests(out))


def _by_hand(pictures: Path, server: Server, repeat: int) -> list[float]:
    """The same, of prompts that are queued all at once, their pictures uploaded before."""
    client, output = Client(server.address), server.base / "output"
    before = set(output.iterdir())
    prompts = [
        _flow(SECONDS_ONE_BY_ONE, client.upload(path), client.upload(path.with_name(f"{path.stem}_mask.png")), seed)
        for seed, path in enumerate(sorted(pictures.glob("*/*[0-9].png")), 1000 * repeat)
    ]
    with ThreadPoolExecutor(len(prompts)) as threads:
        list(threads.map(client.run, prompts))
    return sorted(path.stat().st_mtime for path in set(output.iterdir()) - before)


def _apart(ends: list[float]) -> float:
    """Seconds from one to the next, all in all."""
    return (ends[-1] - ends[0]) / (len(ends) - 1)
