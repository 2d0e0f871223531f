"""One worker and a real host, without Ray: what becomes of a picture."""

import copy
import json
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from unittest.mock import Mock

import numpy as np
import pytest
from PIL import Image

from batch import Refused
from batch.manifest import DONE, FAILED
from batch.places import PARTS
from batch.worker import NOT_DONE, STOP, Worker
from benchmarks.batch.trial import SHIPPED, STOCK, node

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


@pytest.fixture(scope="module")
def painted_once():
    """What is painted with the mask from a file."""
    return []


WAYS = {
    "LoadImageMask red": ({}, ["12", 0]),
    "LoadImageMask blue": ({"12": node("LoadImageMask", image="m", channel="blue")}, ["12", 0]),
    "LoadImageMask alpha": ({"12": node("LoadImageMask", image="m", channel="alpha")}, ["12", 0]),
    "second LoadImage": ({"12": node("LoadImage", image="m")}, ["12", 1]),
    "second LoadImage as a picture": (
        {"12": node("LoadImage", "mask", image="m"), "13": node("ImageToMask", image=["12", 0], channel="green")},
        ["13", 0],
    ),
    "alpha of the only loader": ({"12": None}, ["5", 1]),
}


@pytest.mark.parametrize("way", WAYS)
def test_the_mask_reaches_the_node_by_whatever_output_and_channel_it_reads(
    work, pictures, tmp_path, flow, painted_once, way
):
    with edited(flow) as prompt:
        nodes, prompt["6"]["inputs"]["mask"] = WAYS[way]
        for key, node in nodes.items():
            prompt.pop(key, None)
            prompt |= {key: node} if node else {}
    worker, job = work(pictures)
    made = job("b.png")
    made.seed = 7
    assert worker.paint(made)["state"] == DONE
    painted_once.append(Image.open(tmp_path / "out" / "b.png").convert("RGB").tobytes())
    assert painted_once[0] == painted_once[-1] != Image.open(pictures / "b.png").tobytes()


def test_a_row_reaches_its_nodes_and_a_negative_made_of_the_prompt_follows_it(
    work, understood, pictures, tmp_path, flow
):
    with edited(flow) as prompt:
        prompt["4"] = node("ConditioningZeroOut", conditioning=["3", 0])
        prompt["7"]["inputs"]["cfg"] = 1  # as ComfyUI's page writes 1.0
    (pictures / "t.csv").write_text("image,prompt,7.cfg,7.seed\na.png,night,1.5,5\n")
    worker, _ = work(pictures / "t.csv")
    (job,) = worker.task.jobs(worker.task.rows())
    entry = worker.paint(job)
    sent = json.loads(Image.open(tmp_path / "out" / "a.png").info["prompt"])
    assert sent["20"]["inputs"]["text"] == "night" and sent["4"]["inputs"] == {"conditioning": ["3", 0]}
    assert (sent["7"]["inputs"]["cfg"], sent["7"]["inputs"]["seed"], entry["seeds"]) == (1.5, 5, {"7.seed": 5})
    with pytest.raises(Refused, match="would overwrite the prompt"):
        understood(pictures, "--negative", "blurry", workflow=flow)


def test_a_result_that_no_manifest_knows_since_the_run_was_killed_is_painted_again(work, pictures):
    worker, job = work(pictures)
    first = worker.paint(job("a.png"))
    again = worker.paint(job("a.png"))  # as if nothing had been noted
    assert (again["state"], again["result_hash"]) == (DONE, first["result_hash"])


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


def test_a_picture_that_only_was_touched_is_not_painted_again(work, pictures):
    worker, job = work(pictures)
    first = worker.paint(job("a.png"))
    (pictures / "a.png").touch()
    again = job("a.png")
    again.before = first
    assert not again.unchanged()
    worker.host.client.run = Mock(side_effect=AssertionError("it is painted again"))
    kept = worker.paint(again)
    assert kept["result_hash"] == first["result_hash"] and kept["image_at"] == again.image_at


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
    tries = [worker.paint(made) for _ in range(3)]  # a run's; a busy host forgets only after the second
    assert tries[0]["state"] == NOT_DONE
    assert (tries[2]["state"], tries[2]["result_hash"]) == (DONE, first["result_hash"])


@pytest.mark.parametrize(
    ("settings", "state", "error"),
    [
        ({"20.text": "a poison"}, NOT_DONE, "node 20 BatchRaisingText: this text cannot be used: poison"),
        ({"7.steps": 0}, NOT_DONE, "node 7 LatentRepaint_KSampler: .*steps.*"),
        ({"7.steps": 2.5}, FAILED, "node 7 LatentRepaint_KSampler, input steps: found 2.5, wanted a whole number"),
        ({"7.sampler_name": "x"}, FAILED, "node 7 LatentRepaint_KSampler, input sampler_name: found 'x', .*"),
    ],
)
def test_a_node_that_raises_or_is_refused_is_named(work, pictures, settings, state, error):
    worker, job = work(pictures)
    made = job("a.png")
    made.settings = settings
    entry = worker.paint(made)
    assert entry["state"] == state and re.fullmatch(error, entry["error"])


def test_a_host_that_lacks_a_checkpoint_or_a_node_is_told_at_the_start(work, pictures, flow, tmp_path):
    with pytest.raises(Refused, match=r"ckpt_name: found 'none\.safetensors', the host has: latent-repaint-demo"):
        work(pictures, "--checkpoint", "none.safetensors")
    with edited(flow) as prompt:
        prompt["30"] = node("NobodyKnows")
    with pytest.raises(Refused, match="does not know node 30 NobodyKnows"):
        work(pictures)


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
        prompt["40"] = node("KSamplerSelect", sampler_name="euler")
        prompt["41"] = {"class_type": "BasicScheduler", "inputs": schedule}
        prompt["42"] = {"class_type": "LatentRepaint_Schedule", "inputs": plot}
    worker, _ = work(pictures)
    assert worker.evaluations("42") == 5
    assert worker.evaluations("40") is None
