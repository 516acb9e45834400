"""Batches: the jobs that words, tables and YAML ask for, their names, and what is refused."""

from __future__ import annotations

import json
import re
import sys
from contextlib import closing

import pytest
from tiny_batch import FLAGS, SETTINGS, TINY, grid, lines, make, photos

from clipguide import batch, jobs, tables
from clipguide.commands.batch import Batching
from clipguide.errors import UserError
from clipguide.methods import METHODS
from clipguide.options import Common, options
from clipguide.plans import method


def test_from_words_alone_with_any_method(tmp_path, call):
    (tmp_path / "ideas.txt").write_text("a red fox\n\na castle #pixelart\n", encoding="utf-8")
    flags = ["--steps", 1, "--cutouts", 2, "--size", 16, "--clip", TINY, "--seeds", "0,3-4", "--json"]
    code, out, err = call("batch", tmp_path / "ideas.txt", "--out", tmp_path / "out", *flags)
    assert (code, err) == (0, "")
    facts = json.loads(out)
    assert (facts["done"], facts["left"], len(facts["sheets"])) == (6, 0, 1)
    methods = {name: entry["method"] for name, entry in lines(tmp_path / "out").items()}
    assert methods["a-red-fox-s4"] == "fourier" and methods["a-castle-pixelart-s0"] == "pixelart"


def test_a_table_says_all_of_every_job(tmp_path, call):
    photos(tmp_path / "in", 2)
    rows = [
        "photo,prompt,method,output,strength,seed",
        "in/p000.png,a mosaic,textstyle,first,0.5,",
        "in/p001.png,\"a sketch, in crayon\",,,,3",
        ",a fox,pixels,fox,,",
    ]
    (tmp_path / "jobs.csv").write_text("\n".join(rows), encoding="utf-8-sig")
    flags = ["--steps", 1, "--cutouts", 2, "--size", 16, "--clip", TINY]
    code, _, err = call("batch", tmp_path / "jobs.csv", "--out", tmp_path / "out", *flags)
    told = lines(tmp_path / "out")
    assert list(told) == ["first", "p001-a-sketch-in-crayon-s3", "fox"] and code == 0, err
    assert [entry["method"] for entry in told.values()] == ["textstyle", "textstyle", "pixels"]
    assert told["first"]["settings"]["strength"] == 0.5 and told["first"]["settings"]["init"].endswith("in/p000.png")


@pytest.mark.parametrize(
    "method, rows",
    [
        ("shapes", ["prompt,count", "a fox,5"]),
        (None, ["prompt,count", "a fox #lowpoly,5"]),
        (None, ["prompt,count,method", "a fox,5,shapes"]),
    ],
)
def test_a_table_knows_the_settings_of_a_method_named_anywhere(tmp_path, method, rows):
    (tmp_path / "jobs.csv").write_text("\n".join(rows))
    (job,) = jobs.check(tables.read(tmp_path / "jobs.csv", method=method))
    assert job.method == "shapes" and job.settings["count"] == 5


def test_paths_are_relative_to_the_table_where_a_hashtag_names_the_method(tmp_path):
    (tmp_path / "jobs.yaml").write_text('- {prompt: "a lighthouse #ink", svg: d.svg}')
    (row,) = tables.read(tmp_path / "jobs.yaml")
    (tmp_path / "jobs.yaml").write_text('{styles: ["a lighthouse #ink"], settings: {svg: d.svg}}')
    (style,) = tables.read(tmp_path / "jobs.yaml")
    assert row.settings["svg"] == style.settings["svg"] == tmp_path / "d.svg"


def test_a_job_is_the_same_wherever_its_files_lie(tmp_path, monkeypatch):
    keys = []
    for folder in ("one", "two"):
        paths = photos(tmp_path / folder, 1)
        monkeypatch.chdir(tmp_path / folder)
        (task,) = jobs.check(grid(paths, ["@p000.png:0.5 | a fox"]))
        assert task.prompts == (f"@{tmp_path / folder / 'p000.png'}:0.5 | a fox",)
        keys.append(task.key)
    assert keys[0] == keys[1]


def test_a_job_is_another_one_with_another_network_and_not_with_another_place_of_it(tmp_path, monkeypatch):
    keys = []
    for folder, weights in (("one", "a"), ("two", "a"), ("three", "b")):
        paths = photos(tmp_path / folder, 1)
        (tmp_path / folder / "my-clip").mkdir()
        (tmp_path / folder / "my-clip/weights").write_text(weights)
        monkeypatch.chdir(tmp_path / folder)
        settings = {"clip": "my-clip:0.5", "mask_text": "a fox", "mask_clip": "my-clip"}
        (task,) = jobs.check(grid(paths, ["a fox"], **settings))
        assert task.settings["clip"] == f"{tmp_path / folder / 'my-clip'}:0.5"
        keys.append(task.key)
    assert keys[0] == keys[1] != keys[2]


def test_yaml_is_a_grid_or_rows(tmp_path):
    photos(tmp_path / "in", 2)
    path = tmp_path / "jobs.yaml"
    path.write_text("photos: in\nstyles: [a mosaic, a sketch]\nseeds: [1]\nsettings: {method: textstyle, steps: 3}\n")
    found = tables.read(path)
    assert [job.name for job in found][::3] == ["p000-a-mosaic-s1", "p001-a-sketch-s1"] and len(found) == 4
    assert found[0].method == "textstyle" and found[0].settings["steps"] == 3
    path.write_text("- {photo: in/p000.png, prompt: [a fox, 'dark:-1'], strength: 0.2}\n- prompt: a hen\n")
    first, second = tables.read(path, settings={"steps": 9})
    assert first.prompts == ("a fox", "dark:-1") and first.photo == tmp_path / "in/p000.png"
    assert second.settings == {"steps": 9} and second.where == "jobs.yaml line 2"


REFUSED = {
    "nowhere": ([], "nowhere is not there; give a folder"),
    "empty": ([], "empty holds no photo"),
    "words.doc": ([], "words.doc is no table"),
    "blank.txt": ([], "blank.txt is empty; write a prompt in each line"),
    "stlye.csv": ([], "line 1: unknown column 'promt'; did you mean 'prompt'"),
    "method.csv": ([], "method.csv line 3: unknown method 'mosaik'"),
    "value.csv": ([], "value.csv line 2: --strength 2"),
    "other.csv": ([], "other.csv line 2: unknown setting 'strength'"),
    "photo.csv": ([], "photo.csv line 2: the method clipstyler starts from a photo"),
    "twice.csv": ([], "twice.csv line 2 and twice.csv line 4 would both be written as a-fox.png"),
    "wide.csv": ([], "wide.csv line 2: more cells than columns"),
    "quote.csv": ([], "quote.csv line 3: no CSV .*; end what a quote begins"),
    "head.csv": ([], "head.csv line 1: no CSV"),
    "out.csv": ([], "'../a' cannot name"),
    "bare.csv": ([], "there is no job"),
    "mask.csv": ([], "mask.csv line 2: --mask .* is not there"),
    "bad.yaml": ([], "bad.yaml line 2: no YAML"),
    "day.yaml": ([], "day.yaml: no YAML"),
    "row.yaml": ([], "row.yaml line 2: no row"),
    "grid.yaml": ([], "unknown entry 'style'"),
    "photos.yaml": ([], "photos.yaml: photos are a folder, or a list of files"),
    "seeds.yaml": ([], "seeds.yaml: seeds are a list of whole numbers"),
    "method.yaml": ([], "method.yaml line 1: the method is "),
    "photo.yaml": ([], "photo.yaml line 2: the photo is 5; give one, as text"),
    "truth.yaml": ([], "truth.yaml line 1: --seed True: true and false mean nothing here"),
    "in": (["--seeds", "3-1"], "--seeds 3-1: write numbers"),
    "in ": (["a mosaic", "--steps", "many"], "--steps many"),
    "in  ": (["a mosaic", "--device", "cud"], "--device cud is not here"),
    "in    ": (["a mosaic", "--clip", "nope"], "p000.png: there is no clip 'nope'; there are: clip-mini"),
    "in     ": (["a mosaic", "--clip", "clip-mini:0"], "a CLIP's weight must be above 0"),
    "in      ": (["a mosaic", "--features", "nope"], "there is no clip 'nope'"),
    "in       ": (["a mosaic", "--method", "vqgan", "--vqgan", "nope"], "there is no vqgan 'nope'"),
    "in        ": (["a mosaic", "--method", "fourier", "--border-colour", "nope"], "--border-colour nope"),
    "in   ": ([], "textstyle wants words, and none were given; add a style"),
    "bare.csv ": (["a mosaic"], "says its own styles"),
}
TABLES = {
    "words.doc": "",
    "blank.txt": "\n \n",
    "stlye.csv": "photo,promt\n",
    "method.csv": "prompt,method\na fox,pixels\na hen,mosaik\n",
    "value.csv": "photo,prompt,strength\nin/p000.png,a mosaic,2\n",
    "other.csv": "prompt,method,strength\na fox,pixels,0.5\n",
    "photo.csv": "prompt,method\na fox,clipstyler\n",
    "twice.csv": "prompt,seed\na fox,\na hen,\nA FOX,\n",
    "wide.csv": "prompt\na fox,red\n",
    "quote.csv": 'prompt,seed\na hen,1\n"a fox,2\na cow,3\n',
    "head.csv": '"prompt,seed\na hen,1\n',
    "out.csv": "prompt,output\na fox,../a\n",
    "bare.csv": "prompt,seed\n",
    "mask.csv": "photo,prompt,mask\nin/p000.png,a fox,gone.png\n",
    "bad.yaml": "- prompt: a\n  : ]\n",
    "day.yaml": "- {prompt: a fox, seed: 2024-13-01}\n",
    "row.yaml": "- prompt: a\n- a fox\n",
    "grid.yaml": "photos: in\nstyle: a\n",
    "photos.yaml": "photos: {a: b}\nstyles: [a]\n",
    "seeds.yaml": "styles: [a]\nseeds: {a: 1}\n",
    "method.yaml": "- {prompt: a, method: [x]}\n",
    "photo.yaml": "- prompt: a\n- {prompt: a, photo: 5}\n",
    "truth.yaml": "- {prompt: a, seed: yes}\n",
}


@pytest.mark.parametrize("source", REFUSED)
def test_bad_input_is_refused_in_one_line_before_anything_is_made(tmp_path, call, source):
    photos(tmp_path / "in", 1)
    (tmp_path / "empty").mkdir()
    for name, text in TABLES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    flags, said = REFUSED[source]
    code, out, err = call("batch", tmp_path / source.strip(), *flags, "--out", tmp_path / "out")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert re.search(said, err), err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["p000-a-mosaic.png", "p000-a-mosaic.drawing.svg", "contact-sheet.png"])
def test_a_file_that_no_batch_made_is_kept(tmp_path, crew, name):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "other.png").write_bytes(b"in nobody's way")
    (tmp_path / "out" / name).write_bytes(b"precious")
    with pytest.raises(UserError, match=f"{name} is there, and no batch made it"):
        make(grid(photos(tmp_path / "in", 1)), tmp_path / "out", crew)
    assert (tmp_path / "out" / name).read_bytes() == b"precious"
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted([name, "other.png"])


def test_jobs_may_be_named_as_the_parts_of_a_batch(tmp_path, crew):
    words = {name: value for name, value in SETTINGS.items() if name != "features"}
    for texts in (["fox"], ["fox", "work", "manifest"]):
        results = make(jobs.grid([None], texts, method="pixels", settings=words), tmp_path / "out", crew)
        assert [result.error for result in results.values()] == [""] * len(texts)
    assert [entry["state"] for entry in lines(tmp_path / "out").values()] == ["done"] * 3


def test_photos_of_one_name_are_told_apart(tmp_path):
    paths = [tmp_path / "a.jpg", tmp_path / "a.png", tmp_path / "b.png"]
    assert [job.name for job in grid(paths, ["x"])] == ["a-jpg-x", "a-png-x", "b-x"]


def test_no_flag_of_the_batch_is_a_setting_of_a_method():
    own = {option.name for option in options(Batching)}
    assert all(own.isdisjoint(method(name).Settings.model_fields) for name in METHODS)
    assert own.isdisjoint(Common.model_fields)


def test_two_batches_in_one_folder_are_refused(tmp_path, crew):
    wanted = grid(photos(tmp_path / "in", 2))
    with closing(batch.run(wanted, tmp_path / "out", crew)) as results:
        next(results)
        with pytest.raises(UserError, match="another batch is at work"):
            make(wanted, tmp_path / "out", crew)


def test_without_ray_the_extra_is_named(tmp_path, call, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    photos(tmp_path / "in", 1)
    code, _, err = call("batch", tmp_path / "in", "a mosaic", "--out", tmp_path / "out", "--engine", "ray", *FLAGS)
    assert code == 2 and "pip install 'clipguide[batch]'" in err
