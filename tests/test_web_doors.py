"""Who may talk to the page, and what it says of itself."""

from dataclasses import replace

import pytest

pytest.importorskip("gradio")

import httpx
from doubles import TinyModels
from studios import picture

from apps import controls, guard, studio, web, words
from apps.safety import Screen
from clipguide import images, methods
from clipguide.methods import METHODS
from clipguide.options import OWN_GROUP


@pytest.fixture(scope="module")
def locked(tmp_path_factory):
    """The address of a page behind a password."""
    serving = web.Serving(port=0, runs=tmp_path_factory.mktemp("locked"), workers=1, auth=("me", "secret"))
    place = web.open_studio(serving, TinyModels())
    page = web.launch(place, serving, block=False)
    yield page.local_url
    page.close()
    place.runner.close()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("path", ["config", "gradio_api/info", "gradio_api/file=recipe.json", "gradio_api/queue/join"])
def test_nobody_enters_without_the_password(locked, path):
    assert httpx.get(locked + path).status_code in (401, 405)
    assert httpx.post(f"{locked}login", data={"username": "me", "password": "guess"}).status_code == 400
    with httpx.Client() as visitor:
        assert visitor.post(f"{locked}login", data={"username": "me", "password": "secret"}).status_code == 200
        assert visitor.get(f"{locked}config").status_code == 200


@pytest.mark.filterwarnings("ignore")
def test_other_names_and_other_sites_are_refused(locked):
    port = httpx.URL(locked).port
    for host, status in (("evil.example", 400), (f"evil.example:{port}", 400), (f"localhost:{port}", 200)):
        assert httpx.get(locked, headers={"host": host}).status_code == status, host
    for origin, refused in (("http://evil.example", True), ("null", True), (f"http://127.0.0.1:{port}", False)):
        sent = httpx.post(f"{locked}gradio_api/upload", headers={"origin": origin}, files={"files": ("a", b"x")})
        assert (sent.status_code == 403) is refused, origin


class Red(Screen):
    """Hides what is red."""

    def file(self, path):
        picture = images.read(path)
        return picture if picture[:, 0].mean() > 0.9 else None


@pytest.mark.filterwarnings("ignore")
def test_what_the_filter_hides_is_not_served_by_its_address(tmp_path, models):
    serving = web.Serving(port=0, runs=tmp_path / "runs", workers=1)
    place = replace(web.open_studio(serving, models), screen=Red())
    for name, colour in (("red", "red"), ("blue", "blue")):
        (tmp_path / "runs" / name).mkdir(parents=True)
        picture(tmp_path / "runs" / name / "picture.png", colour=colour)
        (tmp_path / "runs" / name / "video.mp4").write_bytes(b"film")
    page = web.launch(place, serving, block=False)
    for name, status in (("red", 403), ("blue", 200)):
        for file in ("picture.png", "video.mp4"):
            path = f"{page.local_url}gradio_api/file={tmp_path / 'runs' / name / file}"
            assert httpx.get(path).status_code == status, path
    page.close()
    place.runner.close()


def test_names_that_a_browser_may_use():
    assert guard.names("127.0.0.1", share=False) == list(guard.LOOPBACK)
    assert guard.names("studio.example", share=False)[-1] == "studio.example"
    assert guard.names("0.0.0.0", share=False) == guard.names("127.0.0.1", share=True) == ["*"]


def test_settings_speak_the_language_of_the_form():
    assert words.label("mirror_kind") == "Mirror kind" and words.label("lr_points") == "Learning rate points"
    assert words.label("clip") == "CLIP" and words.label("svg", "an SVG drawing") == "SVG"
    assert words.explain("weight of symmetry, as --mirror-kind says") == "Weight of symmetry, as 'Mirror kind' says"
    assert words.tidy("--lr 7: too high; give --init") == "Learning rate 7: too high; give Start image"


@pytest.mark.parametrize("method", METHODS)
def test_no_setting_shows_a_flag_and_each_stands_in_one_group(method):
    shown = studio.own_options(method)
    said = [words.explain(option.help) for option in shown]
    assert not [text for text in said if "--" in text or "@FILE" in text or "`" in text]
    groups = list(controls.grouped(shown))
    assert sorted(option.name for _, members in groups for option in members) == sorted(o.name for o in shown)
    assert [name for name, _ in groups][1:].count(OWN_GROUP) == 0, "the method's own settings come first"


def test_methods_of_packages_appear_and_broken_ones_do_not(monkeypatch, place):
    outside = {"fine": ("clipguide.methods.pixels", "from the package fine")}
    broken = {"broken": ("no.such.module", "from the package broken"), "empty": ("json", "from the package empty")}
    monkeypatch.setattr(methods, "table", lambda: METHODS | outside | broken)
    monkeypatch.setattr(studio, "table", methods.table)
    monkeypatch.setattr("clipguide.plans.table", methods.table)
    assert list(studio.methods()) == [*METHODS, "fine"]
    assert any("fine" in str(block.get("props", {}).get("choices")) for block in web.build(place).config["components"])
