"""Measures `python batch`, a part at a time; benchmarks/results/batch.md has the tables.

scaling    pictures a minute at 1, 2, 4 and 8 hosts that wait in place of computing, which take 5 GB of memory; and what
           a picture costs more than by the same prompts, queued by hand
rows       time and memory of a dry run over a table of many rows
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from . import rows, scaling

PARTS = {"scaling": scaling.measure, "rows": rows.measure}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--count", type=int, help="pictures (of scaling: a host) or rows, in place of the usual number")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="batch-benchmark-") as folder:
        PARTS[arguments.part](Path(folder), arguments.count)
    return 0
