"""`python benchmarks NAME [options]` measures anew what stands in benchmarks/results; without a name it lists them.

It installs what is missing first, as `python tests` does.
"""

import importlib
import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # the rooms are packages of the repository

from comfyui_host import in_process, install  # noqa: E402

COMMANDS = {
    "exactness": ("exactness.command", "how far each sampler is from the exact answer"),
    "few_steps": ("exactness.few_steps", "large pictures and few steps, against the exact answer"),
    "trained_few_steps": ("trained_few_steps", "few steps of the demo model, and of its distilled form"),
    "defaults": ("exactness.defaults", "what decided the defaults"),
    "learnt": ("exactness.learnt", "trains the small network that `exactness` also samples with"),
    "quality": ("quality.command", "any checkpoint of yours: seams, and the model's own judgement of pictures"),
    "pixels": ("pixels.command", "seams, leaks, exactness and cost in pixel space"),
    "matrix": ("matrix.command", "every model family, method, solver and scheduler: is each promise kept?"),
    "painted": ("matrix.painted_command", "what is painted, against a law known in closed form"),
    "cost": ("cost.command", "time, memory and waiting beside the host's own sampler"),
    "batch": ("batch.command", "many pictures: scaling, losses when processes are killed, a table of a million rows"),
    "old_content": ("old_content", "what denoise below 1 and soft masks leave of the old content"),
    "gpu": ("gpu.command", "all that needs a GPU to mean something, or small on a CPU"),
    "endurance": ("endurance.command", "hundreds of mixed jobs through the queue"),
}


def main() -> None:
    if len(sys.argv) < 2 or sys.argv[1] not in COMMANDS:
        names = "\n".join(f"  {name:10} {purpose}" for name, (_, purpose) in COMMANDS.items())
        sys.exit(f"usage: python benchmarks NAME [--help]\n{names}")
    install.run_under_host(test_tools=True)
    in_process.start()  # so that a benchmark can import it and the pack in any order
    name = sys.argv.pop(1)
    sys.argv[0] = f"python benchmarks {name}"
    sys.exit(importlib.import_module(f"benchmarks.{COMMANDS[name][0]}").main())


if __name__ == "__main__":
    main()
