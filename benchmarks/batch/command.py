"""Measures `python batch`, a part at a time; benchmarks/results/batch.md has the tables.

scaling    pictures a minute at 1, 2, 4, 8, 16 hosts whose model waits, and the cost over the same prompts by hand
losses     hosts and workers killed, the run interrupted and taken up again: the same bytes, none twice
rows       time and memory of a dry run over a table of many rows
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from . import losses, rows, scaling

PARTS = {"losses": losses.measure, "rows": rows.measure}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=["scaling", *PARTS])
    parser.add_argument("--count", type=int, help="pictures or rows, in place of the number that the table has")
    parser.add_argument("--hosts", type=int, default=16, help="scaling: the largest number of hosts; each takes 0.6 GB")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="batch-benchmark-") as folder:
        if arguments.part == "scaling":
            scaling.measure(Path(folder), arguments.count, arguments.hosts)
        else:
            PARTS[arguments.part](Path(folder), arguments.count)
    return 0
