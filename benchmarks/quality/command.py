"""How well every method inpaints with a checkpoint of yours, at equal passes of its network.

    python benchmarks quality                              the demo model, on scenes that it was never trained on
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
import hashlib
import platform
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import torch

from comfyui_host import in_process, install
from demo_model.measure import held_out

from ..report import OUT, RESULTS
from . import HOST, inexact
from .bench import Bench, Case, Place, mask_of
from .loading import BadInput, Subject, load, pack_version, pictures_of
from .methods import METHODS, find_lanpaint
from .page import Page

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
    parser.add_argument("--count", type=int, default=0, help="pictures: 16 (demo model 32, --quick 4)")
    parser.add_argument("--steps", type=int, default=0, help="of two evaluations each: 20 (--quick 8)")
    parser.add_argument("--size", type=int, default=512, help="pixels a side; the demo model has 128")
    parser.add_argument("--cfg", type=float, nargs="+", help="4, or 1 where the model was distilled from guidance")
    parser.add_argument("--sampler", default="euler_ancestral", help="sampler_name, for all methods")
    parser.add_argument("--scheduler", help="karras, or simple for a flow model")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where results go: benchmarks/out/NAME")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--blind", action="store_true")
    parser.add_argument("--threads", type=int, help="of the CPU")
    parser.add_argument("--inexact", action="store_true", help="stand-ins made of the demo model: see inexact.py")
    return parser


@torch.inference_mode()
def main() -> None:
    if "--inexact" in sys.argv:
        return inexact.main()
    options = parser().parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    try:
        run(options)
    except BadInput as error:
        sys.exit(f"quality: {error}")


def run(options: argparse.Namespace) -> None:
    subject = load(options)
    is_demo = not (options.checkpoint or options.unet) or subject.files["model"] == HOST.demo_checkpoint
    size = checked_size(128 if is_demo else options.size, subject)
    cfgs = options.cfg or ([1.0] if is_distilled(subject) else [4.0])
    steps = options.steps or (8 if options.quick else 20)
    count = options.count or (4 if options.quick else 32 if is_demo else 16)
    scheduler = options.scheduler or ("simple" if subject.is_flow else "karras")
    samplers = HOST.comfy.samplers
    for name, value, choices in (
        ("sampler", options.sampler, samplers.SAMPLER_NAMES),
        ("scheduler", scheduler, samplers.SCHEDULER_NAMES),
    ):
        if value not in choices:
            raise BadInput(f"input --{name}: found {value}, wanted one of: {', '.join(choices)}")
    if min(steps, count) < 1:
        raise BadInput(f"input --steps, --count: found {steps}, {count}, wanted 1 or more")
    prompts = read_prompts(options.prompts) if options.prompts else []
    folder = options.out or OUT / (subject.name + ("-quick" if options.quick else ""))
    identity = {
        "files": subject.files, "size": size, "steps": steps, "sampler": options.sampler, "scheduler": scheduler,
        "pictures": str(options.pictures and options.pictures.resolve()), "prompts": prompts, "code": code(),
    }  # fmt: skip
    bench = Bench(subject, (options.sampler, scheduler, steps), size, folder, identity)
    cases = list(cases_of(bench, options, prompts, count, cfgs[0], is_demo))
    methods = [*METHODS, *(["lanpaint"] if find_lanpaint(install.find_host().tree / "custom_nodes") else [])]
    command = re.sub(r"(--(?:pictures|prompts|out|models) )\S+", r"\1...", " ".join(sys.argv[1:]))  # paths are private
    title = f"Inpainting with {subject.files['model']}"
    for case in cases:
        for cfg in cfgs:
            for method in methods:
                cell = bench.measure(case, place := Place(case.number, mask_of(case.number), method, cfg))
                said = f"seam {cell['seam']:.3f}, loss {cell['loss']:.3f}" if cell else bench.failures[str(place)]
                print(f"{place}: {said}")
        page = Page(bench, title, machine(command, bench), cases, methods, cfgs)  # whole or not: who stops has it
        page.write(folder / "results", options.blind)
    print(f"{folder / 'results.html'}")
    if is_demo and not options.quick and not options.out:
        page.write_markdown(RESULTS / "quality")


def cases_of(
    bench: Bench, options: argparse.Namespace, prompts: list[str], count: int, cfg: float, is_demo: bool
) -> Iterator[Case]:
    """The pictures: of a folder, of the demo model's scenes, or made by the model itself."""
    if options.pictures:
        pictures, notes = pictures_of(options.pictures, count, bench.size)
        bench.subject.notes += notes
        texts = prompts or [""]
    elif is_demo:
        images, captions = held_out(count)
        pictures, texts = list(images), prompts or captions
    else:
        texts = prompts or list(PROMPTS)
        pictures = []
        bench.subject.notes.append("The pictures were made by the model itself.")
        for number in range(count):
            pictures.append(bench.made(number, texts[number % len(texts)], cfg))
            print(f"picture {number + 1} of {count} made")
    for number, picture in enumerate(pictures):
        yield Case(bench, number, picture, texts[number % len(texts)])


def read_prompts(path: Path) -> list[str]:
    try:
        found = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    except (OSError, UnicodeError) as error:
        raise BadInput(f"input --prompts: found {path}, which cannot be read ({error}), wanted a text file") from error
    if not found:
        raise BadInput(f"input --prompts: found {path} empty, wanted a prompt a line")
    return found


def checked_size(size: int, subject: Subject) -> int:
    """The size, rounded down to whole patches of the network; at least eight cells, so that masks have two parts."""
    step = 2 * subject.cell
    if size < 4 * step:
        raise BadInput(f"input --size: found {size}, wanted at least {4 * step} for this VAE")
    if size % step:
        subject.notes.append(f"--size {size} was rounded down to {size // step * step}.")
    return size // step * step


def is_distilled(subject: Subject) -> bool:
    """Whether guidance is an input of the network, as in Flux dev, so that cfg is 1."""
    return bool(subject.model.model.model_config.unet_config.get("guidance_embed"))


def code() -> str:
    """Of all files that decide a cell, so that results of other code are not taken for these."""
    root, digest = in_process.ROOT, hashlib.sha256()
    for path in sorted([*(root / "samplers").rglob("*.py"), *Path(__file__).parent.glob("m*.py")]):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def machine(command: str, bench: Bench) -> str:
    import comfyui_version

    device = torch.cuda.get_device_name() if torch.cuda.is_available() else f"{platform.machine()} CPU"
    sampler, scheduler, steps = bench.settings
    return (
        f"Latent RePaint {pack_version(in_process.ROOT)}, ComfyUI {comfyui_version.__version__}, torch "
        f"{torch.__version__}, {device}. {bench.size} x {bench.size} pixels, {sampler}, {scheduler}, {steps} steps of "
        f"two evaluations. Command: python benchmarks quality {command}".rstrip()
    )
