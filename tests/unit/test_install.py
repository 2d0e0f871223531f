"""The installation: whose Python is used, and what a failure tells."""

import os
import sys

import pytest

from comfyui_host import install, pip_step


def test_a_failing_command_names_its_step_its_last_lines_and_what_to_do(tmp_path):
    printed = "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device"
    with pytest.raises(pip_step.StepError) as failed:
        pip_step.run("torch", [sys.executable, "-c", f"raise SystemExit({printed!r})"], tmp_path)
    assert all(words in str(failed.value) for words in ("'torch' failed", printed, "free about 4 GB"))


def test_a_checkout_of_your_own_is_used_with_its_own_python(tmp_path, monkeypatch):
    monkeypatch.setenv("COMFYUI_PATH", str(tmp_path))
    with pytest.raises(pip_step.StepError, match="main.py"):
        install.find_host()
    (tmp_path / "main.py").touch()
    assert install.ensure_host().python.samefile(sys.executable)
    own = tmp_path / ".venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    own.parent.mkdir(parents=True)
    own.touch()
    assert install.ensure_host().python == own
    monkeypatch.setenv("COMFYUI_PYTHON", sys.executable)
    assert str(install.ensure_host().python) == sys.executable
