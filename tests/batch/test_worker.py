"""One worker and a real host, without Ray: what becomes of a picture."""

import copy
import json
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import pytest
from PIL import Image

from batch import Refused
from batch.manifest import DONE, FAILED
from batch.places import PARTS
from batch.worker import HOST_GONE, NOT_DONE, STOP, Worker
from benchmarks.batch.trial import SHIPPED, STOCK
from comfyui_host.client import HostGone

TEXT = {"class_type": "BatchRaisingText", "inputs": {"text": ""}}


@pytest.fixture
def flow(tmp_path):
    """The shipped workflow as a file; the demo model, two steps, and a text that raises for poison."""
    prompt = copy.deepcopy(SHIPPED)
    prompt["7"]["inputs"]["steps"] = 2
    prompt["20"] = TEXT
    prompt["3"]["inputs"]["text"] = ["20", 0]
    (tmp_path / "flow.json").write_text(json.dumps(prompt))
    return tmp_path / "flow.json"


@contextmanager
def edited(flow, name="flow.json"):
    """The workflow, to be changed; then it is in the file of that name."""
    prompt = json.loads(flow.read_text())
    yield prompt
    flow.with_name(name).write_text(json.dumps(prompt))


@pytest.fixture
def work(server, understood, flow):
    """work(pictures, ...) is a started worker and a function from a picture's name to its job."""

    def made(pictures, *options, address=server.address, **more):
        found = understood(pictures, *options, **({"workflow": flow} | more))
        worker = Worker(found, address)
        worker.start()
        return worker, lambda name: found.jobs([{"image": name}])[0]

    return made


def test_a_picture_is_painted_under_its_mask_and_carries_its_workflow(work, pictures, tmp_path, flow):
    with edited(flow, "hard.json") as prompt:
        prompt["9"]["inputs"]["mask_blend_pixels"] = 0
    worker, job = work(pictures, workflow=tmp_path / "hard.json")
    entry = worker.paint(job("deep/er/c.png"))
    assert entry["state"] == DONE and entry["version"]
    before, after = (Image.open(root / "deep/er/c.png") for root in (pictures, tmp_path / "out"))
    mask = Image.open(pictures / "deep/er/c_mask.png")
    changed = np.any(np.asarray(before) != np.asarray(after.convert("RGB")), axis=2)
    painted = np.asarray(mask) > 0
    assert changed[painted].mean() > 0.5
    assert not changed[56:].any() and not changed[:, 56:].any()  # beyond the cells of the mask and one more
    assert json.loads(after.info["prompt"])["7"]["inputs"]["seed"] == entry["seed"]
    assert [path.name for path in (tmp_path / "out" / PARTS).iterdir()] == []


def test_the_same_mask_by_file_and_by_alpha_paints_the_same(work, pictures, tmp_path):
    cut = Image.open(pictures / "a.png").convert("RGBA")
    cut.putalpha(Image.open(pictures / "a_mask.png").point(lambda value: 255 - value))
    (tmp_path / "cut").mkdir()
    cut.save(tmp_path / "cut" / "a.png")
    results = []
    for folder in (pictures, tmp_path / "cut"):
        worker, job = work(folder, out=tmp_path / f"out of {folder.name}")
        assert worker.paint(job("a.png"))["state"] == DONE
        results.append(Image.open(tmp_path / f"out of {folder.name}" / "a.png").tobytes())
    assert results[0] == results[1]


@pytest.fixture(scope="module")
def painted_once(server, tmp_path_factory):
    """What the workflow paints with its mask from a file."""
    return {}


@pytest.mark.parametrize("way", ["LoadImageMask red", "LoadImageMask blue", "LoadImageMask alpha", "second LoadImage",
                                 "second LoadImage as a picture", "alpha of the only loader"])  # fmt: skip
def test_the_mask_reaches_the_node_by_whatever_output_and_channel_it_reads(
    work, pictures, tmp_path, flow, painted_once, way
):
    with edited(flow, "way.json") as prompt:
        prompt["9"]["inputs"]["mask_blend_pixels"] = 0
        if way.startswith("LoadImageMask"):
            prompt["12"]["inputs"]["channel"] = way.split()[1]
        elif way == "alpha of the only loader":
            del prompt["12"]
            prompt["6"]["inputs"]["mask"] = ["5", 1]
        else:
            prompt["12"] = {
                "class_type": "LoadImage",
                "inputs": {"image": "mask.png"},
                "_meta": {"title": "Load Image"},
            }
            prompt["6"]["inputs"]["mask"] = ["12", 1]
        if way == "second LoadImage as a picture":
            to_mask = {"image": ["12", 0], "channel": "green"}
            prompt["12"]["_meta"]["title"] = "mask"
            prompt["13"] = {"class_type": "ImageToMask", "inputs": to_mask}
            prompt["6"]["inputs"]["mask"] = ["13", 0]
    worker, job = work(pictures, workflow=tmp_path / "way.json")
    made = job("b.png")
    made.seed = 7
    assert worker.paint(made)["state"] == DONE
    shown = Image.open(tmp_path / "out" / "b.png")
    before, after = (np.asarray(image.convert("RGB"), int) for image in (Image.open(pictures / "b.png"), shown))
    mask = np.asarray(Image.open(pictures / "b_mask.png")) > 0
    assert (before != after).any(2)[mask].mean() > 0.5 and not (before != after).any(2)[:, 56:].any()
    assert painted_once.setdefault("b", shown.tobytes()) == shown.tobytes()


def test_a_wide_colour_cut_out_comes_back_as_it_was_but_where_it_was_painted(work, pictures, tmp_path, flow):
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    cut_out, alpha = Image.open(pictures / "a.png").convert("RGB"), Image.new("L", (64, 64), 255)
    alpha.paste(0, (0, 50, 64, 64))
    alpha.paste(0, (20, 20, 30, 64))
    cut_out.putalpha(alpha)
    cut_out.save(pictures / "a.png", icc_profile=profile, dpi=(300, 300))
    with edited(flow) as prompt:
        prompt["9"]["inputs"]["mask_blend_pixels"] = 0
    worker, job = work(pictures)
    assert worker.paint(job("a.png"))["state"] == DONE
    after = Image.open(tmp_path / "out" / "a.png")
    mask = np.asarray(Image.open(pictures / "a_mask.png")) > 0
    assert (np.asarray(after.getchannel("A")) == np.where(mask, 255, np.asarray(alpha))).all()
    assert after.info["icc_profile"] == profile and "prompt" in after.info
    kept = np.s_[56:, :]
    assert (np.asarray(after)[kept] == np.asarray(cut_out)[kept]).all()


def test_a_seed_that_is_too_large_for_its_node_is_folded_and_the_one_that_was_used_is_noted(work, pictures, flow):
    with edited(flow) as prompt:
        prompt["21"] = {"class_type": "PrimitiveInt", "inputs": {"value": 5}}
        prompt["22"] = {"class_type": "BatchSmallSeed", "inputs": {"seed": 1, "text": ["20", 0]}}
        prompt["7"]["inputs"]["seed"], prompt["3"]["inputs"]["text"] = ["21", 0], ["22", 0]
    worker, job = work(pictures)
    made = job("a.png")
    made.seed = 2**40 + 7
    entry = worker.paint(made)
    assert (entry["state"], entry["seed"], entry["seeds"]) == (DONE, 2**40 + 7, {"22.seed": (2**40 + 7) % 100})
    sent = json.loads(Image.open(worker.task.out.local / "a.png").info["prompt"])
    assert sent["21"]["inputs"]["value"] == 2**40 + 7 and sent["22"]["inputs"]["seed"] == (2**40 + 7) % 100


def test_a_result_that_no_manifest_knows_since_the_run_was_killed_is_painted_again(work, pictures, tmp_path):
    worker, job = work(pictures)
    first = worker.paint(job("a.png"))
    again = worker.paint(job("a.png"))  # as if nothing had been noted
    assert (again["state"], again["result_hash"]) == (DONE, first["result_hash"])
    (tmp_path / "out" / "a.png").write_bytes(b"a user's")
    assert "is there already" in worker.paint(job("a.png"))["error"]
    assert (tmp_path / "out" / "a.png").read_bytes() == b"a user's"


def test_no_file_of_a_user_s_is_replaced_by_a_result(work, pictures, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.png").write_bytes(b"a user's")
    worker, job = work(pictures)
    entry = worker.paint(job("a.png"))
    assert entry["state"] == FAILED and "is there already" in entry["error"]
    assert (tmp_path / "out" / "a.png").read_bytes() == b"a user's"
    first = job("b.png")
    made = worker.paint(first)
    (tmp_path / "out" / "b.png").write_bytes(b"a user's work on the result")
    again = job("b.png")
    again.before, again.recipe = made, "another"
    assert "is there already" in worker.paint(again)["error"]
    assert (tmp_path / "out" / "b.png").read_bytes() == b"a user's work on the result"


def test_own_format_is_the_picture_s(work, pictures, tmp_path):
    Image.open(pictures / "a.png").save(pictures / "photo.jpg", quality=95)
    shutil.copy(pictures / "a_mask.png", pictures / "photo_mask.png")
    worker, job = work(pictures, "--format", "own")
    assert worker.paint(job("photo.jpg"))["state"] == DONE
    assert Image.open(tmp_path / "out" / "photo.jpg").format == "JPEG"


def test_a_picture_that_only_was_touched_is_not_painted_again(work, pictures):
    worker, job = work(pictures)
    first = worker.paint(job("a.png"))
    (pictures / "a.png").touch()
    again = job("a.png")
    again.before = first
    assert not again.unchanged()
    kept = worker.paint(again)
    assert all(kept[key] == first[key] for key in ("time", "result_hash")) and kept["image_at"] == again.image_at


def test_pictures_of_one_content_are_painted_each_also_at_the_same_time(work, pictures, tmp_path):
    (tmp_path / "flow.json").write_text(json.dumps(STOCK))  # no seed in it tells them apart
    for name in "bcdef":
        shutil.copy(pictures / "a.png", pictures / f"{name}.png")
    worker, job = work(pictures, workflow=tmp_path / "flow.json")
    with ThreadPoolExecutor(2) as threads:
        entries = list(threads.map(worker.paint, [job(f"{name}.png") for name in "abcdef"]))
    assert [entry["state"] for entry in entries] == [DONE] * 6, entries
    shown = [Image.open(tmp_path / "out" / f"{name}.png").tobytes() for name in "abcdef"]
    assert shown == shown[:1] * 6


def test_a_result_that_the_host_remembers_but_has_no_more_is_painted_again(work, pictures, server):
    worker, job = work(pictures)
    first = worker.paint(job("a.png"))
    for path in server.base.glob("output/*.png"):
        path.unlink()
    made = job("a.png")
    made.before, made.result_at = first, ""
    assert worker.paint(made)["state"] == NOT_DONE
    again = worker.paint(made)
    assert (again["state"], again["result_hash"]) == (DONE, first["result_hash"])


def odd_mask():
    mask = Image.new("L", (9, 7))
    mask.putpixel((1, 1), 255)
    return mask


def cut(path, length):
    path.write_bytes(path.read_bytes()[:length])


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda f: (f / "a.png").unlink(), "any more"),
        (lambda f: cut(f / "a.png", 150), "a.png is broken"),
        (lambda f: cut(f / "a_mask.png", 60), "a_mask.png is broken"),
        (lambda f: odd_mask().save(f / "a_mask.png"), "has 9 x 7 pixels"),
    ],
)
def test_what_breaks_after_the_check_sets_that_picture_aside(work, pictures, spoil, words):
    worker, job = work(pictures)
    made = job("a.png")
    spoil(pictures)
    entry = worker.paint(made)
    assert entry["state"] == FAILED and words in entry["error"]
    assert worker.paint(job("b.png"))["state"] == DONE


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"20.text": "a poison"}, "node 20 BatchRaisingText: this text cannot be used: poison"),
        ({"7.steps": 0}, "node 7 LatentRepaint_KSampler: .*steps.*"),
    ],
)
def test_a_node_that_raises_or_is_refused_is_named(work, pictures, settings, error):
    worker, job = work(pictures)
    made = job("a.png")
    made.settings = settings
    entry = worker.paint(made)
    assert entry["state"] == NOT_DONE and re.fullmatch(error, entry["error"])


def test_a_host_that_lacks_a_checkpoint_or_a_node_is_told_at_the_start(work, pictures, flow, tmp_path):
    with pytest.raises(Refused, match=r"ckpt_name: found 'none\.safetensors', the host has: latent-repaint-demo"):
        work(pictures, "--checkpoint", "none.safetensors")
    with edited(flow) as prompt:
        prompt["30"] = {"class_type": "NobodyKnows", "inputs": {}}
    with pytest.raises(Refused, match="does not know node 30 NobodyKnows"):
        work(pictures)


def test_a_host_that_does_not_answer_is_gone(work, pictures):
    with pytest.raises(HostGone, match=r"http://127\.0\.0\.1:9 does not answer"):
        work(pictures, address="http://127.0.0.1:9")
    worker, job = work(pictures)
    worker.host.client.address = "http://127.0.0.1:9"
    assert worker.paint(job("a.png"))["state"] == HOST_GONE


def test_two_results_for_one_picture_are_refused(work, pictures, flow):
    with edited(flow) as prompt:
        prompt["31"] = {"class_type": "ImageBatch", "inputs": {"image1": ["9", 0], "image2": ["9", 0]}}
        prompt["10"]["inputs"]["images"] = ["31", 0]
    worker, job = work(pictures)
    entry = worker.paint(job("a.png"))
    assert entry["state"] == FAILED and "gave 2 results for one picture" in entry["error"]


def test_a_full_disk_stops_the_run(work, pictures, tmp_path):
    out = tmp_path / "small"
    out.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12k", "tmpfs", str(out)], capture_output=True).returncode:
        pytest.skip("only root can mount a small disk")
    try:
        worker, job = work(pictures, out=out)
        entry = worker.paint(job("a.png"))
        assert entry["state"] == STOP and "No space left" in entry["error"]
        assert not (out / "a.png").exists()
    finally:
        subprocess.run(["umount", str(out)], check=True)


def test_a_schedule_is_asked_for_its_evaluations(work, pictures, flow):
    schedule = {"model": ["2", 0], "scheduler": "normal", "steps": 5, "denoise": 1.0}
    plot = {"model": ["2", 0], "sampler": ["40", 0], "sigmas": ["41", 0]}
    with edited(flow) as prompt:
        prompt["40"] = {"class_type": "KSamplerSelect", "inputs": {"sampler_name": "euler"}}
        prompt["41"] = {"class_type": "BasicScheduler", "inputs": schedule}
        prompt["42"] = {"class_type": "LatentRepaint_Schedule", "inputs": plot}
    worker, _ = work(pictures)
    assert worker.evaluations("42") == 5
    assert worker.evaluations("40") is None
