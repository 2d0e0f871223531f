"""What the benchmarks write their results with: nothing half-written counts."""

import os
import subprocess
import sys

import pytest
import torch

from benchmarks.report import RESULTS, Table, contact_sheet, to_image, write


def test_a_table_in_markdown_and_in_html():
    table = Table("Title", ["name", "value"], [["<b>", 1.23456], ["c", "2.0"]], "a note", level=2)
    assert table.text == "## Title\n\n| name | value |\n|---|---|\n| <b> | 1.23 |\n| c | 2.0 |\n\na note\n"
    assert "<td>&lt;b&gt;</td><td>1.23</td>" in table.html and table.html.startswith("<h2>Title</h2>")
    assert Table("", ["a"], []).text == "| a |\n|---|\n"


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


def test_a_contact_sheet_has_a_row_a_name():
    rows = {name: [torch.full((32, 64, 3), value)] * 3 for name, value in (("black", 0.0), ("white", 1.0))}
    sheet = contact_sheet(rows, 32)
    assert sheet.size == (150 + 3 * 36, 2 * 20)
    assert sheet.getpixel((160, 8)) == (0, 0, 0) and sheet.getpixel((160, 28)) == (255, 255, 255)
    assert to_image(torch.tensor([[[0.5, -1.0, 2.0]]])).getpixel((0, 0)) == (128, 0, 255)
