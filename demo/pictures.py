"""`python demo pictures`: draws anew all that the demo's model paints, after another model has taken its place: the
examples, the templates' thumbnails, the gallery, the registry's icon and banner, and, with Chromium, the help's."""

import subprocess
import sys

from comfyui_host import install

COMMANDS = (
    ("demo", "examples"),
    ("demo", "thumbnails"),
    ("demo", "gallery"),
    ("demo", "registry"),
    ("tests", "help_pictures"),
)


def main() -> None:
    for room, name in COMMANDS:
        subprocess.run([sys.executable, install.ROOT / room, name], check=True)
