"""Rows: where pictures are named, which mask belongs to which, and what is told before anything is painted."""

import json
import os
from unittest.mock import Mock

import pytest
from PIL import Image

from batch import BadPicture, Refused
from batch.check import seed_of
from batch.command import parsed
from batch.places import PARTS, Folder, digest
from batch.prepare import prepare
from batch.table import find, matches
from benchmarks.batch.trial import DEMO_MODEL, STOCK, make_mask, make_picture


def jobs(task, *names, **columns):
    """What becomes of one row for each name."""
    return task.jobs([{"image": name, **columns} for name in names])


def test_masks_are_found_beside_in_a_folder_of_their_own_and_in_the_alpha(pictures, understood, tmp_path):
    make_mask(tmp_path / "masks" / "a.jpg", 5)
    image = Image.open(pictures / "b.png").convert("RGBA")
    image.putalpha(Image.open(pictures / "b_mask.png").point(lambda value: 255 - value))
    image.save(pictures / "cut.png")
    beside, alpha = jobs(understood(pictures), "deep/er/c.png", "cut.png")
    assert (beside.mask, beside.in_masks, beside.error) == ("deep/er/c_mask.png", False, "")
    assert (alpha.mask, alpha.error) == ("", "")
    (pictures / "b_mask.png").rename(pictures / "b masked.png")
    task = understood(pictures, "--masks", str(tmp_path / "masks"))
    apart, none, beside, alpha = jobs(task, "a.png", "b.png", "deep/er/c.png", "cut.png")
    assert (apart.mask, apart.in_masks, apart.error) == ("a.jpg", True, "")
    assert "no mask: there is no b.png, b.jpg, b_mask.png" in none.error and "no alpha" in none.error
    assert (beside.mask, beside.in_masks, beside.error) == ("deep/er/c_mask.png", False, "")
    assert (alpha.mask, alpha.error) == ("", "")
    os.replace(tmp_path / "masks", pictures / "masks")  # among the pictures, which it has none of
    task = understood(pictures, "--masks", str(pictures / "masks"))
    assert [row["image"] for row in task.rows()] == ["a.png", "b masked.png", "b.png", "cut.png", "deep/er/c.png"]


def test_a_folder_lists_pictures_and_no_masks_and_a_pattern_picks_some(pictures):
    (pictures / ".hidden").mkdir()
    (pictures / ".hidden" / "x.png").write_bytes(b"")
    for name in ("notes.txt", "a.HEIC", "b.avif", "c.gif", "d.gif"):
        (pictures / name).write_text("x")
    make_mask(pictures / "gas_mask.png", 1)
    source = find(str(pictures))
    assert [row["image"] for row in source.rows(True)] == ["a.png", "b.png", "deep/er/c.png"]
    assert list(source.left_out.lines("left out")) == [
        "left out (5): files of another kind than .png, .jpg, .jpeg, .webp, .bmp, .tif, .tiff",
        "    a.HEIC", "    b.avif", "    c.gif", "    ...",
        "left out (1): hidden files", "    .hidden/x.png",
        "left out (1): masks without a picture of their name", "    gas_mask.png",
    ]  # fmt: skip
    assert "gas_mask.png" in [row["image"] for row in find(str(pictures)).rows(False)]
    make_mask(pictures / "gas_mask_mask.png", 1)
    assert [row["image"] for row in find(str(pictures)).rows(True)][-1] == "gas_mask.png"
    source = find(f"{pictures}/**/?.png")
    assert source.root.local == pictures and source.pattern == "**/?.png"
    assert matches(["a.png"], ["**", "?.png"]) and matches(["x", "y", "a.png"], ["**", "?.png"])
    assert not matches(["x", "a.png"], ["*.png"]) and not matches(["aa.png"], ["?.png"])


def test_each_real_folder_is_looked_into_once_and_no_link_leads_out(pictures):
    make_picture(pictures.parent / "elsewhere" / "x.png", 1)
    os.symlink(pictures, pictures / "deep" / "round")
    os.symlink(pictures / "deep", pictures / "again")
    os.symlink(pictures.parent / "elsewhere", pictures / "out of it")
    os.symlink("nowhere.png", pictures / "broken.png")
    source = find(str(pictures))
    assert [row["image"] for row in source.rows(True)] == ["a.png", "b.png", "deep/er/c.png"]
    assert sorted(source.left_out.counts.values()) == [2, 2]


def test_what_this_tool_has_written_is_no_picture_and_folders_that_look_swapped_are_refused(pictures, understood):
    strip, line = f"{digest(b'a.png')}.jpg", '{"name": "a.png", "state": "done", "recipe": "r"}\n'
    for folder in ("report", "deep/report", "deep/er/report"):
        make_picture(pictures / folder / strip, 1)
        make_picture(pictures / folder / "mine.png", 1)
    (pictures / "manifest.jsonl").write_text(line)
    (pictures / "deep" / "manifest").mkdir()
    (pictures / "deep" / "manifest" / f"{1:020}-{0:06}.jsonl").write_text(line)
    source = find(str(pictures))
    found = [row["image"] for row in source.rows(True) if "report" in row["image"]]
    assert found == ["deep/er/report/" + strip, "deep/er/report/mine.png", "deep/report/mine.png", "report/mine.png"]
    assert source.left_out.counts["contact sheets of this tool"] == 2
    understood(pictures)
    make_picture(pictures.parent / "photos" / "deep" / "x.JPG", 1)
    with pytest.raises(Refused, match="PICTURES and OUT look swapped"):
        understood(pictures, out=pictures.parent / "photos")
    (pictures.parent / "photos" / "manifest.jsonl").write_text(line)
    understood(pictures, out=pictures.parent / "photos")


def cropped(path):
    Image.open(path).crop((0, 0, 64, 50)).save(path)


def turned(path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.open(path).resize((64, 50)).save(path, exif=exif)


@pytest.mark.parametrize(
    ("break_it", "words"),
    [
        (lambda f: (f / "a_mask.png").unlink(), "no mask"),
        (lambda f: Image.new("L", (32, 30), 255).save(f / "a_mask.png"), "paints everything"),
        (lambda f: cropped(f / "a_mask.png"), "a_mask.png has 64 x 50 pixels, the picture 64 x 64"),
        (lambda f: turned(f / "a.png"), "the picture 50 x 64, turned by its EXIF"),
        (lambda f: make_mask(f / "a_mask.jpg", 0), "which is the mask: a_mask.png or a_mask.jpg"),
        (lambda f: os.replace(f / "a.png", f / "a_mask.png"), "there is no "),
        (lambda f: (f / "a.png").write_bytes(b"not a picture"), "a.png cannot be read as a picture"),
        (lambda f: (f / "a_mask.png").write_bytes(b""), "a_mask.png is broken"),
        (lambda f: (f / "a.png").unlink(), "there is no "),
        (lambda f: os.truncate(f / "a_mask.png", 2**30 + 1), "has more than 1 GiB"),
        (lambda f: (f / "a.png").write_bytes(b"") or os.truncate(f / "a.png", 2**30), "a.png cannot be read as a"),
    ],
)
def test_what_is_wrong_with_one_picture_is_said_of_that_picture_alone(pictures, understood, break_it, words):
    break_it(pictures)
    broken, good = jobs(understood(pictures), "a.png", "b.png")
    assert words in broken.error
    assert not good.error


def a_table(folder, text, name="t.csv"):
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


@pytest.mark.parametrize(
    "name", ["../outside.png", "/etc/x.png", "deep/../../outside.png", "s3://b/x.png", "link.png", "..\\outside.png"]
)
def test_no_path_of_a_table_leaves_pictures(pictures, understood, name):
    make_picture(pictures.parent / "outside.png", 1)
    make_mask(pictures.parent / "outside_mask.png", 1)
    os.symlink(pictures.parent / "outside.png", pictures / "link.png")
    table = a_table(pictures, "image,mask\n")
    (job,) = jobs(understood(table), name)
    assert "leads out of" in job.error
    (job,) = jobs(understood(table), "a.png", mask=name)
    assert "leads out of" in job.error


def test_columns_set_inputs_and_a_seed(pictures, understood):
    table = a_table(pictures, "image,prompt,seed,7.cfg\n")
    found = understood(table)
    (job,) = jobs(found, "a.png", prompt='a "red", house', seed="12", **{"7.cfg": "2"})
    assert (job.settings, job.seed, job.error) == ({"3.text": 'a "red", house', "7.cfg": 2.0}, 12, "")
    (plain,) = jobs(found, "a.png", prompt="", seed="", **{"7.cfg": ""})
    assert (plain.settings, plain.seed) == ({}, seed_of("a.png", 0))
    (bad,) = jobs(found, "a.png", **{"7.cfg": "much"})
    assert "input 7.cfg: found 'much', wanted a number" in bad.error


@pytest.mark.parametrize(
    ("given", "seed"), [("7", 7), (7.0, 7), (" 7 ", 7), ("18446744073709551615", 2**64 - 1)]
    + [(odd, None) for odd in ("-1", "1e3", "1.5", "nan", "1_000", "\uff11", 2**64, True, [1], 1e30)],
)  # fmt: skip
def test_a_seed_is_a_whole_number(pictures, understood, given, seed):
    (job,) = jobs(understood(a_table(pictures, "image,seed\n")), "a.png", seed=given)
    assert ("seed: found" in job.error) if seed is None else (job.seed == seed and not job.error)


def test_a_seed_follows_from_name_and_seed_and_nothing_else():
    assert seed_of("a/b.png", 0) == 0xA207765B07C
    assert len({seed_of(name, seed) for name in ("a.png", "b.png") for seed in (0, 1)}) == 4
    assert seed_of("\u00fc.png", 0) == seed_of("u\u0308.png", 0)  # one name, as two filesystems spell it
    assert all(0 <= seed_of(str(number), 0) < 2**48 for number in range(100))


@pytest.mark.parametrize(
    ("text", "name", "words"),
    [
        ("picture,mask\nx,y\n", "t.csv", "no column 'image'; it has: picture, mask"),
        ("image;mask\nx;y\n", "t.csv", "separated by commas"),
        ("image, mask\nx,y\n", "t.csv", "has a column ' mask'; there are image, mask"),
        ("image,image\n", "t.csv", "two columns of one name"),
        ("image,99.steps\n", "t.csv", "no node has the id or the title '99'"),
        ("image,5.image\n", "t.csv", "would replace the picture"),
        ("image,10.filename_prefix\n", "t.csv", "would name files of the host's"),
        ("image,prompt,3.text\n", "t.csv", "two columns of the table fill one input"),
        ("image,Grün\n", "t.csv", "not UTF-8: save it as CSV UTF-8"),
        ("", "t.csv", "is empty"),
        ('["a.png"]\n', "t.jsonl", "no column 'image'"),
    ],
)
def test_a_table_that_cannot_be_meant_is_refused(pictures, understood, text, name, words):
    with pytest.raises(Refused, match=words):
        a_table(pictures, "", name).write_bytes(text.encode("cp1252"))
        understood(pictures / name)


def test_a_byte_order_mark_is_no_part_of_a_table_and_utf_16_is_refused(pictures, understood):
    for name, text in (("t.csv", "image\na.png\n"), ("t.jsonl", '{"image": "a.png"}\n')):
        (pictures / name).write_bytes(text.encode("utf-8-sig"))
        assert list(understood(pictures / name).source.rows(True)) == [{"image": "a.png"}]
        (pictures / name).write_bytes(text.encode("utf-16"))
        with pytest.raises(Refused, match="not UTF-8"):
            understood(pictures / name)
    (pictures / "t.csv").write_bytes(b"image\n" + b"a.png\n" * 20_000 + b"\xe4.png\n")
    with pytest.raises(Refused, match="not UTF-8"):
        list(understood(pictures / "t.csv").source.rows(True))


ODD_NAMES = [
    "nul\0.png", "half\ud800.png", f"{'x' * 300}.png", "circle.png", "a\nb.png", "latin-\udce4.png", 7, None, [],
    {"x": 1}, "", "a.exe", "deep", "../" * 5000 + "a.png", ".latent-repaint-parts/h.png", "out/a.png",
]  # fmt: skip


@pytest.mark.parametrize("column", ["image", "mask"])
def test_one_odd_row_is_set_aside_and_the_others_are_not(pictures, understood, column):
    os.symlink("circle.png", pictures / "circle.png")
    make_picture(pictures / "out" / "a.png", 1)
    make_mask(pictures / "out" / "a_mask.png", 1)
    table = a_table(pictures, "image,mask\na.png,a_mask.png\n")
    rows = [{"image": "a.png", "mask": "a_mask.png", column: name} for name in ODD_NAMES if column == "image" or name]
    found = understood(table, out=pictures / "out").jobs([{"image": "b.png"}, *rows, {"image": "deep/er/c.png"}])
    assert [bool(job.error) for job in found] == [False, *[True] * len(rows), False]
    for job in found:
        (job.to_json() + job.error).encode()  # it can be written anywhere
        assert job.kind or not job.error


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b'"a.png', "line 3"),
        (b"a.png,x,y", "3 cells, the first line 2: put a text with commas between quotes"),
        (b"a.png", "1 cells"),
        (b'a.png,say "hi" x, y', "3 cells"),
        (b'a.png,"hi" x', "line 3"),
        (b"a.png," + b"x" * 200_000, "field larger"),
        (b"a.png," + b"x" * 3_000_000, "line 3"),
    ],
)
def test_a_line_of_a_csv_that_is_no_row_is_set_aside(pictures, understood, line, words):
    (pictures / "t.csv").write_bytes(b'image,prompt\na.png,"one\ntwo, three"\nXb.png,x\n'.replace(b"X", line + b"\n"))
    if line != b'"a.png':
        found = list(understood(pictures / "t.csv").source.rows(True))
        assert found[0] == {"image": "a.png", "prompt": "one\ntwo, three"} and found[-1]["image"] == "b.png"
    errors = [row for row in understood(pictures / "t.csv").source.rows(True) if isinstance(row, BadPicture)]
    assert len(errors) == 1 and words in str(errors[0]).replace("line 4", "line 3")


def test_a_line_that_is_no_row_is_set_aside(pictures, understood):
    lines = [
        '{"image": "a.png", "prompt": "y"}', '{"image": ', "[1]", '{"image": "b.png", "other": 1}', "{}",
        '{"image": "b.png", "prompt": NaN}', '{"image": "b.png", "prompt": ["12", 0]}', '{"image": "\\ud800.png"}',
        "[" * 100_000, '{"image": "b.png", "prompt": "z"}',
    ]  # fmt: skip
    table = a_table(pictures, "\n".join(lines) + "\n", "t.jsonl")
    found = understood(table)
    good, cut, array, extra, empty, *odd, last = found.jobs(found.source.rows(True))
    assert good.settings == {"3.text": "y"} and not good.error and last.settings == {"3.text": "z"}
    assert "is not JSON" in cut.error and "is not an object" in array.error
    assert "has no 'other'" in extra.error and "names no image" in empty.error
    assert all(job.error for job in odd) and len(odd) == 4


def test_results_must_not_lie_among_the_pictures_nor_over_them(pictures, understood):
    with pytest.raises(Refused, match="the results would be taken for pictures"):
        understood(pictures, out=pictures / "out")
    with pytest.raises(Refused, match="could overwrite"):
        understood(pictures, out=pictures)
    with pytest.raises(Refused, match="could overwrite"):
        understood(pictures, out=pictures.parent)
    understood(a_table(pictures, "image\n"), out=pictures / "out")  # a table lists what it means
    os.symlink(pictures, pictures.parent / "by another name")
    for out in (f"file://{pictures}", f"local://{pictures}", pictures.parent / "by another name" / "out", "file:/"):
        with pytest.raises(Refused, match="could overwrite|taken for pictures"):
            understood(pictures, out=out)
    with pytest.raises(Refused, match="not supported"):
        understood(pictures, out=f"simplecache::file://{pictures}")


def test_masks_that_no_node_takes_are_refused(pictures, understood, tmp_path):
    flow = tmp_path / "flow.json"
    flow.write_text(json.dumps(STOCK))
    (job,) = jobs(understood(pictures, workflow=flow), "a.png")
    assert job.mask == "" and not job.error
    with pytest.raises(Refused, match="no node takes one"):
        understood(pictures, "--masks", str(pictures), workflow=flow)


@pytest.mark.parametrize(
    "words",
    [["a"], ["a", "b", "c", "d"], ["flow.json", "pictures"], ["a", "b", "--workers", "0"],
     ["a", "b", "--host", "http://x", "--comfyui", "y"]],
)  # fmt: skip
def test_a_command_line_that_cannot_be_meant_is_refused(words, capsys):
    with pytest.raises(SystemExit) as caught:
        parsed(words)
    assert caught.value.code == 2
    assert "wanted" in capsys.readouterr().err or "--host" in words


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (["--set", "7.steps"], "wanted NODE.INPUT=VALUE"),
        (["--set", "7.steps=many"], "wanted a number"),
        (["--set", "5.image=x.png"], "would replace the picture or the mask"),
        (["--set", "nothing.steps=4"], "no node has the id"),
        (["--masks", "/nowhere"], "is no folder"),
        (["--comfyui", "/nowhere"], "holds no main.py"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(pictures, understood, change, words):
    with pytest.raises(Refused, match=words):
        understood(pictures, *change)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["none.json", "pictures", "out"], "cannot read the workflow"),
        (["nowhere", "out", *DEMO_MODEL], "neither a folder"),
        (["pictures", "out"], "--checkpoint NAME and --prompt TEXT"),
    ],
)
def test_what_is_not_there_is_refused(words, why):
    with pytest.raises(Refused, match=why):
        prepare(parsed(words))


def test_a_file_is_whole_or_not_there_and_none_is_replaced_but_the_one_that_is_known(tmp_path, monkeypatch):
    place = Folder(str(tmp_path))
    place.write("a/b.png", b"old")
    for replaces in ("", digest(b"another")):
        with pytest.raises(BadPicture, match="is there already"):
            place.write("a/b.png", b"new", replaces)
    os.symlink("nowhere", tmp_path / "link.png")
    with pytest.raises(BadPicture, match="is there already"):
        place.write("link.png", b"new")
    place.write("a/b.png", b"newer", digest(b"old"))
    monkeypatch.setattr(os, "replace", Mock(side_effect=OSError("no power")))
    with pytest.raises(OSError, match="no power"):
        place.write("a/b.png", b"new and longer", digest(b"newer"))
    assert (tmp_path / "a" / "b.png").read_bytes() == b"newer" and os.readlink(tmp_path / "link.png") == "nowhere"
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b.png"]
    (tmp_path / PARTS / "mine.txt").write_bytes(b"a user's")
    place.tidy()
    assert [path.name for path in (tmp_path / PARTS).iterdir()] == ["mine.txt"]


def test_a_file_that_is_made_by_another_meanwhile_is_not_replaced(tmp_path, monkeypatch):
    place = Folder(str(tmp_path))
    monkeypatch.setattr(Folder, "taken", lambda *_: False)
    (tmp_path / "a.png").write_bytes(b"a user's")
    with pytest.raises(BadPicture, match="is there already"):
        place.write("a.png", b"new")
    assert (tmp_path / "a.png").read_bytes() == b"a user's"


def test_our_own_pages_replace_only_their_like(tmp_path):
    place = Folder(str(tmp_path))
    place.write_own("report.html", b"<mark>1", b"<mark>")
    place.write_own("report.html", b"<mark>2", b"<mark>")
    (tmp_path / "preview.html").write_bytes(b"a user's")
    with pytest.raises(Refused, match="was not written by this tool"):
        place.write_own("preview.html", b"<mark>1", b"<mark>")
    assert (tmp_path / "report.html").read_bytes() == b"<mark>2"
    assert (tmp_path / "preview.html").read_bytes() == b"a user's"


def test_a_folder_far_away_is_a_place_like_any_other():
    place = Folder("memory://bucket/x")
    assert place.local is None
    place.write("x y/\u00fc.png", b"1")
    assert place.names() == [("x y/\u00fc.png", "")]
    with pytest.raises(BadPicture, match="is there already"):
        place.write("x y/\u00fc.png", b"2")
    place.write("x y/\u00fc.png", b"2", digest(b"1"))
    assert place.read("x y/\u00fc.png") == b"2"
    with pytest.raises(Refused, match="cannot open"):
        Folder("nonsense://x/y")
    shown = Folder("s3://KEY:SECRET@bucket/in?endpoint_override=localhost&region=x")
    assert shown.shown == "s3://bucket/in" and "SECRET" not in shown.link("a.png")
    assert Folder("memory://in/").link("a.png") == "memory://in/a.png"


def test_a_table_far_away_is_read_line_by_line():
    Folder("memory://tables").write("t.csv", 'image,prompt\n\u00fc.png,"a\nb"\n'.encode("utf-8-sig"))
    assert list(find("memory://tables/t.csv").rows(True)) == [{"image": "\u00fc.png", "prompt": "a\nb"}]
