"""The installation: what is done once, what is resumed, and what a failure tells."""

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
def test_a_failure_names_the_step_and_what_to_do(tmp_path, printed, advice):
    message = pip_step.explain("torch", printed, tmp_path)
    assert "'torch' failed" in message and advice in message and printed in message


def test_a_failing_command_raises_with_its_last_lines(tmp_path):
    with pytest.raises(pip_step.StepError, match="no such thing"):
        pip_step.run("anything", [sys.executable, "-c", "raise SystemExit('no such thing')"], tmp_path)


def test_downloads_are_added_up():
    printed = "Downloading torch-2.13.0.whl (188.5 MB)\nDownloading https://x/y/six-1.17.0.whl (500 kB)"
    found = pip_step.DOWNLOADING.findall(printed)
    assert found == [("torch-2.13.0.whl", "188.5", "MB"), ("six-1.17.0.whl", "500", "kB")]
    assert pip_step.doing("") == "" and pip_step.doing(printed) == "six-1.17.0.whl"
    assert pip_step.doing(printed + "\nInstalling collected packages: six, torch\n") == "unpacking"


def test_a_step_is_done_once_and_again_when_its_facts_change_or_it_failed(tmp_path, monkeypatch):
    monkeypatch.setattr(install, "HOST", tmp_path)
    done = []

    def fail():
        done.append("failed")
        raise pip_step.StepError("no network")

    with pytest.raises(pip_step.StepError):
        install._once("torch", ["1"], fail)
    for facts in (["1"], ["1"], ["2"]):
        install._once("torch", facts, lambda facts=facts: done.append(facts))
    assert done == ["failed", ["1"], ["2"]]


def test_a_checkout_of_your_own_is_used_with_its_own_python(tmp_path, monkeypatch):
    monkeypatch.setenv("COMFYUI_PATH", str(tmp_path))
    with pytest.raises(pip_step.StepError, match="main.py"):
        install.find_host()
    (tmp_path / "main.py").touch()
    assert install.ensure_host().python.samefile(sys.executable)
    own = install._venv_python(tmp_path / ".venv")
    own.parent.mkdir(parents=True)
    own.touch()
    assert install.ensure_host().python == own
    monkeypatch.setenv("COMFYUI_PYTHON", sys.executable)
    assert str(install.ensure_host().python) == sys.executable
