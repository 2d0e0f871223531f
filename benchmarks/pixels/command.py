"""Seams, leaks, exactness and cost of everything in pixel space.

    python benchmarks pixels                      all of it that needs nothing else, some minutes on two cores
    python benchmarks pixels exactness seams      some of it
    python benchmarks pixels sizes --crop-and-stitch DIR
                                                  the cost beside ComfyUI-Inpaint-CropAndStitch, of which DIR is a copy
    python benchmarks pixels --vae-approx DIR --pictures DIR
                                                  trained autoencoders (TAESD and its kin) on photographs

Prints tables, and keeps them in benchmarks/results/pixels/, one file a part.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import torch

from ..report import RESULTS, Table, write
from .cost import sampling
from .cut import cut
from .exactness import exactness
from .leak import leak
from .real import real
from .seams import seams
from .second_pass import second_pass
from .sizes import sizes

PARTS = (exactness, seams, cut, leak, second_pass, sampling)


@torch.inference_mode()
def main() -> None:
    folder = RESULTS / "pixels"
    folder.mkdir(exist_ok=True)
    for name, (part, command) in chosen().items():
        text = f"{part().text}\nWritten by `python benchmarks pixels {command}`.\n"
        write(folder / f"{name}.md", text)
        sys.stdout.write(text + "\n")


def chosen() -> dict[str, tuple[Callable[[], Table], str]]:
    """What the command line asks for: each part by its name, with the command that does it alone."""
    names = [*(part.__name__ for part in PARTS), "sizes"]
    parser = argparse.ArgumentParser("python benchmarks pixels")
    parser.add_argument("parts", nargs="*", choices=[*names, []], help=", ".join(names))
    parser.add_argument("--crop-and-stitch", type=Path, metavar="DIR", help="to measure the cost of beside ours")
    parser.add_argument("--vae-approx", type=Path, metavar="DIR", help="autoencoders: NAME_encoder and NAME_decoder")
    parser.add_argument("--pictures", type=Path, metavar="DIR", help="photographs for them, as PNG or JPEG")
    given = parser.parse_args()
    if bool(given.vae_approx) != bool(given.pictures):
        parser.error("--vae-approx and --pictures go together")
    beside = " --crop-and-stitch DIR" if given.crop_and_stitch else ""
    parts: dict[str, tuple[Callable[[], Table], str]] = {
        part.__name__: (lambda part=part: part(RESULTS / "pixels"), part.__name__) for part in PARTS
    }
    parts["sizes"] = (lambda: sizes(given.crop_and_stitch), f"sizes{beside}")
    if given.vae_approx:
        return {"real": (lambda: real(given.vae_approx, given.pictures), "--vae-approx DIR --pictures DIR")}
    return {name: parts[name] for name in given.parts or parts}
