"""Many jobs of mixed settings through the queue, by two clients at once, with interrupts, on a host of its own.

    python benchmarks/endurance [--jobs 500]

writes benchmarks/results/endurance.md. Every picture is compared, byte for byte, with what the same job gave alone at
the start. Exit status 1 if one differs.
"""

import argparse
import re
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "demo"))

import bootstrap  # noqa: E402
import in_process  # noqa: E402

in_process.register_pack()

from server_process import serve  # noqa: E402

from latent_repaint.benchmarks.endurance.jobs import CENSUS, endure  # noqa: E402

ROUNDS, DIFFERENT, CLIENTS, INTERRUPTS = 10, 28, 2, 0.1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=500)
    options = parser.parse_args()
    rows: list[str] = []

    def say(row: str) -> None:
        rows.append(row)
        sys.stdout.write(row + "\n")
        sys.stdout.flush()

    start = time.monotonic()
    host = bootstrap.find_host()
    (version,) = re.findall(r'__version__ = "(.*)"', (host.tree / "comfyui_version.py").read_text(encoding="utf-8"))
    with serve(host, plugin=CENSUS) as server:
        tally = endure(server, ROUNDS, options.jobs // ROUNDS, DIFFERENT, CLIENTS, INTERRUPTS, say)
    text = "\n".join([
        "# Endurance",
        "",
        f"`python benchmarks/endurance --jobs {options.jobs}` on ComfyUI {version}, CPU, "
        f"{(time.monotonic() - start) / 60:.0f} min: {DIFFERENT} different jobs over all methods and many solvers, "
        f"{CLIENTS} clients at once, one job in {1 / INTERRUPTS:.0f} interrupted and queued again.",
        "",
        f"Jobs done: {tally.done}. Interrupted: {tally.interrupted}. **Wrong results: {len(tally.wrong)}** (picture "
        "compared byte for byte with the same job run alone at the start, and the number of model evaluations).",
        "",
        "| jobs done | resident memory, MB | tensors alive | held by them, MB |",
        "|---|---|---|---|",
        *rows,
        "",
        "The first row is after each job has run once. Tensors: those that Python's collector knows in the host's "
        "process, model weights not counted.",
        "",
    ])  # fmt: skip
    (ROOT / "benchmarks" / "results" / "endurance.md").write_text(text, encoding="utf-8")
    sys.stdout.write("\n".join(tally.wrong) + "\n")
    return 1 if tally.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
