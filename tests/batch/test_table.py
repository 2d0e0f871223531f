"""Rows: where pictures are named, which mask belongs to which, and what is told before anything is painted."""

import json
import os

import pytest
from PIL import Image

from batch.errors import BadPicture, Refused
from batch.job import seed_of
from batch.options import parsed
from batch.pictures import read
from batch.places import Place
from batch.prepare import prepare
from batch.table import find, matches
from benchmarks.batch.trial import DEMO_MODEL, make_mask, make_picture


def jobs(checker, *names, **columns):
    """What the checker makes of one row for each name."""
    return checker.jobs([{"image": name, **columns} for name in names])


def test_masks_are_found_beside_in_a_folder_of_their_own_and_in_the_alpha(pictures, checker, tmp_path):
    make_mask(tmp_path / "masks" / "a.jpg", 5)
    image = Image.open(pictures / "b.png").convert("RGBA")
    image.putalpha(Image.open(pictures / "b_mask.png").point(lambda value: 255 - value))
    image.save(pictures / "cut.png")
    beside, alpha = jobs(checker(pictures), "deep/er/c.png", "cut.png")
    assert (beside.mask, beside.in_masks, beside.error) == ("deep/er/c_mask.png", False, "")
    assert (alpha.mask, alpha.error) == ("", "")
    apart, none = jobs(checker(pictures, "--masks", str(tmp_path / "masks")), "a.png", "b.png")
    assert (apart.mask, apart.in_masks, apart.error) == ("a.jpg", True, "")
    assert "no mask: there is no b.png" in none.error and "no alpha" in none.error


def test_a_folder_lists_pictures_and_no_masks_and_a_pattern_picks_some(pictures):
    (pictures / ".hidden").mkdir()
    (pictures / ".hidden" / "x.png").write_bytes(b"")
    (pictures / "notes.txt").write_text("x")
    listed = [name for name in find(str(pictures)).root.names() if find(str(pictures))._is_picture(name, True)]
    assert listed == ["a.png", "b.png", "deep/er/c.png"]
    source = find(f"{pictures}/**/?.png")
    assert source.root.local == pictures and source.pattern == "**/?.png"
    assert matches(("a.png",), "**/?.png") and matches(("x", "y", "a.png"), "**/?.png")
    assert not matches(("x", "a.png"), "*.png") and not matches(("aa.png",), "?.png")


@pytest.mark.parametrize(
    ("break_it", "words"),
    [
        (lambda f: (f / "a_mask.png").unlink(), "no mask"),
        (lambda f: make_mask(f / "a_mask.png", 0, side=32), "a_mask.png has 32 x 32 pixels, the picture 64 x 64"),
        (lambda f: (f / "a.png").write_bytes(b"not a picture"), "a.png cannot be read as a picture"),
        (lambda f: (f / "a_mask.png").write_bytes(b""), "a_mask.png cannot be read as a picture"),
        (lambda f: (f / "a.png").unlink(), "there is no "),
    ],
)
def test_what_is_wrong_with_one_picture_is_said_of_that_picture_alone(pictures, checker, break_it, words):
    break_it(pictures)
    broken, good = jobs(checker(pictures), "a.png", "b.png")
    assert words in broken.error
    assert not good.error


def test_a_file_cut_short_is_broken_where_comfyui_would_fill_it_with_grey(tmp_path):
    make_picture(tmp_path / "a.png", 0)
    Image.open(tmp_path / "a.png").resize((300, 300)).save(tmp_path / "a.jpg")
    content = (tmp_path / "a.jpg").read_bytes()
    assert read(content, "a.jpg").size == (300, 300)
    with pytest.raises(BadPicture, match=r"a\.jpg is broken"):
        read(content[: len(content) // 2], "a.jpg")


def test_a_turned_photo_has_the_size_that_comfyui_sees(pictures, checker):
    image = Image.open(pictures / "a.png").resize((60, 40))
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(pictures / "turned.jpg", exif=exif)
    Image.new("L", (40, 60)).save(pictures / "turned_mask.png")
    (job,) = jobs(checker(pictures), "turned.jpg")
    assert job.error == ""


def a_table(folder, text, name="t.csv"):
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


@pytest.mark.parametrize(
    "name", ["../outside.png", "/etc/x.png", "deep/../../outside.png", "s3://b/x.png", "link.png", "..\\outside.png"]
)
def test_no_path_of_a_table_leaves_pictures(pictures, checker, name):
    make_picture(pictures.parent / "outside.png", 1)
    make_mask(pictures.parent / "outside_mask.png", 1)
    os.symlink(pictures.parent / "outside.png", pictures / "link.png")
    table = a_table(pictures, "image,mask\n")
    (job,) = jobs(checker(table), name)
    assert "leads out of" in job.error
    (job,) = jobs(checker(table), "a.png", mask=name)
    assert "leads out of" in job.error


def test_columns_set_inputs_and_a_seed(pictures, checker):
    table = a_table(pictures, "image,prompt,seed,7.cfg\n")
    job, plain, bad, worse = checker(table).jobs(
        [
            {"image": "a.png", "prompt": 'a "red", house', "seed": "12", "7.cfg": "2"},
            {"image": "a.png", "prompt": "", "seed": "", "7.cfg": ""},
            {"image": "a.png", "prompt": "", "seed": "", "7.cfg": "much"},
            {"image": "a.png", "prompt": "", "seed": "-1", "7.cfg": ""},
        ]
    )
    assert (job.settings, job.seed, job.error) == ({"3.text": 'a "red", house', "7.cfg": 2.0}, 12, "")
    assert (plain.settings, plain.seed) == ({}, seed_of("a.png", 0))
    assert "input 7.cfg: found 'much', wanted a number" in bad.error
    assert "seed: found '-1'" in worse.error


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
        ("image,image\n", "t.csv", "two columns of one name"),
        ("image,99.steps\n", "t.csv", "no node has the id or the title '99'"),
        ("image,5.image\n", "t.csv", "would replace the picture"),
        ("", "t.csv", "is empty"),
        ('["a.png"]\n', "t.jsonl", "no column 'image'"),
    ],
)
def test_a_table_that_cannot_be_meant_is_refused(pictures, understood, text, name, words):
    with pytest.raises(Refused, match=words):
        understood(a_table(pictures, text, name))


def test_a_line_that_is_no_row_is_set_aside(pictures, understood):
    import pyarrow

    found = understood(a_table(pictures, json.dumps({"image": "a.png", "prompt": "x"}) + "\n", "t.jsonl"))
    lines = ['{"image": "a.png", "prompt": "y"}', '{"image": ', "[1]", '{"image": "b.png", "other": 1}', "{}"]
    rows = list(found.source.rows(pyarrow.table({"text": lines})))
    good, cut, array, extra, empty = found.checker.jobs(rows)
    assert good.settings == {"3.text": "y"} and not good.error
    assert "is not JSON" in cut.error and "is not an object" in array.error
    assert "has no 'other'" in extra.error and "names no image" in empty.error


def test_results_must_not_lie_among_the_pictures_nor_over_them(pictures, understood):
    with pytest.raises(Refused, match="the results would be taken for pictures"):
        understood(pictures, out=pictures / "out")
    with pytest.raises(Refused, match="could overwrite"):
        understood(pictures, out=pictures)
    with pytest.raises(Refused, match="could overwrite"):
        understood(pictures, out=pictures.parent)
    understood(a_table(pictures, "image\n"), out=pictures / "out")  # a table lists what it means


def test_masks_that_no_node_takes_are_refused(pictures, understood, tmp_path):
    flow = tmp_path / "flow.json"
    flow.write_text(json.dumps({
        "1": {"class_type": "LoadImage", "inputs": {"image": "x"}},
        "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0]}},
    }))  # fmt: skip
    (job,) = jobs(understood(pictures, workflow=flow).checker, "a.png")
    assert job.mask == "" and not job.error
    with pytest.raises(Refused, match="no node of the workflow takes one"):
        understood(pictures, "--masks", str(pictures), workflow=flow)


def test_the_picture_s_own_format(pictures, checker):
    Image.open(pictures / "a.png").save(pictures / "photo.jpeg")
    make_mask(pictures / "photo_mask.png", 1)
    assert jobs(checker(pictures, "--format", "own"), "photo.jpeg")[0].result == "photo.jpeg"
    assert jobs(checker(pictures), "photo.jpeg")[0].result == "photo.png"


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
        (["--set", "7.steps=many"], "wanted a whole number"),
        (["--set", "nothing.steps=4"], "no node has the id"),
        (["--masks", "/nowhere"], "is no folder"),
        (["--comfyui", "/nowhere"], "holds no main.py"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(pictures, understood, change, words):
    with pytest.raises(Refused, match=words):
        understood(pictures, *change)


def test_without_a_workflow_checkpoint_and_prompt_are_wanted(pictures, tmp_path):
    with pytest.raises(Refused, match="--checkpoint NAME and --prompt TEXT"):
        prepare(parsed([str(pictures), str(tmp_path / "out")]))
    assert prepare(parsed([*DEMO_MODEL, str(pictures), str(tmp_path / "out")])).task.workflow.wants_mask


def test_a_file_is_whole_or_not_there(tmp_path, monkeypatch):
    place = Place(str(tmp_path))
    place.write("a/b.png", b"old")

    def fail(*_):
        raise OSError("no power")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError):
        place.write("a/b.png", b"new and longer")
    assert (tmp_path / "a" / "b.png").read_bytes() == b"old"
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b.png"]


def test_a_url_is_a_place_like_any_other(tmp_path):
    place = Place(f"file://{tmp_path}")
    assert place.local is None
    place.write("x y/ü.png", b"1")
    assert place.names() == ["x y/ü.png"]
    assert (tmp_path / "x y" / "ü.png").read_bytes() == place.read("x y/ü.png") == b"1"
    with pytest.raises(Refused, match="cannot open"):
        Place("nonsense://x/y")
