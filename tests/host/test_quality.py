"""`python benchmarks quality`: any checkpoint from its files to the page, what stops it, and what it says then."""

import json
import re
import shutil
from types import SimpleNamespace

import comfy.ops
import pytest
import torch
from comfy.clip_model import CLIPTextModel
from comfy.taesd.taesd import TAESD
from PIL import Image
from safetensors.torch import load_file, save_file

from benchmarks.quality import cells as kept
from benchmarks.quality import checkpoint, command, sampling
from comfyui_host.families import sd3_network
from comfyui_host.install import SMALL_MODEL
from comfyui_host.tiny import fill, host


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A models folder with the small model under another name, and with parts of it missing or changed."""
    folder = tmp_path_factory.mktemp("models") / "checkpoints"
    folder.mkdir()
    weights = load_file(SMALL_MODEL)
    save_file({k: v for k, v in weights.items() if not k.startswith("first_stage")}, folder / "no_vae.safetensors")
    save_file({k: v for k, v in weights.items() if not k.startswith("cond_stage")}, folder / "no_clip.safetensors")
    first = "model.diffusion_model.input_blocks.0.0.weight"
    wider = torch.cat([weights[first], torch.zeros_like(weights[first])[:, :1], torch.zeros_like(weights[first])], 1)
    save_file(weights | {first: wider}, folder / "inpainting.safetensors")
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


def test_an_interrupted_run_goes_on_and_nothing_half_written_counts(measured, tmp_path, monkeypatch):
    calls, measure = [], kept.KeptFigures.measured

    def interrupted(self, painting, cell):
        calls.append(cell.method)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return measure(self, painting, cell)

    monkeypatch.setattr(kept.KeptFigures, "measured", interrupted)
    with pytest.raises(KeyboardInterrupt):
        measured()
    before = cells(tmp_path / "out")
    assert sorted(before) == ["000-half-blend-cfg4", "000-half-host-cfg4"]
    (folder,) = (tmp_path / "out").glob("*/cells")
    (folder / "000-half-host-cfg4.json").write_text('{"seam": 1.')  # as a full disk leaves it
    (folder / "000-half-match-cfg4.png").write_bytes(b"")
    (folder / ".000-half-repaint-cfg4.json.part").write_text("{")
    measured()
    after = cells(tmp_path / "out")
    assert calls[3:] == ["host", "repaint", "match"] and len(after) == 4
    assert after["000-half-blend-cfg4"] == before["000-half-blend-cfg4"]


def test_results_of_other_settings_are_not_taken_for_these(measured):
    measured()
    folder = measured("--steps", 3)
    assert len(list(folder.glob("*/cells/*.json"))) == 8
    assert "| 4 | match | 1 | 12 |" in (folder / "results.md").read_text(encoding="utf-8")


def test_a_checkpoint_paints_its_own_pictures_where_none_are_given(measured, models):
    folder = measured("--checkpoint", "mine.safetensors", "--models", models, "--size", 130)
    text = (folder / "results.md").read_text(encoding="utf-8")
    assert "The pictures were made by the model itself." in text and "rounded down to 128" in text
    assert [Image.open(path).size for path in folder.glob("*/pictures/000.png")] == [(128, 128)]


def test_a_flow_model_in_three_files_through_the_loaders_for_each(measured, models):
    """SD 3's network, one layer deep, under CLIP-L without a weight other than 0, and a VAE of TAESD's shape."""
    network = sd3_network(4096, 2048, 32)
    text = {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072,
            "hidden_act": "quick_gelu", "max_position_embeddings": 77, "eos_token_id": 49407}  # fmt: skip
    clip = CLIPTextModel(text, torch.float16, "meta", comfy.ops.disable_weight_init)
    empty = {name: torch.zeros(weight.shape, dtype=torch.float16) for name, weight in clip.state_dict().items()}
    vae = TAESD(latent_channels=16)
    fill(network)
    fill(vae)
    parts = {"diffusion_models": network.state_dict(), "text_encoders": empty, "vae": vae.state_dict()}
    for folder, weights in parts.items():
        (models / folder).mkdir(exist_ok=True)
        save_file({name: weight.contiguous() for name, weight in weights.items()}, models / folder / "sd3.safetensors")
    arguments = [word for part in ("--unet", "--clip", "--vae") for word in (part, "sd3.safetensors")]
    folder = measured(*arguments, "--clip-type", "sd3", "--models", models, "--size", 128)
    assert len(cells(folder)) == 4
    assert "simple, 2 steps" in (folder / "results.md").read_text(encoding="utf-8")
    with pytest.raises(checkpoint.BadInput, match="input --clip-type: found flux, wanted one of: stable_diffusion"):
        measured(*arguments, "--clip-type", "flux", "--models", models, out="flux")


def test_an_inpainting_checkpoint_works_and_is_said_to_be_one(measured, models):
    folder = measured("--checkpoint", "inpainting.safetensors", "--models", models, "--size", 128)
    assert "This is an inpainting checkpoint" in (folder / "results.md").read_text(encoding="utf-8")
    assert len(cells(folder)) == 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--checkpoint", "nothing"), rf"--checkpoint: found nothing, .* wanted one of: .*{SMALL_MODEL.name}"),
        (("--checkpoint", "no_vae.safetensors"), "input --vae: found none, and no_vae.safetensors holds none"),
        (("--checkpoint", "no_clip.safetensors"), "input --clip: found none, and no_clip.safetensors holds none"),
        (("--checkpoint", "broken.safetensors"), "input --checkpoint: found broken.*cannot load"),
        (("--unet", "nothing"), "input --unet: found nothing"),
        (("--vae", "nothing"), "input --vae: found nothing"),
        (("--clip", "nothing"), "input --clip: found nothing"),
        (("--sampler", "nothing"), "input --sampler: found nothing, wanted one of: euler"),
        (("--scheduler", "nothing"), "input --scheduler: found nothing, wanted one of: "),
        (("--steps", -1), "found -1"),
        (("--pictures", "{tmp}/nowhere"), "input --pictures: found .*nowhere, wanted a folder"),
        (("--pictures", "{tmp}/empty"), "input --pictures: found no readable picture in .*empty"),
        (("--pictures", "{tmp}/unreadable"), "input --pictures: found no readable picture in .*unreadable"),
        (("--prompts", "{tmp}/nowhere"), "input --prompts: found .*which cannot be read"),
        (("--prompts", "{tmp}/file"), "input --prompts: found .*empty"),
        (("--checkpoint", "mine.safetensors", "--size", 40), "input --size: found 40, wanted at least 64"),
    ],
)
def test_bad_input_is_named(measured, models, tmp_path, arguments, message):
    (tmp_path / "empty").mkdir()
    (tmp_path / "unreadable").mkdir()
    (tmp_path / "unreadable" / "picture.png").write_bytes(b"no picture")
    (tmp_path / "file").touch()
    arguments = [str(part).replace("{tmp}", str(tmp_path)) for part in arguments]
    with pytest.raises(checkpoint.BadInput, match=message):
        measured("--models", models, *arguments)


def test_a_folder_that_cannot_be_written_is_named(measured, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(checkpoint.BadInput, match="input --out: .*wanted a folder that can be written"):
        measured(out="file/out")


def test_pictures_of_a_folder_are_cut_to_squares_and_a_broken_one_is_left_out(tmp_path):
    for name, size in (("a.png", (300, 200)), ("c.jpg", (64, 256))):
        Image.new("RGB", size, "red").save(tmp_path / name)
    (tmp_path / "b.png").write_bytes(b"no picture")
    pictures, notes = checkpoint.pictures_of(tmp_path, 5, 128)
    assert [tuple(picture.shape) for picture in pictures] == [(128, 128, 3)] * 2
    assert notes == ["b.png was left out: UnidentifiedImageError."]


def test_out_of_memory_is_tried_once_more_and_then_said(measured, monkeypatch):
    calls, measure = [], kept.KeptFigures.measured

    def too_large(self, painting, cell):
        calls.append(cell.method)
        if cell.method == "match" or calls == ["host", "blend"]:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")
        return measure(self, painting, cell)

    monkeypatch.setattr(kept.KeptFigures, "measured", too_large)
    folder = measured()
    assert calls == ["host", "blend", "blend", "repaint", "match", "match"]
    text = (folder / "results.md").read_text(encoding="utf-8")
    assert "1 of 4 cells are not measured" in text and "Left out for want of memory" in text
    assert "000-half-match-cfg4" not in cells(folder)


LANPAINT = """
from nodes import KSampler
class Node(KSampler):
    FUNCTION = "think"
    def think(self, *arguments):
        assert arguments[-1] == 5
        return self.sample(*arguments[:-1])
NODE_CLASS_MAPPINGS = {"LanPaint_KSampler": Node}
"""


def test_lanpaint_is_measured_where_the_host_has_it(measured, tmp_path, monkeypatch):
    """A stand-in with the name, the inputs and the output of its node: the pack itself cannot be shipped here."""
    tree = tmp_path / "host"
    (tree / "custom_nodes" / "LanPaint").mkdir(parents=True)
    (tree / "custom_nodes" / "LanPaint" / "__init__.py").write_text(LANPAINT)
    (tree / "comfyui_version.py").write_text('__version__ = "0.3.75"')
    monkeypatch.setattr(sampling.install, "find_host", lambda: SimpleNamespace(tree=tree))
    monkeypatch.setattr(host.nodes, "NODE_CLASS_MAPPINGS", dict(host.nodes.NODE_CLASS_MAPPINGS))
    assert "000-half-lanpaint-cfg4" in cells(measured())
