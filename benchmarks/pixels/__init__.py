"""Measurements of the pixel work; the host is started first, so that all parts can import it and the pack."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "demo"))

import in_process  # noqa: E402

host = in_process.start()
