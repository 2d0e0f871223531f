"""What the benchmarks write their results with: nothing half-written counts, and nothing is measured twice."""

import os
import subprocess
import sys

import pytest
import torch
from PIL import Image

from benchmarks.report import COLOURS, RESULTS, Cells, Panel, Point, Table, contact_sheet, plot, to_image, write


def test_a_table_in_markdown_and_in_html():
    table = Table("Title", ["name", "value"], [["<b>", 1.23456], ["c", "2.0"]], "a note", level=2)
    assert table.text == "## Title\n\n| name | value |\n|---|---|\n| <b> | 1.23 |\n| c | 2.0 |\n\na note\n"
    assert "<td>&lt;b&gt;</td><td>1.23</td>" in table.html and table.html.startswith("<h2>Title</h2>")
    assert Table("", ["a"], []).text == "| a |\n|---|\n"
    assert Table.of("t", [{"a": 1, "b": 2.0}, {"a": 3, "b": 4.0}]) == Table("t", ["a", "b"], [[1, 2.0], [3, 4.0]])


@pytest.mark.parametrize(
    ("words", "said"), [([], "quality  "), (["--help"], "painted  "), (["cost", "-h"], "--repeats")]
)
def test_help_needs_no_host_and_no_package(words, said):
    command = [sys.executable, "-S", str(RESULTS.parent), *words]  # -S: without what is installed
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0 and said in ran.stdout, ran.stderr


def test_a_write_that_is_stopped_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "new folder" / "file.md"
    write(path, "old")

    def stopped(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", stopped)
    with pytest.raises(KeyboardInterrupt):
        write(path, "new")
    assert path.read_text() == "old"


def test_a_cell_is_measured_once_and_kept_in_a_file(tmp_path):
    calls = []

    def measure():
        calls.append(1)
        return {"energy": 0.123456789, "setting": "euler"}

    for _ in range(2):
        found = Cells(tmp_path / "cells.json").measured("a | 20", measure)
        assert found == {"energy": 0.12346, "setting": "euler"}
    assert len(calls) == 1
    Cells(None).measured("a | 20", measure)
    assert len(calls) == 2


@pytest.mark.parametrize("logarithmic", [False, True])
def test_points_stand_where_their_values_say(logarithmic):
    line = [Point(8, 0.02, 0.01, 0.03), Point(400, 1.0, 0.9, 1.0)]
    panel = Panel("title", {"match": line}, [8, 40, 400], logarithmic)
    (x_1, y_1), (x_2, y_2) = (panel.at(point.x, point.y) for point in line)
    assert panel.LEFT < x_1 < x_2 < panel.WIDTH - panel.RIGHT
    assert panel.TOP == pytest.approx(y_2) and y_1 > y_2
    middle = panel.at((8 * 400) ** 0.5, 0.1)
    assert middle[0] == pytest.approx((x_1 + x_2) / 2)
    height = panel.HEIGHT - panel.TOP - panel.BOTTOM
    assert middle[1] - panel.TOP == pytest.approx(height / 2 if logarithmic else 0.9 * height)


def test_a_plot_has_three_panels_a_row_and_a_legend(tmp_path):
    panels = [Panel("title", {"match": [Point(1, 1, 1, 1), Point(2, 2, 2, 2)]}, [1, 2])] * 4
    plot(panels, COLOURS, "caption", tmp_path / "plot.png")
    picture = Image.open(tmp_path / "plot.png")
    assert picture.size == (3 * Panel.WIDTH, 2 * Panel.HEIGHT + 40)
    colour = tuple(int(COLOURS["match"][i : i + 2], 16) for i in (1, 3, 5))
    assert colour in {pixel for _, pixel in picture.convert("RGB").getcolors(1 << 20)}


def test_a_contact_sheet_has_a_row_a_name():
    rows = {name: [torch.full((32, 64, 3), value)] * 3 for name, value in (("black", 0.0), ("white", 1.0))}
    sheet = contact_sheet(rows, 32)
    assert sheet.size == (150 + 3 * 36, 2 * 20)
    assert sheet.getpixel((160, 8)) == (0, 0, 0) and sheet.getpixel((160, 28)) == (255, 255, 255)
    assert to_image(torch.tensor([[[0.5, -1.0, 2.0]]])).getpixel((0, 0)) == (128, 0, 255)
