"""`python benchmarks quality`: any checkpoint from its files to the page, what stops it, and what it says then."""

import json
import re
import shutil

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from benchmarks.quality import checkpoint, command
from comfyui_host.install import SMALL_MODEL


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A models folder with the small model under another name, and without its VAE."""
    folder = tmp_path_factory.mktemp("models") / "checkpoints"
    folder.mkdir()
    weights = load_file(SMALL_MODEL)
    save_file({k: v for k, v in weights.items() if not k.startswith("first_stage")}, folder / "no_vae.safetensors")
    (folder / "broken.safetensors").write_bytes(b"no tensors")
    shutil.copy(SMALL_MODEL, folder / "mine.safetensors")
    return folder.parent


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


def test_a_checkpoint_paints_its_own_pictures_where_none_are_given(measured, models):
    folder = measured("--checkpoint", "mine.safetensors", "--models", models, "--size", 130)
    text = (folder / "results.md").read_text(encoding="utf-8")
    assert "The pictures were made by the model itself." in text and "rounded down to 128" in text
    assert [Image.open(path).size for path in folder.glob("*/pictures/000.png")] == [(128, 128)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--checkpoint", "nothing"), rf"--checkpoint: found nothing, .* wanted one of: .*{SMALL_MODEL.name}"),
        (("--checkpoint", "no_vae.safetensors"), "input --vae: found none, and no_vae.safetensors holds none"),
        (("--checkpoint", "broken.safetensors"), "input --checkpoint: found broken.*cannot load"),
        (("--pictures", "{tmp}/unreadable"), "input --pictures: found no readable picture in .*unreadable"),
        (("--checkpoint", "mine.safetensors", "--size", 40), "input --size: found 40, wanted at least 64"),
    ],
)
def test_bad_input_is_named(measured, models, tmp_path, arguments, message):
    (tmp_path / "unreadable").mkdir()
    (tmp_path / "unreadable" / "picture.png").write_bytes(b"no picture")
    arguments = [str(part).replace("{tmp}", str(tmp_path)) for part in arguments]
    with pytest.raises(checkpoint.BadInput, match=message):
        measured("--models", models, *arguments)
