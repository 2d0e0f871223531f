"""What this room needs, and a virtual environment of its own for it on first use: `.batch/` beside the room."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import venv
from pathlib import Path

NEEDS = ["ray[data]==2.60.0", "aiohttp>=3.11", "pillow>=10.1"]
"""The extra `batch` of pyproject.toml. Ray wants the same version of itself on every machine of a cluster."""
MODULES = ("ray", "pyarrow", "pandas", "aiohttp", "PIL")
VENV = Path(__file__).resolve().parents[1] / ".batch" / "venv"


def run_where_installed() -> None:
    """Return if this Python has what is needed; else install it beside, and start this command again there."""
    missing = [name for name in MODULES if importlib.util.find_spec(name) is None]
    if not missing:
        return
    python = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if Path(sys.prefix) == VENV:
        sys.exit(f"{VENV} lacks {', '.join(missing)}: delete it and run the same command again")
    if not (VENV / "complete").is_file():
        sys.stdout.write(
            f"This Python lacks {', '.join(missing)}. Installing {', '.join(NEEDS)} into {VENV}, once; about 500 MB.\n"
        )
        sys.stdout.flush()
        venv.create(VENV, clear=True, with_pip=True)
        if subprocess.run([str(python), "-m", "pip", "install", "--quiet", *NEEDS]).returncode:
            sys.exit("The installation failed; pip says why above. Check the network, then run the same command again.")
        (VENV / "complete").touch()
    command = [str(python), *sys.argv]
    if os.name == "posix":
        os.execv(python, command)
    process = subprocess.Popen(command)  # Windows cannot replace a process by another
    while True:
        try:
            sys.exit(process.wait())
        except KeyboardInterrupt:
            continue  # the child got it too, and finishes what is running
