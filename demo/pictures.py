"""`python demo pictures`: draws anew all that the demo's model paints, after other weights have taken its place: the
examples, the templates' thumbnails, the gallery, the methods side by side, the registry's icon and banner, the model's
own sheet of samples, and, with Chromium, the help's."""

import shutil
import subprocess
import sys

from comfyui_host import install

from .run import OUT

COMMANDS = (
    ("demo", "examples"),
    ("demo", "thumbnails"),
    ("demo", "gallery"),
    ("demo", "registry"),
    ("demo_model/next", "measure"),
    ("demo",),
    ("tests", "help_pictures"),
)


def main() -> None:
    for room, *name in COMMANDS:
        subprocess.run([sys.executable, install.ROOT / room, *name], check=True)
        if not name:
            shutil.copy(OUT / "side_by_side.png", install.ROOT / "docs")
