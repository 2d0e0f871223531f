"""`python batch` as a user runs it: results, exit codes, and what remains when processes are killed on the way."""

import copy
import json
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from batch.manifest import DONE
from batch.places import PARTS
from batch.worker import Worker
from benchmarks.batch.trial import (
    DEMO_MODEL,
    HOST,
    ROOT,
    SHIPPED,
    STOCK,
    WORKER,
    digests,
    kill,
    lines,
    make_mask,
    make_picture,
    make_pictures,
    run,
)
from comfyui_host import install
from comfyui_host.server_process import serve

SLOWLY = [*DEMO_MODEL, "--set", "7.steps=12"]
"""So that there is something left to do when a host or a machine is lost."""


def used(out):
    """The hosts that have done something."""
    return {entry["host"] for entry in lines(out)}


def wait_until(true, seconds=900):
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come so far"
        time.sleep(0.05)


def results(out):
    return len(digests(out)) if out.is_dir() else 0


def test_two_workers_that_are_killed_and_interrupted_give_the_bytes_of_one(
    server, cluster, understood, begin, tmp_path
):
    make_pictures(tmp_path / "pictures", 20)
    found = understood(tmp_path / "pictures", out=tmp_path / "one")
    worker = Worker(found, server.address)
    worker.start()
    for name in sorted(path.relative_to(tmp_path / "pictures") for path in tmp_path.glob("pictures/*/*[0-9].png")):
        assert worker.paint(found.jobs([{"image": name.as_posix()}])[0])["state"] == DONE
    out = tmp_path / "two"
    trial = begin(tmp_path / "pictures", out, *DEMO_MODEL, "--workers", 2)
    for number, kind in ((2, HOST), (6, WORKER)):
        wait_until(lambda number=number: results(out) >= number)
        assert kill(trial.processes(kind))
    wait_until(lambda: results(out) >= 12)
    trial.interrupt()
    assert trial.end() == 130, trial.output()
    assert not trial.left_over()
    assert "The same command goes on" in trial.output()
    done = results(out)
    assert 12 <= done < 20
    assert len(lines(out)) == done  # what was running was finished
    before = {path: path.stat().st_mtime_ns for path in out.rglob("picture*.png")}
    hosts = ["--host", server.address, "--address", cluster.address]
    code, said = run(tmp_path / "pictures", out, *DEMO_MODEL, *hosts)
    assert code == 0 and f"{20 - done} to do, {done} done before" in said, said
    assert digests(out) == digests(tmp_path / "one")
    names = [entry["name"] for entry in lines(out)]
    assert len(names) == len(set(names)) == 20
    assert all(path.stat().st_mtime_ns == at for path, at in before.items())


def test_what_fails_is_named_and_the_rest_is_done_and_a_second_call_mends_it(server, cluster, tmp_path):
    folder, out = tmp_path / "pictures", tmp_path / "out"
    good = ["plain", "with space", 'it\'s "quoted"', "ünï/çødé/日本", "x" * 200, "#1 & 50%25", "-dash"]
    good += [f"many/{number}" for number in range(6)]
    names = [*good, "broken", "alone", "poison"]
    for number, name in enumerate(names):
        make_picture(folder / f"{name}.png", number)
        make_mask(folder / f"{name}_mask.png", number)
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(folder / "broken.png")
    content = (folder / "broken.png").read_bytes()
    (folder / "broken.png").write_bytes(content[:-200])
    (folder / "alone_mask.png").unlink()
    flow = copy.deepcopy(SHIPPED)
    flow["20"] = {"class_type": "BatchRaisingText", "inputs": {"text": ""}, "_meta": {"title": "words"}}
    flow["3"]["inputs"]["text"] = ["20", 0]
    flow["7"]["inputs"]["steps"] = 2
    (tmp_path / "flow.json").write_text(json.dumps(flow))
    rows = [{"image": f"{name}.png", "words.text": name} for name in names]
    table = folder / "table.jsonl"
    table.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    command = [tmp_path / "flow.json", table, out, "--host", server.address, "--address", cluster.address]
    code, said = run(*command)
    assert code == 1, said
    assert set(digests(out)) == {f"{name}.png" for name in good} and len(good) == 13
    failed = {entry["name"]: entry for entry in lines(out) if entry["state"] == "failed"}
    assert set(failed) == {"broken.png", "poison.png"}
    assert failed["poison.png"]["tries"] == 3 and "node 20 BatchRaisingText" in failed["poison.png"]["error"]
    assert failed["broken.png"]["tries"] == 1
    told = "poison.png: node 20", "broken.png: broken.png is broken", "alone.png: no mask", "failed or set aside"
    told += "picture   5 LoadImage", "mask      12 LoadImageMask, channel red", "seed      7 LatentRepaint_KSampler"
    told += "set aside (1): no mask", f"{'done now':26} 13", f"{'failed or set aside':26} 3"
    assert all(words in said for words in told), said
    sheet = (out / "report.html").read_text(encoding="utf-8")
    assert sheet.count("<figure>") == 13 and sheet.count("<li>") == 3
    assert not (out / PARTS).exists()

    (folder / "broken.png").write_bytes(content)
    make_mask(folder / "alone_mask.png", 3)
    make_picture(folder / "plain.png", 77)
    (folder / "-dash.png").touch()
    code, said = run(*command)
    assert code == 1 and "4 to do, 11 done before and unchanged, 1 set aside" in said, said
    assert "2 results of an earlier run will be replaced; of 2 of them the picture is newer" in said
    assert len(digests(out)) == 15
    entries = lines(out)[15:]
    assert {entry["name"] for entry in entries} == {"broken.png", "alone.png", "plain.png", "-dash.png"}
    code, said = run(*command, "--retry-failed", "--dry-run")
    assert "1 to do, 15 done before and unchanged, 0 set aside" in said and "poison.png -> poison.png" in said, said
    assert "Model evaluations" not in said


def test_one_of_two_hosts_dies_and_the_other_takes_its_pictures(server, cluster, begin, tmp_path):
    make_pictures(tmp_path / "pictures", 20)
    out = tmp_path / "out"
    with serve(install.find_host()) as other:
        hosts = ["--host", server.address, "--host", other.address, "--address", cluster.address]
        trial = begin(tmp_path / "pictures", out, *SLOWLY, *hosts)
        wait_until(lambda: len(used(out)) == 2)
        other.process.kill()
        assert trial.end() == 0, trial.output()
    assert len(digests(out)) == 20
    assert used(out) == {server.address, other.address}


def test_a_comfyui_by_its_folder_is_started_and_ended_and_no_one_else_may_look_into_ray_s_folder(begin, tmp_path):
    host = install.find_host()
    (tmp_path / "flow.json").write_text(json.dumps(STOCK))
    make_pictures(tmp_path / "pictures", 3)
    far = tmp_path / "a path of temporary files that is too long for the sockets of Ray"
    far.mkdir()
    arguments = [tmp_path / "flow.json", f"{tmp_path}/pictures/*/*[0-9].png", tmp_path / "out", "--comfyui", host.tree]
    (tmp_path / "batch.py").write_text("raise ImportError('this is not the batch that was meant')")
    environment = {"COMFYUI_PYTHON": str(host.python), "TMPDIR": str(far)}
    trial = begin(*arguments, environment=environment, cwd=tmp_path)
    wait_until(lambda: trial.processes(HOST) or trial.ended())
    (folder,) = Path("/tmp").glob(f"lrb-{trial.process.pid}-*")  # noqa: S108
    assert folder.stat().st_mode & 0o777 == 0o700 and {path.name for path in folder.iterdir()} == {"r", "code"}
    assert trial.end() == 0, trial.output()
    assert not trial.left_over() and not folder.exists() and not [*far.glob("latent-repaint-*")]
    assert len(digests(tmp_path / "out")) == 3
    before, after = (Image.open(tmp_path / root / "picture 0001.png") for root in ("pictures/0", "out/0"))
    inverted = 255 - np.asarray(before, dtype=int)
    assert np.abs(np.asarray(after.convert("RGB"), dtype=int) - inverted).max() <= 1  # ComfyUI rounds down


def test_originals_are_never_results(cluster, tmp_path):
    """PICTURES and OUT swapped, OUT by a URL, OUT with files of the same names, and a second look at what is there."""
    for folder in ("photos", "results"):
        make_pictures(tmp_path / folder, 2)
    before = digests(tmp_path / "photos")
    (tmp_path / "photos" / "report.html").write_text("my own")
    code, said = run(f"file://{tmp_path}/photos", tmp_path / "photos", *DEMO_MODEL)
    assert code == 2 and "could overwrite" in said
    joined = ["--address", cluster.address, "--dry-run"]
    code, said = run(tmp_path / "results", tmp_path / "photos", *DEMO_MODEL, *joined)
    assert code == 1 and "0 to do, 0 done before and unchanged, 2 set aside" in said
    assert "set aside (2): files of yours with the name of a result" in said and "is there already" in said
    assert digests(tmp_path / "photos") == before and (tmp_path / "photos" / "report.html").read_text() == "my own"
    assert not (tmp_path / "photos" / PARTS).exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["workflow.json", "pictures", "out"], "File > Export (API)"),
        (["pictures", "/proc/out", *DEMO_MODEL], "cannot write to /proc/out"),
        (["pictures", "out", *DEMO_MODEL, "--host", "http://127.0.0.1:9"], "http://127.0.0.1:9 does not answer"),
        (["pictures", "out", *DEMO_MODEL, "--address", "127.0.0.1:9"], "cannot join Ray"),
    ],
)
def test_what_cannot_be_done_is_refused_before_the_run(tmp_path, arguments, words):
    make_pictures(tmp_path / "pictures", 1)
    shutil.copy(ROOT / "tests" / "compat" / "0.2.0" / "start-here-inpaint.ui.json", tmp_path / "workflow.json")
    code, said = run(*arguments, cwd=tmp_path)
    assert code == 2 and words in said, said
    assert results(tmp_path / "out") == 0


def test_a_machine_of_a_cluster_is_lost_and_nothing_else(cluster, begin, tmp_path):
    make_pictures(tmp_path / "pictures", 20)
    out = tmp_path / "out"
    second = cluster.add_node(num_cpus=1)
    trial = begin(tmp_path / "pictures", out, *SLOWLY, "--workers", 2, "--address", cluster.address)
    wait_until(lambda: len(used(out)) == 2)
    cluster.remove_node(second, allow_graceful=False)
    assert trial.end() == 0, trial.output()
    assert len(digests(out)) == 20
    assert len({entry["name"] for entry in lines(out)}) == len(lines(out)) == 20
