"""What is done again and what is not, and what is written about it."""

import os
import re
import shutil
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import ray

from batch import Refused, report
from batch import cluster as cluster_module
from batch.check import Job, Jobs
from batch.cluster import Crew, Seat, share_of_gpu
from batch.manifest import DONE, FAILED, Manifest
from batch.places import Folder
from batch.run import BatchRun, Queue

FACTS = {"recipe": "r", "image_at": "1:2", "mask_at": "3:4"}


def job(name="a.png", **changes):
    return Job(**{"name": name, "result": name, "result_at": "1:1"} | FACTS | changes)


def entry(name="a.png", state=DONE, **changes):
    return {"name": name, "result": name, "state": state} | FACTS | changes


def planned(tmp_path, jobs, before=(), retry=False):
    """The run after its plan, from these jobs and these entries of earlier runs."""
    out = Folder(str(tmp_path))
    with Manifest(out, write=True) as manifest:
        for line in before:
            manifest.add(line)
    task = SimpleNamespace(out=out, rows=lambda: iter(jobs))
    with Manifest(out, write=False) as manifest:
        cluster = SimpleNamespace(jobs=lambda _, rows: rows)
        run = BatchRun(SimpleNamespace(retry_failed=retry), task, None, cluster, manifest)
        run.plan()
    return run


@pytest.mark.parametrize(
    ("changes", "before", "retry", "wanted"),
    [
        ({}, entry(), False, "skipped"),
        ({"result_at": ""}, entry(), False, "todo"),
        ({"image_at": "1:9"}, entry(), False, "todo"),
        ({"mask_at": "1:9"}, entry(), False, "todo"),
        ({"recipe": "s"}, entry(), False, "todo"),
        ({"result_at": ""}, entry(state=FAILED, error="x"), False, "aside"),
        ({"result_at": ""}, entry(state=FAILED, error="x"), True, "todo"),
        ({"result_at": "", "recipe": "s"}, entry(state=FAILED, error="x"), False, "todo"),
        ({"error": "no mask"}, entry(), True, "aside"),
        ({}, entry(result="b.png"), False, "skipped"),
        ({"recipe": "s"}, entry(result="b.png"), False, "aside"),  # the file is not known as this one's result
    ],
)
def test_what_is_done_is_skipped_and_what_changed_is_done_again(tmp_path, changes, before, retry, wanted):
    run = planned(tmp_path, [job(**changes)], [entry(recipe="older"), before, entry("b.png")], retry)
    assert {"skipped": run.skipped, "todo": len(run.todo), "aside": len(run.aside)} == {
        "skipped": 0, "todo": 0, "aside": 0
    } | {wanted: 1}  # fmt: skip
    assert [made.before for made in run.todo] == ([before] if wanted == "todo" else [])


def test_a_file_with_the_name_of_a_result_that_no_run_has_written_is_left_alone(tmp_path):
    (error,) = [made.error for made in planned(tmp_path, [job()], [entry("another.png")]).aside]
    assert "a.png is there already: it was changed since it was painted, or is not a result of this picture" in error


def test_the_plan_says_what_is_replaced_and_what_results_do_not_keep(tmp_path):
    new = job("0.png", result_at="", loses=["16 bits to 8", "grey to RGB"])
    done, other = job("1.png", loses=["CMYK to RGB"]), job("2.png", recipe="s", image_at="1:9", loses=["grey to RGB"])
    before = [entry(f"{number}.png") for number in range(1, 5)]
    made = [new, done, other, job("3.png", recipe="s"), job("4.png", recipe="s")]
    assert list(planned(tmp_path, made, before)._changes()) == [
        "3 results of an earlier run will be replaced; of 1 of them the picture is newer, or another of the same name",
        "lost in the results: 16 bits to 8 (1), grey to RGB (2)",
    ]
    assert list(planned(tmp_path, [done], before)._changes()) == []


def test_pictures_with_one_result_are_all_set_aside_and_name_each_other(tmp_path):
    names = {"a.png": "a.png", "b.png": "b.png", "a.jpg": "a.png", "A.bmp": "A.png", "u\u0308.png": "u\u0308.png",
             "\u00fc.png": "\u00fc.png"}  # fmt: skip
    run = planned(tmp_path, [job(name, result=result, result_at="") for name, result in names.items()])
    assert [made.name for made in run.todo] == ["b.png"]
    errors = [made.error for made in run.aside]
    assert len(errors) == 5 and all(re.search("and so would that of '[aAu\u00fc]", error) for error in errors)


def test_jobs_are_given_back_in_their_order_and_a_worker_gets_first_what_it_has_not_tried():
    jobs = Jobs()
    for number in range(1000):
        jobs.add(job(str(number), tried=[number % 2]))
    assert len(jobs) == 1000 == jobs.bytes and [made.name for made in jobs] == [str(number) for number in range(1000)]
    queue = Queue(jobs)
    taken = [queue.take(number, {0, 1}).name for number in (0, 0, 1, 1)]
    assert taken == ["1", "3", "0", "2"]
    assert queue.take(0, {0}).name == "4"  # nobody else is there
    assert len(list(queue)) == 995
    while queue.take(0, {0}):
        pass
    assert not queue.near


@pytest.mark.parametrize("url", ["{}", "memory:/{}"])
def test_a_manifest_is_what_was_noted_last(tmp_path, url):
    out = Folder(url.format(tmp_path))
    for number in range(3):
        with Manifest(out, write=True) as manifest:
            manifest.add(entry(seconds=number, error='a "quoted" \u00fc\n'))
            manifest.add(entry(f"{number}.png"))
            assert [line["name"] for line in manifest.latest()][-2:] == ["a.png", f"{number}.png"]
    with Manifest(out, write=False) as manifest:
        assert manifest.last("a.png") == entry(seconds=2, error='a "quoted" \u00fc\n')
        assert manifest.last("none.png") == {}
        assert [line["name"] for line in manifest.latest()] == ["0.png", "1.png", "a.png", "2.png"]


def test_a_manifest_cut_short_loses_one_line(tmp_path):
    out, path = Folder(str(tmp_path)), tmp_path / "manifest.jsonl"
    for cut in (20, 5, 80):
        with Manifest(out, write=True) as manifest:
            manifest.add(entry("a.png"))
            manifest.add(entry("b.png"))
        path.write_bytes(path.read_bytes()[:-cut])
        with Manifest(out, write=True) as manifest:
            manifest.add(entry("c.png"))
        with Manifest(out, write=False) as manifest:
            assert [line["name"] for line in manifest.latest()] == ["a.png", "c.png"]


def test_a_large_manifest_far_away_is_kept_in_files_of_a_thousand():
    out = Folder("memory://large")
    with Manifest(out, write=True) as manifest:
        for number in range(2500):
            manifest.add(entry(str(number)))
    assert len(out.names()) == 3
    with Manifest(out, write=False) as manifest:
        assert [line["name"] for line in manifest.latest()] == [str(number) for number in range(2500)]


@pytest.mark.parametrize("line", ['{"name": "a.png", "label": 3}', "my own list", '["a"]', ""])
def test_a_manifest_of_someone_else_s_is_left_alone(tmp_path, line):
    path = tmp_path / "manifest.jsonl"
    path.write_text(line + "\n")
    with pytest.raises(Refused, match="was not written by this tool"), Manifest(Folder(str(tmp_path)), write=True):
        pass
    assert path.read_text() == line + "\n"


def test_no_two_runs_have_one_out(tmp_path):
    out = Folder(str(tmp_path))
    with Manifest(out, write=True):
        with pytest.raises(Refused, match="another run writes to"), Manifest(out, write=True):
            pass
        with Manifest(out, write=False):
            pass
    with Manifest(out, write=True):
        pass


def test_folders_of_runs_that_were_killed_are_deleted_and_no_others():
    made = [Path(tempfile.mkdtemp(prefix=f"lrb-{whose}-", dir="/tmp")) for whose in (10**9, os.getpid(), "mine")]  # noqa: S108
    made.append(Path(cluster_module._own_folder()))
    try:
        assert [folder.exists() for folder in made] == [False, True, True, True]
        assert made[-1].stat().st_mode & 0o777 == 0o700
    finally:
        for folder in made:
            shutil.rmtree(folder, ignore_errors=True)


def pages(tmp_path, entries, failed=(), summary=(("done", "1"),)):
    place = Folder(str(tmp_path))
    return dict(report.report(iter(entries), len(entries), failed, place, list(summary)))


def test_a_report_links_strange_names_and_says_what_failed(tmp_path):
    name = 'sub/a "b" & <c> #1 \u00fc?.png'
    entries = [entry(name, seed="<i>", seconds=2), *(entry(f"{number}.png") for number in range(report.A_PAGE))]
    found = pages(tmp_path, entries, ["bad <i>.png: no mask <x>"], [("done", "<2>")])
    page, second = found["report.html"], found["report/2.html"]
    assert not re.search("<c>|<i>|<x>|<2>", page)  # a manifest may have been written by anyone
    assert 'href="sub/a%20%22b%22%20%26%20%3Cc%3E%20%231%20%C3%BC%3F.png"' in page
    assert "bad &lt;i&gt;.png: no mask &lt;x&gt;" in page
    assert page.count("<figure>") == report.A_PAGE and 'href="report/2.html"' in page and "report/3.html" not in page
    assert second.count("<figure>") == 1 and 'href="../499.png"' in second
    assert 'href="../report.html"' in second and "2.html" not in second
    assert not re.search(r"https?://|<script", page)
    assert report.MARK in page[:1000]


def test_a_preview_is_one_file_with_its_pictures_in_it():
    page = report.preview(["<b>"], [("<i>.png", b"JPEG")])
    assert "<title>Before anything is painted" in page
    assert "&lt;b&gt;" in page and "&lt;i&gt;.png" in page and "data:image/jpeg;base64,SlBFRw==" in page


def test_no_control_character_reaches_the_terminal(capsys):
    report.say("a\x1b[2Jb\x9bc\rd\ne")
    assert capsys.readouterr().out == "a?[2Jb?c?d\ne\n"


@pytest.mark.parametrize(("gpus", "workers", "share"), [(0, 3, 0), (1, 1, 1), (8, 8, 1), (1, 2, 0.5), (2, 3, 0.5)])
def test_workers_share_gpus_so_that_all_find_a_place(gpus, workers, share):
    assert share_of_gpu(gpus, workers) == share


def test_a_disk_without_room_for_the_pictures_is_told_before_the_run(tmp_path):
    run = planned(tmp_path, [job(image_at=f"{10**17}:1", result_at="")])
    with pytest.raises(Refused, match="MB free, and the pictures to do have 100000000000 MB"):
        run.check_space()


def test_a_start_that_ends_its_worker_is_tried_again_later_and_says_why(monkeypatch):
    def get(_call):
        raise ray.exceptions.RayActorError(error_msg="the node was lost")

    monkeypatch.setattr(ray, "get", get)
    seat = Seat(actor=None, number=0)
    seat.started("call")
    assert seat.errors == ["a worker ended: the node was lost"] and not seat.given_up
    assert seat.start_at > time.monotonic() and seat.starting is None


def test_a_picture_that_ends_its_worker_is_set_aside_and_takes_no_other_with_it(cluster, tmp_path):
    class Painter:
        """A worker without a host."""

        def start(self):
            return {"host": "none", "version": "1"}

        def paint(self, job):
            if job.name == "deadly":
                os._exit(1)
            return {**job.facts(), "state": DONE}

        def stop(self):
            return

    names, ends = [str(number) for number in range(12)], {}
    run = planned(tmp_path, [job(name, result_at="") for name in [*names[:4], "deadly", *names[4:]]])
    ray.init(address=cluster.address, log_to_driver=False)
    try:
        crew = Crew(Painter, [(), ()], 2)
        run.progress, run.stop = report.progress(13), SimpleNamespace(asked=False)
        run.options.host, run._crew = [], lambda _: crew
        run.manifest = SimpleNamespace(add=lambda entry: ends.update({entry["name"]: entry}))
        run._paint()
    finally:
        ray.shutdown()
    assert {name for name, end in ends.items() if end["state"] == DONE} == set(names)
    assert ends["deadly"]["state"] == FAILED and ends["deadly"]["tries"] == 3
    assert "the worker ended" in ends["deadly"]["error"]
