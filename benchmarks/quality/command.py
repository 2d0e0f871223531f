"""How well every method inpaints with a checkpoint of yours, at equal passes of its network.

    python benchmarks quality                              the small model, on scenes that it was never trained on
    python benchmarks quality --checkpoint NAME            any checkpoint that Load Checkpoint offers
    python benchmarks quality --unet NAME --clip NAME [NAME [NAME]] --clip-type flux --vae NAME
    python benchmarks quality ... --pictures DIR           your own pictures; without, the model makes some itself
    python benchmarks quality ... --quick                  four pictures, few steps
    python benchmarks quality ... --blind                  the page asks which picture is better before it tells
    python benchmarks quality --inexact                    distilled models and other trouble; see inexact.py

COMFYUI_PATH names your ComfyUI. If LanPaint is installed in it, it is measured too. A run that was stopped goes on
where it stopped. Nothing leaves your machine: results.html holds the pictures and all figures; docs/measure.md says how
to read and share them.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import json
import platform
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import torch

from comfyui_host import in_process
from demo_model.measure import held_out

from ..host import HOST
from ..report import OUT, RESULTS
from . import inexact
from .cells import METHODS, KeptFigures, cell_of
from .checkpoint import BadInput, load, pictures_of, prompts_of
from .page import ResultsPage
from .sampling import with_lanpaint
from .scenes import Scenes

PROMPTS = (
    "a photograph of a red barn in a snowy field",
    "a wooden table with a bowl of oranges by a window",
    "a portrait of an old fisherman, soft light",
    "a narrow street with cafes in the evening rain",
    "a mountain lake with pine trees and a small boat",
    "a tabby cat asleep on a knitted blanket",
    "an oil painting of ships in a harbour",
    "a bookshelf full of old books",
)


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--checkpoint", metavar="NAME", help="a file that Load Checkpoint offers")
    what.add_argument("--unet", metavar="NAME", help="a file that Load Diffusion Model offers")
    parser.add_argument("--weight-dtype", default="default", help="of --unet: default, fp8_e4m3fn, ...")
    parser.add_argument("--clip", nargs="+", metavar="NAME", help="text encoders: one, two or three files")
    parser.add_argument("--clip-type", metavar="TYPE", help="as in Load CLIP: flux, sd3, wan, qwen_image, ...")
    parser.add_argument("--vae", metavar="NAME", help="a file that Load VAE offers")
    parser.add_argument("--models", nargs="+", default=[], metavar="DIR", help="more folders like ComfyUI's models")
    parser.add_argument("--pictures", type=Path, metavar="DIR", help="pictures to paint in")
    parser.add_argument("--prompts", type=Path, metavar="FILE", help="a prompt a line, in the order of the pictures")
    parser.add_argument("--count", type=int, default=0, help="pictures: 16 (small model 32, --quick 4)")
    parser.add_argument("--steps", type=int, default=0, help="of two evaluations each: 20 (--quick 8)")
    parser.add_argument("--size", type=int, default=512, help="pixels a side; the small model has 128")
    parser.add_argument("--cfg", type=float, nargs="+", help="4, or 1 where the model was distilled from guidance")
    parser.add_argument("--sampler", default="euler_ancestral", help="sampler_name, for all methods")
    parser.add_argument("--scheduler", help="karras, or simple for a flow model")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where results go: benchmarks/out/NAME")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--blind", action="store_true")
    return parser


@torch.inference_mode()
def main() -> None:
    if "--inexact" in sys.argv:
        return inexact.main()
    options = parser().parse_args()
    try:
        run(options)
    except BadInput as error:
        sys.exit(f"quality: {error}")


def run(options: argparse.Namespace) -> None:
    checkpoint = load(options)
    is_demo = checkpoint.is_demo
    size = checkpoint.checked_size(128 if is_demo else options.size)
    cfgs = options.cfg or ([1.0] if checkpoint.is_distilled else [4.0])
    steps = options.steps or (8 if options.quick else 20)
    count = options.count or (4 if options.quick else 32 if is_demo else 16)
    scheduler = options.scheduler or ("simple" if checkpoint.is_flow else "karras")
    for name, value, choices in (
        ("sampler", options.sampler, HOST.comfy.samplers.SAMPLER_NAMES),
        ("scheduler", scheduler, HOST.comfy.samplers.SCHEDULER_NAMES),
    ):
        if value not in choices:
            raise BadInput(f"input --{name}: found {value}, wanted one of: {', '.join(choices)}")
    if min(steps, count) < 1:
        raise BadInput(f"input --steps, --count: found {steps}, {count}, wanted 1 or more")
    prompts = prompts_of(options.prompts) if options.prompts else []
    folder = options.out or OUT / (checkpoint.name + ("-quick" if options.quick else ""))
    decisive = [checkpoint.files, size, steps, options.sampler, scheduler, str(options.pictures), prompts]
    kept_in = folder / identity(decisive)
    try:
        kept_in.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"input --out: found {folder}, wanted a folder that can be written: {error}") from error
    kept = KeptFigures(checkpoint, (options.sampler, scheduler, steps), size, kept_in)
    scenes = list(to_paint(kept, options, prompts, count, cfgs[0]))
    methods = with_lanpaint(list(METHODS))
    title = f"Inpainting with {checkpoint.files['model']}"
    for scene in scenes:
        for cfg in cfgs:
            for method in methods:
                cell = cell_of(scene, method, cfg)
                print(f"{cell}: {kept.measure(scene, cell)}", flush=True)
        # whole or not: who stops has it
        page = ResultsPage(title, machine(size, kept.settings), kept, scenes, methods, cfgs)
        page.write(folder / "results", options.blind)
    print(f"{folder / 'results.html'}")
    if is_demo and not options.quick and not options.out:
        page.write_markdown(RESULTS / "quality")


def to_paint(
    kept: KeptFigures, options: argparse.Namespace, prompts: list[str], count: int, cfg: float
) -> Iterator[Scenes]:
    """The pictures: of a folder, of the small model's scenes, or made by the model itself."""
    checkpoint = kept.checkpoint
    if options.pictures:
        pictures, notes = pictures_of(options.pictures, count, kept.size)
        checkpoint.notes += notes
        texts = prompts or [""]
    elif checkpoint.is_demo:
        images, captions = held_out(count)
        pictures, texts = list(images), prompts or captions
    else:
        texts = prompts or list(PROMPTS)
        pictures = []
        checkpoint.notes.append("The pictures were made by the model itself.")
        for number in range(count):
            pictures.append(kept.made(number, texts[number % len(texts)], cfg))
            print(f"picture {number + 1} of {count} made")
    for number, picture in enumerate(pictures):
        conditioning = functools.partial(checkpoint.prompts, texts[number % len(texts)])
        yield Scenes(checkpoint.model, checkpoint.vae, picture[None], conditioning, number)


def identity(decisive: list) -> str:
    """Of all that decides a cell beside its name, this code included, so that no other results are taken for these."""
    digest = hashlib.sha256(json.dumps(decisive).encode())
    code = [*(in_process.ROOT / "samplers").rglob("*.py"), *Path(__file__).parent.glob("[cms]*s.py")]
    for path in sorted(code):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:8]


def machine(size: int, settings: tuple[str, str, int]) -> str:
    import comfyui_version

    version = re.search(r'^version = "(.*)"', (in_process.ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.M)
    assert version is not None
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else f"{platform.machine()} CPU"
    sampler, scheduler, steps = settings
    # paths are private
    command = re.sub(r"(--(?:pictures|prompts|out|models) )\S+", r"\1...", " ".join(sys.argv[1:]))
    return (
        f"Latent RePaint {version[1]}, ComfyUI {comfyui_version.__version__}, torch {torch.__version__}, {device}. "
        f"{size} x {size} pixels, {sampler}, {scheduler}, {steps} steps of two evaluations. "
        f"Command: python benchmarks quality {command}".rstrip()
    )
