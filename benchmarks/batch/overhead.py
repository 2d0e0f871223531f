"""What a picture costs more by `python batch` than by the same prompts, queued by hand to one host."""

from __future__ import annotations

import json
import statistics
import time
import urllib.request
from pathlib import Path

from comfyui_host.client import Client
from comfyui_host.server_process import Server

from .trial import ends, make_pictures, run
from .waiting import SECONDS_AN_EVALUATION, waiting_flow, with_picture

STEPS, SIDES, GRAIN = 4, (512, 1024), 8.0
PICTURES, REPEATS = 10, 3


def measure(folder: Path, repository: Path, server: Server) -> None:
    """Print the seconds from one result to the next, by hand and by batch, in turns."""
    (folder / "flow.json").write_text(json.dumps(waiting_flow(STEPS)))
    model = STEPS * SECONDS_AN_EVALUATION
    print(f"\n{STEPS} evaluations of {SECONDS_AN_EVALUATION} s; medians of {REPEATS} repeats of {PICTURES} pictures")
    print(f"| pixels | by hand | by batch | more, of {model:.0f} s |\n|---|---|---|---|")
    for side in SIDES:
        pictures = folder / f"one by one {side}"
        make_pictures(pictures, PICTURES, side, GRAIN)
        hand, batch = [], []
        for repeat in range(REPEATS):
            hand.append(_by_hand(pictures, server, repeat))
            out = folder / f"results {side} {repeat}"
            options = ["--host", server.address, "--seed", repeat]
            code, said = run(folder / "flow.json", pictures, out, *options, repository=repository)
            if code:
                raise SystemExit(said)
            batch.append(_apart(ends(out)))
        more = statistics.median(batch) - statistics.median(hand)
        cells = [f"{statistics.median(found):.3f} s ({min(found):.3f} to {max(found):.3f})" for found in (hand, batch)]
        print(f"| {side} x {side} | {cells[0]} | {cells[1]} | {more / model:.1%} |")


def _by_hand(pictures: Path, server: Server, repeat: int) -> float:
    """All prompts queued at once, their pictures uploaded before."""
    client, prompts = Client(server.address), []
    for number, path in enumerate(sorted(pictures.glob("*/*[0-9].png"))):
        mask = path.with_name(f"{path.stem}_mask.png")
        prompts.append(with_picture(waiting_flow(STEPS), client, path, mask))
        prompts[-1]["7"]["inputs"]["seed"] = 1000 * repeat + number
    output = server.base / "output"
    before = set(output.iterdir())
    for prompt in prompts:
        body = json.dumps({"prompt": prompt}).encode()
        request = urllib.request.Request(f"{server.address}/prompt", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            answer.read()
    while len(found := set(output.iterdir()) - before) < len(prompts):
        time.sleep(0.5)
    return _apart(sorted(path.stat().st_mtime for path in found))


def _apart(times: list[float]) -> float:
    """Seconds from one to the next, all in all."""
    return (times[-1] - times[0]) / (len(times) - 1)
