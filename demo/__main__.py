"""`python demo` shows the pack at work; `python demo gallery`, `demo registry` and `demo thumbnails` draw pictures for
the docs, `demo examples` and `demo templates` write the pictures and workflows that users open, and `demo pictures`
draws all of these anew."""

import importlib
import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # the folders of the repository are packages

from comfyui_host import install  # noqa: E402

if __name__ == "__main__":
    install.run_under_host()
    others = ("examples", "gallery", "pictures", "registry", "templates", "thumbnails")
    name = sys.argv.pop(1) if sys.argv[1:2] and sys.argv[1] in others else "run"
    importlib.import_module(f"demo.{name}").main()
