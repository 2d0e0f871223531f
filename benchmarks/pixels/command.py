"""Whether Crop, Stitch and Composite change anything that they must not, and what they cost by size.

    python benchmarks pixels                      both, some minutes on two cores
    python benchmarks pixels exactness            one of them
    python benchmarks pixels sizes --crop-and-stitch DIR
                                                  the cost beside ComfyUI-Inpaint-CropAndStitch, of which DIR is a copy

Prints tables, and keeps them in benchmarks/results/pixels/, one file a part.
"""

import argparse
from pathlib import Path

import torch

from ..report import RESULTS, write
from .exactness import exactness
from .sizes import sizes

PARTS = ("exactness", "sizes")


@torch.inference_mode()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of: {', '.join(PARTS)}")
    parser.add_argument("--crop-and-stitch", type=Path, metavar="DIR", help="to measure the cost of beside ours")
    options = parser.parse_args()
    for name in options.parts or PARTS:
        table = exactness() if name == "exactness" else sizes(options.crop_and_stitch)
        text = f"{table.text}\nWritten by `python benchmarks pixels {name}`.\n"
        write(RESULTS / "pixels" / f"{name}.md", text)
        print(text)
