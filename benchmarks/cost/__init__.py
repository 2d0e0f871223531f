"""What the samplers cost in time, memory and waiting; the host is started first, so that all parts can import it."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "demo"))

import in_process  # noqa: E402

HOST = in_process.start()
