"""`python benchmarks quality`: any checkpoint from its files to the page."""

import json
import re
import shutil

import pytest
import torch
from PIL import Image

from benchmarks.quality import command
from comfyui_host.install import SMALL_MODEL


@pytest.fixture
def measured(tmp_path):
    """measured("--steps", 3) is one short run, as from the command line; it returns the folder of its results."""

    def run(*arguments, out="out"):
        with torch.inference_mode():
            words = ("--count", 1, "--steps", 2, *arguments, "--out", tmp_path / out)
            command.run(command.parser().parse_args([*map(str, words)]))
        return tmp_path / out

    return run


def cells(folder):
    """The time at which each cell was written."""
    return {path.stem: path.stat().st_mtime_ns for path in sorted(folder.glob("*/cells/*.json"))}


def test_from_checkpoint_to_page_and_the_second_run_measures_nothing(measured, tmp_path):
    folder = measured("--blind")
    first = cells(folder)
    assert sorted(first) == [f"000-half-{method}-cfg4" for method in ("blend", "host", "match", "repaint")]
    (file,) = folder.glob("*/cells/000-half-match-cfg4.json")
    figures = json.loads(file.read_text())
    assert figures["passes"] == 8 and figures["finite"] and figures["loss"] > 0 and figures["seam"] > 0
    page = (folder / "results.html").read_text(encoding="utf-8")
    assert not re.search(r"https?:|src=\"(?!data:)|@import|url\(", page)  # nothing is fetched
    assert page.count("data:image/jpeg") == 1 + 3 * 3  # the sheet, and three pictures a pair
    assert str(tmp_path) not in page  # a path on somebody's disk is private
    assert "| 4 | match | 1 | 8 |" in (folder / "results.md").read_text(encoding="utf-8")
    measured()
    assert cells(folder) == first


def test_a_checkpoint_paints_its_own_pictures_where_none_are_given(measured, tmp_path):
    (tmp_path / "models" / "checkpoints").mkdir(parents=True)
    shutil.copy(SMALL_MODEL, tmp_path / "models" / "checkpoints" / "mine.safetensors")
    folder = measured("--checkpoint", "mine.safetensors", "--models", tmp_path / "models", "--size", 130)
    text = (folder / "results.md").read_text(encoding="utf-8")
    assert "The pictures were made by the model itself." in text and "rounded down to 128" in text
    assert [Image.open(path).size for path in folder.glob("*/pictures/000.png")] == [(128, 128)]
