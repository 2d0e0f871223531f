"""`python demo_model/next train | distil | measure`: makes the demo's model, and shows how far it is."""

import importlib
import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[2])  # the folders of the repository are packages

from comfyui_host import install  # noqa: E402

COMMANDS = ("train", "distil", "measure")


def main() -> None:
    if len(sys.argv) < 2 or sys.argv[1] not in COMMANDS:
        sys.exit(f"usage: python demo_model/next {' | '.join(COMMANDS)} [--help]")
    install.run_under_host()
    name = sys.argv.pop(1)
    sys.argv[0] = f"python demo_model/next {name}"
    importlib.import_module(f"demo_model.next.{name}").main()


if __name__ == "__main__":
    main()
