"""Runs a ComfyUI's main.py under its own Python: `python launch.py <folder to delete> <main.py> <its arguments>`.

Started by `server_process.py`, which holds the other end of standard input. When that end closes, for whatever reason,
this process deletes the folder and ends, so that whoever is killed leaves neither a host nor files behind.
"""

import os
import runpy
import shutil
import sys
import threading
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # where Python finds the next import

from comfyui_host.torchvision_cure import cure_torchvision  # noqa: E402


def _end_with_parent(folder: str) -> None:
    sys.stdin.buffer.read()
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)


def _has_accelerator() -> bool:
    import torch

    found = [torch.cuda.is_available(), torch.backends.mps.is_available()]
    return any(found) or (hasattr(torch, "xpu") and torch.xpu.is_available())


if __name__ == "__main__":
    folder, main = sys.argv[1:3]
    threading.Thread(target=_end_with_parent, args=(folder,), daemon=True).start()
    cure_torchvision()
    sys.argv = [main, *sys.argv[3:], *([] if _has_accelerator() else ["--cpu"])]
    sys.path[0] = str(Path(main).parent)  # the repository's nodes/ would hide the host's nodes.py
    runpy.run_path(main, run_name="__main__")
