"""What a release does, step by step as .github/workflows/publish.yml has it, and the versions that must agree."""

import os
import re
import shutil
import subprocess

import pytest
import yaml
from PIL import Image

from comfyui_host.install import ROOT

tomllib = pytest.importorskip("tomllib", reason="Python reads TOML from 3.11 on")

WORKFLOW = yaml.safe_load((ROOT / ".github" / "workflows" / "publish.yml").read_text(encoding="utf-8"))
STEPS = WORKFLOW["jobs"]["publish"]["steps"]
BASH = None if os.name == "nt" else shutil.which("bash")  # the bash that Windows brings runs Linux, if at all
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]


def step(name: str, folder, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the step whose name contains `name`, in a folder with a copy of pyproject.toml."""
    (script,) = (step["run"] for step in STEPS if name in step.get("name", ""))
    shutil.copy(ROOT / "pyproject.toml", folder)
    environment = os.environ | variables
    return subprocess.run([str(BASH), "-ec", script], cwd=folder, env=environment, capture_output=True, text=True)


needs_bash = pytest.mark.skipif(BASH is None, reason="wants bash")


@needs_bash
def test_a_tag_that_names_another_version_stops_the_release(tmp_path):
    assert step("The tag", tmp_path, GITHUB_REF_NAME=f"v{VERSION}").returncode == 0
    wrong = step("The tag", tmp_path, GITHUB_REF_NAME="v99.0.0")
    assert wrong.returncode == 1 and VERSION in wrong.stdout


@needs_bash
def test_the_registry_gets_the_address_of_the_repository(tmp_path):
    place = {
        "GITHUB_SERVER_URL": "https://example.org",
        "GITHUB_REPOSITORY": "somebody/latent-repaint",
        "GITHUB_REF_NAME": f"v{VERSION}",
    }
    assert step("The registry", tmp_path, **place).returncode == 0
    project = tomllib.loads((tmp_path / "pyproject.toml").read_text(encoding="utf-8"))
    address = "https://example.org/somebody/latent-repaint"
    assert project["project"]["urls"] == {
        "Repository": address,
        "Issues": f"{address}/issues",
        "Documentation": f"{address}/tree/v{VERSION}/docs",
    }
    for key, proportions in (("Icon", 1), ("Banner", 21 / 9)):  # as the registry wants them
        start, path = project["tool"]["comfy"][key].split(f"/raw/v{VERSION}/")
        width, height = Image.open(ROOT / path).size
        assert start == address and width == proportions * height and height <= 540
    assert project["project"]["name"] == "latent-repaint" and project["tool"]["comfy"]["DisplayName"]


def test_every_file_that_names_the_version_names_the_same():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert citation["version"] == VERSION
    assert re.findall(r"^## \[?(\d+\.\d+\.\d+)", changes, re.M)[0] == VERSION
