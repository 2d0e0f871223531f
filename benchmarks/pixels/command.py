"""Seams, leaks, exactness and cost of everything in pixel space.

    python benchmarks pixels                      all of it, some minutes on two cores
    python benchmarks pixels exactness seams      some of it: exactness, seams, cut, leak, second_pass, sampling, speed

Prints tables, and keeps them in benchmarks/results/pixels/, one file a part.
"""

import sys

import torch

from ..report import RESULTS, Table, write
from .cost import sampling, speed
from .cut import cut
from .leak import leak
from .seams import exactness, seams
from .second_pass import second_pass

PARTS = {part.__name__: part for part in (exactness, seams, cut, leak, second_pass, sampling, speed)}


@torch.inference_mode()
def main() -> None:
    folder = RESULTS / "pixels"
    folder.mkdir(exist_ok=True)
    for name in sys.argv[1:] or PARTS:
        table: Table = PARTS[name](folder)
        text = f"{table.text}\nWritten by `python benchmarks pixels {name}`.\n"
        write(folder / f"{name}.md", text)
        sys.stdout.write(text + "\n")
