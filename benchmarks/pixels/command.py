"""Whether Crop, Stitch and Composite change anything that they must not, and what they cost by size.

    python benchmarks pixels                             both, some minutes
    python benchmarks pixels exactness --cases 50        one of them; fewer cases are only printed
    python benchmarks pixels sizes --sides 1024

Prints tables, and keeps them in benchmarks/results/pixels/, one file a part.
"""

import argparse

import torch

from ..report import RESULTS, write
from .exactness import CASES, exactness
from .sizes import SIDES, sizes

PARTS = ("exactness", "sizes")


@torch.inference_mode()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of: {', '.join(PARTS)}")
    parser.add_argument("--cases", type=int, default=CASES, help="of exactness: random pictures of each kind")
    parser.add_argument("--sides", type=int, nargs="+", default=SIDES, help="of sizes: pixels")
    options = parser.parse_args()
    for name in options.parts or PARTS:
        table = exactness(options.cases) if name == "exactness" else sizes(options.sides)
        text = f"{table.text}\nWritten by `python benchmarks pixels {name}`.\n"
        print(text)
        if (options.cases, tuple(options.sides)) == (CASES, SIDES):
            write(RESULTS / "pixels" / f"{name}.md", text)
