"""One worker and a real host, without Ray: what becomes of a picture."""

import json
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import pytest
from PIL import Image

from batch.errors import HostGone, Refused
from batch.job import DONE, FAILED
from batch.worker import HOST_GONE, RETRY, STOP, Worker
from benchmarks.batch.trial import ROOT, STOCK

TEXT = {"class_type": "BatchRaisingText", "inputs": {"text": ""}}


@pytest.fixture
def flow(tmp_path):
    """The shipped workflow as a file; the demo model, two steps, and a text that raises for poison."""
    prompt = json.loads((ROOT / "batch" / "inpaint_any_size.json").read_text(encoding="utf-8"))
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
        worker = Worker(found.task, address)
        worker.start()
        return worker, lambda name: found.checker.jobs([{"image": name}])[0]

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
    assert [path.name for path in (tmp_path / "out" / ".batch").iterdir()] == []


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


def test_a_mask_through_the_alpha_of_the_only_loader_paints_the_same(work, pictures, tmp_path, flow):
    with edited(flow, "alpha.json") as prompt:
        del prompt["12"]
        prompt["6"]["inputs"]["mask"] = ["5", 1]
    results = []
    for name, options in (("file", {}), ("alpha", {"workflow": tmp_path / "alpha.json"})):
        worker, job = work(pictures, out=tmp_path / name, **options)
        assert worker.paint(job("b.png"))["state"] == DONE
        results.append(Image.open(tmp_path / name / "b.png").tobytes())
    assert results[0] == results[1]


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
    assert not again.unchanged(first)
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
    assert worker.paint(job("a.png"))["state"] == RETRY
    again = worker.paint(job("a.png"))
    assert (again["state"], again["result_hash"]) == (DONE, first["result_hash"])


def cut(path, length):
    path.write_bytes(path.read_bytes()[:length])


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda f: (f / "a.png").unlink(), "any more"),
        (lambda f: cut(f / "a.png", 150), "a.png is broken"),
        (lambda f: cut(f / "a_mask.png", 60), "a_mask.png is broken"),
        (lambda f: Image.new("L", (9, 9)).save(f / "a_mask.png"), "has (9, 9) pixels"),
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
    assert entry["state"] == RETRY and re.fullmatch(error, entry["error"])


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
