"""The browser that the browser tier drives."""

import importlib.util
import os
import shutil

FLAGS = """--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking
           --disable-component-update --disable-sync""".split()


def find() -> str | None:
    """The path of a Chromium; the variable CHROMIUM names one of your own."""
    named = (os.environ.get("CHROMIUM"), "chromium", "chromium-browser", "google-chrome")
    return next((path for path in (shutil.which(name) for name in named if name) if path), None)


def lacking() -> str:
    """What the tier cannot run without and does not find; empty if all is there."""
    if importlib.util.find_spec("playwright") is None:
        return "playwright is not installed beside the ComfyUI that COMFYUI_PATH names"
    return "" if find() else "no chromium found: install one (Debian: apt-get install chromium) or name it in CHROMIUM"
