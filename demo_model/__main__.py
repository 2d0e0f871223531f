"""`python demo_model train | distil | measure | control`: makes the small model, and the figures of its README."""

import importlib
import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # the folders of the repository are packages

from comfyui_host import install  # noqa: E402

COMMANDS = ("train", "distil", "measure", "control")


def main() -> None:
    if len(sys.argv) < 2 or sys.argv[1] not in COMMANDS:
        sys.exit(f"usage: python demo_model {' | '.join(COMMANDS)} [--help]")
    install.run_under_host()
    name = sys.argv.pop(1)
    sys.argv[0] = f"python demo_model {name}"
    importlib.import_module(f"demo_model.{name}").main()


if __name__ == "__main__":
    main()
