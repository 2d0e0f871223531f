"""Runs the host's main.py under its own Python: `python -m comfyui_host.launch <ComfyUI> <arguments of main.py>`.

Started by `server_process.py`, which holds the other end of standard input: when that end closes, for whatever reason,
this process ends too, so that a demo that was killed leaves no host behind.
"""

import os
import runpy
import sys
import threading
from pathlib import Path

from .torchvision_cure import cure_torchvision


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_end_with_parent, daemon=True).start()
    cure_torchvision()
    import torch

    main = Path(sys.argv[1]) / "main.py"
    sys.argv = [str(main), *sys.argv[2:], *([] if torch.cuda.is_available() else ["--cpu"])]
    sys.path[0] = str(main.parent)  # it was the repository's, whose nodes/ would hide the host's nodes.py
    runpy.run_path(str(main), run_name="__main__")
