"""`python demo`: a real ComfyUI inpaints a picture with a model that was never trained for it.

Starts the host with this pack, queues three prompts over its HTTP interface (the host's own KSampler with a noise mask,
Blend, Match; all with one seed and 50 model evaluations), and writes their pictures to demo/out. `--ui` leaves it
running instead.
"""

from __future__ import annotations

import argparse
import io
import json
import signal
import sys
import time
from typing import Any

import numpy as np
from PIL import Image
from safetensors.numpy import load

from comfyui_host import install
from comfyui_host.client import Client, FinishedPrompt, HostGone, PromptError
from comfyui_host.server_process import PACK, HostError, Server, serve

from .collage import carrying, side_by_side, tinted
from .demo_values import with_demo_values

DEMO = install.ROOT / "demo"
OUT = DEMO / "out"
PICTURE = DEMO / "example_masked.png"
METHODS = {"plain": "KSampler", "blend": "Blend", "match": "Match"}
TO_COMPARE = {  # stock nodes that save what the demo measures: the latent before and after, and the mask's grid
    "before": {"class_type": "SaveLatent", "inputs": {"samples": ["masked", 0], "filename_prefix": "before"}},
    "after": {"class_type": "SaveLatent", "inputs": {"samples": ["sample", 0], "filename_prefix": "after"}},
    "grid_image": {"class_type": "MaskToImage", "inputs": {"mask": ["masked", 1]}},
    "grid": {"class_type": "SaveImage", "inputs": {"images": ["grid_image", 0], "filename_prefix": "grid"}},
}


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python demo", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--ui", action="store_true", help="leave the host running for a browser, until Ctrl-C")
    parser.add_argument("--port", type=int, help="the host's port (a free one, if not given)")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))  # so that the host is ended too
    try:
        print("starting ComfyUI ...")
        started = time.monotonic()
        with serve(install.find_host(), arguments.port, previews=arguments.ui) as server:
            print(f"ComfyUI answers at {server.address} after {time.monotonic() - started:.0f} s")
            client = Client(server.address)
            for path in sorted(DEMO.glob("example_*.png")):
                client.upload(path)
            if arguments.ui:
                furnish_templates(server)
                client.upload(install.find_host().tree / "input" / "example.png")  # of the templates for other models
                stay(server)
            else:
                compare(client)
    except (HostError, HostGone, PromptError) as error:
        sys.exit(f"The demo stopped: {error}")
    except OSError as error:
        sys.exit(f"The demo stopped: {error}. If the disk is full, free some space and try again.")
    except KeyboardInterrupt:
        sys.exit("\nended")


def compare(client: Client) -> None:
    """Run every method, save its picture, say what it cost and what it changed, and draw all side by side."""
    OUT.mkdir(exist_ok=True)
    panels = {"picture and mask": tinted(Image.open(PICTURE))}
    for method, label in METHODS.items():
        started = time.monotonic()
        run = client.run(prompt(method), lambda node, value, total, label=label: show_progress(label, value, total))
        seconds = time.monotonic() - started
        content = client.fetch(run.outputs["save"]["images"][0])
        panels[label] = Image.open(io.BytesIO(content))
        path = OUT / f"{method}.png"
        path.write_bytes(content)
        print(
            f"\r{label}: {path}\n    {run.evaluations('sample')} model evaluations in {seconds:.1f} s, "
            f"largest change of the kept latent {known_difference(client, run):.2g}"
        )
    sheet = OUT / "side_by_side.png"
    side_by_side(panels).save(sheet, pnginfo=carrying("12-repaint-match-blend-samplers"))
    print(f"side by side: {sheet}")


def prompt(method: str) -> dict[str, Any]:
    """The prompt in API form that the tests run too, with the nodes that save what is measured here."""
    path = install.ROOT / "demo" / "prompts" / f"{method}.json"
    return json.loads(path.read_text(encoding="utf-8")) | TO_COMPARE


def known_difference(client: Client, run: FinishedPrompt) -> float:
    """The largest |after - before| over the latent cells that the mask does not touch."""
    files = [run.outputs[node]["latents"][0] for node in ("before", "after")]
    before, after = (load(client.fetch(file))["latent_tensor"] for file in files)
    grid = Image.open(io.BytesIO(client.fetch(run.outputs["grid"]["images"][0]))).convert("L")
    return float(np.abs(after - before)[..., np.asarray(grid) == 0].max())


def show_progress(label: str, value: int, total: int) -> None:
    """Draw how many of the model evaluations are done, on a terminal."""
    if sys.stdout.isatty():
        done = 30 * value // total
        print(f"\r{label}: [{'#' * done}{'.' * (30 - done)}] {value}/{total} model evaluations ", end="")


def furnish_templates(server: Server) -> None:
    """Put the demo's model, pictures and values into the templates that its page offers."""
    for path in (server.base / "custom_nodes" / PACK / "workflows").glob("*.json"):
        workflow = with_demo_values(path.stem, json.loads(path.read_text(encoding="utf-8")))
        path.write_text(json.dumps(workflow), encoding="utf-8")


def stay(server: Server) -> None:
    """Wait for Ctrl-C."""
    print(f"Open {server.address} in a browser: Browse Templates > Extensions > latent-repaint. Ctrl-C ends it.")
    while server.process.poll() is None:
        time.sleep(0.5)
    raise HostError(f"the host ended by itself:\n{server.tail()}")
