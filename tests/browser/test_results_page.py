"""The page that `python benchmarks quality --blind` writes: it counts the answers, and it asks nothing of anyone."""

import pytest

from benchmarks.quality.page import page
from benchmarks.report import Table

# any browser will do
pytestmark = pytest.mark.parametrize("session_desk", ["own page"], indirect=True, scope="session")

DOT = "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw=="


def pair(left, right):
    return {"names": [left, right], "left": DOT, "given": DOT, "right": DOT}


def test_blind_answers_are_counted_for_the_method_whatever_side_it_stood_on(desk, tmp_path):
    pairs = [pair("host", "match"), pair("match", "host"), pair("match", "blend"), pair("host", "match")]
    table = Table("Methods", ["method", "seam"], [["<script>alert(1)</script>", 1.0]], level=2)
    path = tmp_path / "results.html"
    path.write_text(page("Title </title>", "machine", ["a <b> note"], [table], "caption", DOT, pairs), encoding="utf-8")
    shown = desk.page.context.new_page()
    try:
        asked, errors = [], []
        shown.on("request", lambda request: asked.append(request.url))
        shown.on("pageerror", lambda error: errors.append(str(error)))
        shown.goto(path.as_uri())
        assert shown.title() == "Title </title>"
        assert not shown.locator("table").first.is_visible()  # no method is named before the end
        for answer in ("b", "a", "same", "a"):  # match, match, -, host
            shown.click(f"#answer-{answer}")
        rows = [row.all_inner_texts() for row in map(lambda r: r.locator("td"), shown.locator("#count tr").all())]
        assert rows[1:] == [["host", "match", "1", "2", "0"], ["blend", "match", "0", "0", "1"]]
        assert shown.get_by_text("<script>alert(1)</script>").is_visible()
        assert [url for url in asked if not url.startswith(("data:", path.as_uri()))] == []
        assert not errors
    finally:
        shown.close()
