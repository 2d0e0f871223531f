"""Runs a ComfyUI's main.py under its own Python: `python launch_comfyui.py <main.py> <folder to delete> <arguments>`.

Whoever starts it holds the other end of standard input. When that end closes, for whatever reason, this process deletes
its folder and ends, so that a worker that was killed leaves neither a host nor files behind.
"""

import os
import runpy
import shutil
import sys
import threading


def _end_with_parent(folder: str) -> None:
    sys.stdin.buffer.read()
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)


def _has_accelerator() -> bool:
    import torch

    found = [torch.cuda.is_available(), torch.backends.mps.is_available()]
    return any(found) or (hasattr(torch, "xpu") and torch.xpu.is_available())


if __name__ == "__main__":
    main, folder = sys.argv[1:3]
    threading.Thread(target=_end_with_parent, args=(folder,), daemon=True).start()
    sys.argv = [main, *sys.argv[3:], *([] if _has_accelerator() else ["--cpu"])]
    sys.path[0] = os.path.dirname(main)  # it was this folder
    runpy.run_path(main, run_name="__main__")
