"""Finds the host."""
from __future__ import annotations
import os
import sys
from dataclasses import dataclass
from pathlib import Path
ROOT = Path(__file__).resolve().parents[1]

@dataclass(frozen=True)
class HostFiles:
    tree: Path
    python: Path

def find_host() -> HostFiles:
    tree = Path(os.environ.get("COMFYUI_PATH") or ROOT / ".host" / "ComfyUI")
    return HostFiles(tree, Path(sys.executable))
