"""What people give to the page: uploads, prompts and settings, and how they reach a run."""

import io
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("gradio")

from PIL import Image
from studios import picture, until

from apps import ask, controls, http_api, models_tab, order, studio, uploads, web
from clipguide import runs, weights
from clipguide.brief import parse_prompts
from clipguide.errors import UserError
from clipguide.methods import METHODS
from clipguide.options import Common, options, show


def test_an_upload_is_laundered_and_named_after_its_content(tmp_path):
    raw = tmp_path / "photo of me.jpg"
    Image.new("RGB", (3000, 1500), "teal").save(raw, exif=b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0")
    kept = uploads.keep(tmp_path, raw, "photo of me.jpg")
    assert kept.parent == tmp_path / "uploads" and len(kept.stem) == 64 and kept.suffix == ".png"
    with Image.open(kept) as image:
        assert max(image.size) == uploads.LONGEST and not image.getexif()
    assert uploads.keep(tmp_path, raw, "another name.jpg") == kept


def test_uploads_of_no_run_go_when_the_server_starts_a_day_later(tmp_path, models):
    root, day = tmp_path / "runs", uploads.KEPT_SECONDS
    colours = ("red", "green", "blue", "black", "white")
    start, prompt, mask, alone, fresh = (
        uploads.keep(root, picture(tmp_path / f"{colour}.png", colour=colour)) for colour in colours
    )
    runs.create(root, {"prompts": ["a fox", f"@{prompt}:0.5"], "settings": {"init": str(start), "mask": str(mask)}})
    (stranger := root / uploads.FOLDER / "notes.txt").write_text("not of the page")
    for path in (start, prompt, mask, alone, fresh, stranger):
        os.utime(path, (time.time() - day - 60,) * 2)
    uploads.keep(root, tmp_path / "white.png")  # sent again today
    web.open_studio(web.Serving(runs=root, workers=1), models).runner.close()
    assert sorted((root / uploads.FOLDER).iterdir()) == sorted([start, prompt, mask, fresh, stranger])

    os.utime(fresh, (time.time() - day - 60,) * 2)
    (root / "a-fox-picture").mkdir()
    (root / "a-fox-picture/recipe.json").write_bytes(b"\xff")
    uploads.sweep(root)
    assert fresh.exists(), "a recipe that cannot be read may refer to it"


def test_bad_uploads_are_refused_in_one_line(tmp_path):
    text = tmp_path / "text.png"
    text.write_text("no picture at all")
    huge = tmp_path / "huge.png"
    huge.write_bytes(png_header(20_000, 20_000))
    good = picture(tmp_path / "good.png")
    for path, name, said in (
        (text, "text.png", "text.png is no picture"),
        (huge, "huge.png", "pixels"),  # in the words of whoever looks first
        (good, "../../good.png", "no plain name"),
        (good, "..\\good.png", "no plain name"),
    ):
        with pytest.raises(UserError, match=said) as refused:
            uploads.keep(tmp_path, path, name)
        assert "\n" not in str(refused.value) and str(tmp_path) not in str(refused.value)
    assert not (tmp_path / "uploads").exists()


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims to be of that size."""
    buffer = io.BytesIO()
    Image.new("L", (1, 1)).save(buffer, "PNG")
    data = bytearray(buffer.getvalue())
    data[16:24] = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    import zlib

    data[29:33] = zlib.crc32(bytes(data[12:29])).to_bytes(4, "big")
    return bytes(data)


@pytest.mark.parametrize(
    "text", ["@/etc/passwd", "a fox | @secret.png:0.5", "@../x.png", "@uploads/x.png", "a fox ^ @/x.png"]
)
def test_prompts_name_no_files(text, tmp_path):
    with pytest.raises(UserError, match="names a file"):
        uploads.prompt(text, tmp_path)


def test_prompts_may_name_kept_uploads(tmp_path):
    kept = uploads.keep(tmp_path, picture(tmp_path / "a.png"))
    assert uploads.prompt(f"a fox | @{kept}:0.5", tmp_path)
    assert uploads.prompt("black / white: a study", tmp_path)


@pytest.mark.parametrize("value", ["@palette.png", "/etc/passwd", "~/x", "../x", "a,/etc/passwd", "C:\\x"])
def test_text_fields_name_no_files(value, place):
    option = next(o for o in studio.own_options("pixelart") if o.name == "palette")
    with pytest.raises(UserError, match="only taken as uploads"):
        controls.checked(option, value, place.catalogue, place.root)


def test_models_and_files_come_from_closed_lists(place, tmp_path):
    known = {option.name: option for option in studio.own_options("clipstyler") + options(Common)}
    with pytest.raises(UserError, match="there are: clip-mini"):
        controls.checked(known["clip"], "somewhere/else", place.catalogue, place.root)
    assert controls.checked(known["clip"], "clip-mini:0.5,tiny-resnet@0.5", place.catalogue, place.root)
    with pytest.raises(UserError, match="uploads"):
        controls.checked(known["init"], str(picture(tmp_path / "x.png")), place.catalogue, place.root)
    kept = uploads.keep(place.root, tmp_path / "x.png")
    assert controls.checked(known["init"], str(kept), place.catalogue, place.root) == str(kept)


@pytest.mark.parametrize("method", METHODS)
def test_every_setting_of_every_method_has_a_control_that_gives_its_default(method, place):
    shown = studio.own_options(method)
    boxes = [controls.control(option, option.default, place.catalogue, place.root) for option in shown]
    given = controls.values(shown, [box.value for box in boxes], place.catalogue, place.root)
    fixed = ["a fox", "", None, 1, method, None, "4:3", 64, 3, None, False]
    drawn = {"method": method, "names": [option.name for option in shown], "filled": {}}
    wanted = order.order(place, fixed, drawn, [box.value for box in boxes])
    assert wanted.values == {"size": (64, 48), "seed": 3}, "defaults are left to the method and its presets"
    for option in shown:
        value = given.get(option.name)
        assert value is None or value == option.default or value == show(option.default), option.name
        assert value is not None or option.default in (None, False) or show(option.default) == "", option.name


def test_settings_that_were_drawn_for_another_method_are_refused(place):
    fixed = ["a fox", "", None, 1, "pixels", 2, "square", 32, 7, None, True]
    with pytest.raises(UserError, match="still being drawn"):
        order.order(place, fixed, {"method": "fourier", "names": ["decay"], "filled": {}}, [1.0])
    filled = {"method": "fourier", "decay": 2.0}
    assert "decay" not in order.order(place, fixed, {"method": None, "names": [], "filled": filled}, []).values


def test_a_method_that_wants_a_folder_or_a_kept_network_is_offered_once_there_is_one(place, models, monkeypatch):
    wanting = set(METHODS) - set(place.offered())
    assert wanting == {name for name in METHODS if studio._wants_folder(name)} and wanting
    name = next(iter(wanting))
    kept = next(iter(models.manifest.values()))
    monkeypatch.setattr(type(place), "known", {"mine": replace(kept, name="mine", kind="restyler")})
    assert name in place.offered()
    option = next(option for option in studio.own_options(name) if option.name == "restyler")
    assert controls.control(option, None, place.catalogue, place.root).choices == [("mine", "mine")]


def test_an_opened_run_brings_its_settings_but_no_files_of_a_command_line(tmp_path):
    home = tmp_path / uploads.FOLDER
    settings = {"mask": "/home/me/mask.png", "style": str(home / "a.png"), "steps": 7}
    kept = ask.filled(tmp_path, {"method": "pixels", "settings": settings})
    assert kept == {"style": str(home / "a.png"), "steps": 7, "method": "pixels"}
    assert ask.steps("pixels", filled=kept)["value"] == 7 and ask.steps("pixels", "draft")["value"] == 30


def test_words_weights_negatives_and_images_reach_the_run(place, tmp_path):
    image, start = picture(tmp_path / "a.png"), str(uploads.keep(place.root, picture(tmp_path / "b.png")))
    fixed = ["a fox:2 | snow", "text | blurry", [str(image)], 0.5, "pixels", 2, "square", 32, 7, start, True]
    drawn = {"method": "pixels", "names": ["cutouts"], "filled": {"method": "pixels", "cutouts": 3, "smooth": 0.5}}
    wanted = order.order(place, fixed, drawn, [2])
    assert [wanted.values[name] for name in ("steps", "cutouts", "smooth")] == [2, 2, 0.5]
    assert wanted.texts[:3] == ["a fox:2 | snow", "text:-0.3", "blurry:-0.3"] and wanted.texts[3].endswith(".png:0.5")
    job = place.start(wanted.texts, wanted.method, wanted.values)
    until(lambda: job.over)
    assert job.state == "done", job.error
    assert job.run.recipe["settings"]["init"] == start and job.run.recipe["settings"]["seed"] == 7
    assert [prompt.weight for prompt in job.planned.brief.prompts] == [2, 1, -0.3, -0.3, 0.5] and job.run.frames()


def test_a_weight_in_leave_out_says_how_much_more_than_usual(tmp_path):
    texts = studio.texts(tmp_path, "", "blurry:2 | text | at 12:30 | fog:-0.5:1")
    assert texts == ["blurry:-0.6", "text:-0.3", "at 12:30:-0.3", "fog:-0.5:1"]
    prompts = parse_prompts(texts)
    assert [(prompt.text, prompt.weight) for prompt in prompts[:3]] == [
        ("blurry", -0.6),
        ("text", -0.3),
        ("at 12:30", -0.3),
    ]


def test_an_opened_run_keeps_its_size_until_the_form_is_told_another(place):
    for full in ((2048, 1024), (200, 100), (300, 300), (32, 32), (256, 144)):
        aspect, side = order.nearest(full)
        assert order.SIDES[0] <= side <= order.SIDES[1]
        drawn = {"method": None, "names": [], "filled": {"method": "fourier", "size": list(full)}}
        fixed = ["a fox", "", None, 1, "pixels", 2, aspect, side, 7, None, True]
        assert order.order(place, fixed, drawn, []).values["size"] == full
        fixed[7] = 512
        assert order.order(place, fixed, drawn, []).values["size"] == order.size(aspect, 512)


def test_continue_knows_the_words_of_a_run_however_they_are_written():
    made = {"method": "pixelart", "prompts": ["a fox", "text:-0.3"], "settings": {"palette": "gameboy"}}
    for texts in (
        ["a fox", "text:-0.3"],
        ["a fox | text:-0.3"],
        ["a fox #gameboy", "text:-0.30"],
        [" a fox:1|text :-0.3"],
    ):
        assert order.asks_for(texts, made), texts
    for texts in (["a fox"], ["a fix | text:-0.3"], ["a fox #nes", "text:-0.3"], ["a fox #ink", "text:-0.3"], []):
        assert not order.asks_for(texts, made), texts
    assert order.asks_for([], made | {"prompts": []})


def test_a_recipes_own_settings_make_it_again_over_http(place):
    made = place.start(["a fox"], "pixels", {"size": (32, 32), "steps": 1}).run.recipe["settings"]
    assert None in made.values()
    api = http_api.Endpoints.__new__(http_api.Endpoints)
    api.studio = place
    assert api._job("a fox", "pixels", made, None).run.recipe["settings"] == made
    with pytest.raises(UserError, match="uploads"):
        api._job("a fox", "pixels", {"init": 5}, None)


def test_networks_that_the_user_trained_stand_in_every_list(place):
    weights.keep("mine", "restyler", "trained here", {"restyler.json": b"{}"})
    assert place.catalogue.names("restyler") == ["mine"] and "clipstyler-fast" in place.offered()
    tab = models_tab.Page.__new__(models_tab.Page)
    tab.studio = place
    assert "trained here" in tab.table({})


def test_a_page_over_a_relative_folder_knows_its_uploads(tmp_path, models, monkeypatch):
    monkeypatch.chdir(tmp_path)
    place = web.open_studio(web.Serving(runs=Path("runs"), workers=1), models)
    start = str(uploads.keep(place.root, picture(tmp_path / "a.png")))
    made = place.start([f"@{start}:0.5"], "pixels", {"steps": 0, "size": (32, 32), "init": start}).run.recipe
    assert ask.filled(place.root, made)["init"] and uploads.prompt(made["prompts"][0], place.root)
    place.runner.close()
    with pytest.raises(UserError, match="--workers -1"):
        web.Serving(workers=-1)


def test_sizes_of_shapes_and_variations():
    assert order.size("16:9", 256) == (256, 144) and order.size("square", 64) == (64, 64)
    assert order.shrunk((512, 256)) == (128, 64) and order.shrunk((64, 32)) == (64, 32)
