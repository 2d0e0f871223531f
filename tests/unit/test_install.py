"""The installation: what is done once, what is resumed, and what a failure tells."""

import os
import sys

import pytest

from comfyui_host import install, pip_step


@pytest.mark.parametrize(
    ("printed", "advice"),
    [
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "free about 4 GB"),
        ("Failed to establish a new connection: [Errno -3] Temporary failure in name resolution", "check the network"),
        ("ERROR: No matching distribution found for torch==2.13.0", "no build for Python"),
        ("Error: Command '-m ensurepip --upgrade' returned non-zero exit status 1", "apt install python3-venv"),
        ("something that nobody foresaw", "install.log"),
    ],
)
def test_a_failing_command_names_its_step_its_last_lines_and_what_to_do(tmp_path, printed, advice):
    with pytest.raises(pip_step.StepError) as failed:
        pip_step.run("torch", [sys.executable, "-c", f"raise SystemExit({printed!r})"], tmp_path)
    message = str(failed.value)
    assert "'torch' failed" in message and advice in message and printed in message


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
