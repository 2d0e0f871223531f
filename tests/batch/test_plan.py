"""What is done again and what is not, and what is written about it."""

import re
from types import SimpleNamespace

import pytest
from PIL import Image

from batch import report
from batch.errors import Refused
from batch.job import DONE, FAILED, Job
from batch.manifest import Manifest
from batch.pictures import in_format_of, mask_from_alpha, png, with_alpha
from batch.places import Place
from batch.plan import SKIPPED, TODO, Plan
from batch.progress import Progress, span
from batch.ray_cluster import share_of_gpu
from batch.run import Run, unlike_versions

FACTS = {"recipe": "r", "image_at": "1:2", "mask_at": "3:4"}


def job(name="a.png", **changes):
    return Job(**{"name": name, "result": name, "exists": True} | FACTS | changes)


def entry(name="a.png", state=DONE, **changes):
    return {"name": name, "state": state} | FACTS | changes


@pytest.mark.parametrize(
    ("changes", "before", "retry", "state"),
    [
        ({}, entry(), False, SKIPPED),
        ({"exists": False}, entry(), False, TODO),
        ({"image_at": "1:9"}, entry(), False, TODO),
        ({"mask_at": "1:9"}, entry(), False, TODO),
        ({"recipe": "s"}, entry(), False, TODO),
        ({"exists": False}, entry(state=FAILED, error="x"), False, FAILED),
        ({"exists": False}, entry(state=FAILED, error="x"), True, TODO),
        ({"exists": False, "recipe": "s"}, entry(state=FAILED, error="x"), False, TODO),
        ({"error": "no mask"}, entry(), True, FAILED),
    ],
)
def test_what_is_done_is_skipped_and_what_changed_is_done_again(changes, before, retry, state):
    with Plan(retry) as plan:
        plan.remember([entry(recipe="older"), before, entry("b.png")])
        plan.add([job(**changes)])
        assert plan.counts()[state] == 1 and sum(plan.counts().values()) == 1
        assert [made.before for made, _ in plan.rows(TODO)] == ([before] if state == TODO else [])


def test_pictures_with_one_result_are_all_refused_and_name_each_other():
    with Plan(False) as plan:
        plan.add([job("a.png"), job("b.png"), job("a.jpg", result="a.png"), job("a.bmp", result="a.png")])
        assert plan.counts() == {TODO: 1, DONE: 0, SKIPPED: 0, FAILED: 3}
        errors = [entry["error"] for _, entry in plan.rows(FAILED)]
        assert all("its result would be a.png, and so would that of 'a." in error for error in errors)


def test_the_plan_gives_back_the_order_of_the_table():
    with Plan(False) as plan:
        plan.add(job(f"{number:04}.png") for number in reversed(range(1000)))
        found = [made.name for made, _ in plan.rows(TODO)]
        assert found == [f"{number:04}.png" for number in reversed(range(1000))]
        plan.end(job("0999.png"), entry("0999.png", state=FAILED, error="x"))
        plan.end(job("0998.png"), entry("0998.png"))
        assert plan.counts() == {TODO: 998, DONE: 1, SKIPPED: 0, FAILED: 1}
        assert plan.bytes_to_do() == 998


def test_a_row_costs_the_same_in_a_long_plan_as_in_a_short_one():
    def cost(number):
        """Steps of the database, by tens."""
        steps = []
        plan._base.set_progress_handler(lambda: steps.append(1) and None, 10)
        plan.add([job(f"{number}.png")])
        plan.end(job(f"{number}.png"), entry(f"{number}.png"))
        plan._base.set_progress_handler(None, 0)
        return len(steps)

    with Plan(False) as plan:
        plan.add(job(f"{number}.png") for number in range(100))
        short = cost(100)
        plan.add(job(f"{number}.png") for number in range(101, 5000))
        assert short and cost(5000) < 2 * short


@pytest.mark.parametrize("url", ["{}", "file://{}"])
def test_a_manifest_is_what_was_noted_last(tmp_path, url):
    out = Place(url.format(tmp_path))
    for number in range(3):
        with Manifest(out) as manifest:
            manifest.add(entry(seconds=number, error='a "quoted" ü\n'))
    found = list(Manifest(out).entries())
    assert found[-1] == entry(seconds=2, error='a "quoted" ü\n')
    if out.local:
        assert [line["seconds"] for line in found] == [0, 1, 2]


def test_a_manifest_cut_short_loses_one_line(tmp_path):
    with Manifest(Place(str(tmp_path))) as manifest:
        manifest.add(entry("a.png"))
        manifest.add(entry("b.png"))
    path = tmp_path / "manifest.jsonl"
    path.write_bytes(path.read_bytes()[:-20])
    with Manifest(Place(str(tmp_path))) as manifest:
        manifest.add(entry("c.png"))
    assert [line["name"] for line in Manifest(Place(str(tmp_path))).entries()] == ["a.png", "c.png"]


def test_a_large_manifest_far_away_is_kept_in_files_of_a_thousand(tmp_path):
    out = Place(f"file://{tmp_path}")
    with Manifest(out) as manifest:
        for number in range(2500):
            manifest.add(entry(str(number)))
    assert len(list((tmp_path / "manifest").iterdir())) == 3
    assert [line["name"] for line in Manifest(out).entries()] == [str(number) for number in range(2500)]


def test_a_contact_sheet_links_strange_names_and_says_what_failed(tmp_path):
    name = 'sub/a "b" & <c> #1 ü?.png'
    with Plan(False) as plan:
        plan.add([job(name), job("bad <i>.png", error="no mask <x>"), *(job(f"{n}.png") for n in range(report.A_PAGE))])
        for done, _ in list(plan.rows(TODO)):
            plan.end(done, entry(done.name, seed=1, seconds=2))
        report.write(plan, Place(str(tmp_path / "out")), Place(str(tmp_path)), [("done", "<2>")])
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "<c>" not in page and "<i>" not in page and "<x>" not in page and "<2>" not in page
    assert 'href="sub/a%20%22b%22%20%26%20%3Cc%3E%20%231%20%C3%BC%3F.png"' in page
    assert "bad &lt;i&gt;.png: no mask &lt;x&gt;" in page
    assert page.count("<figure>") == report.A_PAGE and 'href="report/2.html"' in page
    second = (tmp_path / "out" / "report" / "2.html").read_text(encoding="utf-8")
    assert second.count("<figure>") == 1 and 'href="../499.png"' in second
    assert not re.search(r"https?://|<script", page)


def test_a_mask_goes_through_alpha_and_back():
    image, mask = Image.new("RGB", (4, 4), (1, 2, 3)), Image.new("L", (4, 4), 0)
    mask.putpixel((1, 2), 255)
    mask.putpixel((2, 2), 100)
    joined = with_alpha(image, mask, "a.png")
    assert mask_from_alpha(joined, "a.png").tobytes() == mask.tobytes()
    assert joined.convert("RGB").tobytes() == image.tobytes()
    assert in_format_of(png(image), "a.jpg")[:2] == b"\xff\xd8"
    assert in_format_of(png(image), "A.WEBP")[8:12] == b"WEBP"


def test_progress_says_how_long_it_will_take():
    progress = Progress(10)
    assert "unknown left" in progress.line(1, 5)
    for failed in (False, False, True):
        progress.count(failed)
    line = progress.line(2, 60)
    assert line.endswith("3/10, 1 failed, 2 running, 3.0 a minute, 2 min 20 s left")
    assert [span(seconds) for seconds in (0, 59.6, 3661, 200000)] == ["0 s", "1 min 0 s", "1 h 1 min", "2 d 7 h"]


@pytest.mark.parametrize(("gpus", "workers", "share"), [(0, 3, 0), (1, 1, 1), (8, 8, 1), (1, 2, 0.5), (2, 3, 0.5)])
def test_workers_share_gpus_so_that_all_find_a_place(gpus, workers, share):
    assert share_of_gpu(gpus, workers) == share


def test_a_disk_without_room_for_the_pictures_is_told_before_the_run(tmp_path):
    with Plan(False) as plan:
        plan.add([job(image_at=f"{10**17}:1")])
        found = SimpleNamespace(task=SimpleNamespace(out=Place(str(tmp_path))))
        with pytest.raises(Refused, match="MB free, and the pictures to do have 100000000000 MB"):
            Run(None, found, None, None, plan, None).check_space()


def test_hosts_of_different_versions_are_told():
    one, other = {"host": "a", "version": "0.3.75"}, {"host": "b", "version": "0.33.0"}
    assert unlike_versions([one, one]) == ""
    assert "0.3.75 at a, 0.33.0 at b" in unlike_versions([one, other])
