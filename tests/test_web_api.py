"""The page as it is served: its HTTP API, its files, and many visitors at once."""

import threading
from pathlib import Path

import pytest

pytest.importorskip("gradio")

from doubles import TinyModels
from PIL import Image
from studios import PATIENCE, SMALL, until

from apps import http_api, uploads, web
from clipguide import images
from clipguide.errors import UserError


def test_others_only_enter_with_a_password():
    for asked in ({"share": True}, {"host": "0.0.0.0"}, {"host": "192.168.0.7"}, {"host": "example.org"}):
        with pytest.raises(UserError, match="--auth"):
            web.Serving(**asked)
        web.Serving(**asked, auth=("me", "secret"))
    for host in ("127.0.0.1", "localhost", "::1"):
        web.Serving(host=host)


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A page that is served on any free port: (address, studio, folder)."""
    folder = tmp_path_factory.mktemp("served")
    serving = web.Serving(port=0, runs=folder / "runs", workers=1)
    place = web.open_studio(serving, TinyModels())
    page = web.launch(place, serving, block=False)
    yield page.local_url, place, folder
    page.close()
    place.runner.close()


@pytest.fixture
def client(served):
    from gradio_client import Client

    return Client(served[0], verbose=False)


@pytest.mark.filterwarnings("ignore")
def test_the_api_makes_a_picture_and_finds_it_again(client, served):
    job = client.submit("a fox", "fourier", {"steps": 6, "size": [32, 32], "cutouts": 2}, None, api_name="/make")
    facts, result = job.result(timeout=PATIENCE)
    assert facts["state"] == "done" and facts["step"] == 6 and len(job.outputs()) >= 1
    with Image.open(result) as image:
        assert image.size == (32, 32)
    assert images.metadata(result)["prompts"] == ["a fox"]
    assert facts["run"] in [run["run"] for run in client.predict(api_name="/runs")]
    recipe, files = client.predict(facts["run"], api_name="/run")
    assert recipe["method"] == "fourier" and {Path(file).name for file in files} == {"picture.png", "recipe.json"}


@pytest.mark.filterwarnings("ignore")
def test_the_api_refuses_in_one_line(client, served, tmp_path):
    from gradio_client import handle_file

    text = tmp_path / "text.png"
    text.write_text("no picture")
    for given in (
        ("@/etc/passwd", "fourier", {}, None),
        ("a fox", "fourier", {"init": "/etc/passwd"}, None),
        ("a fox", "fourier", {"clip": "/etc"}, None),
        ("a fox", "clipstyler-fast", {"photos": "/etc"}, None),
        ("a fox", "fourier", {"out": "/tmp/x.png"}, None),
        ("a fox", "nonsense", {}, None),
        ("a fox", "fourier", {"steps": -1}, None),
        ("a fox", "fourier", {"size": [100_000, 100_000]}, None),
        ("", "fourier", {}, None),
        ("a fox", "fourier", {}, handle_file(str(text))),
    ):
        with pytest.raises(Exception) as refused:
            client.predict(*given, api_name="/make")
        assert "\n" not in str(refused.value) and "Traceback" not in str(refused.value)
    with pytest.raises(Exception, match="no run"):
        client.predict("../..", api_name="/run")


@pytest.mark.filterwarnings("ignore")
def test_no_file_beyond_the_runs_is_served_or_taken(served, tmp_path):
    import httpx

    address, place, folder = served
    secret = folder / "secret.txt"
    secret.write_text("secret")
    for path in (secret, folder / "runs/../secret.txt", Path("/etc/passwd"), Path(web.__file__)):
        assert httpx.get(f"{address}gradio_api/file={path}").status_code in (403, 404)
    sent = httpx.post(f"{address}gradio_api/upload", files={"files": ("../../evil.png", b"x", "image/png")})
    assert sent.status_code != 200 or "evil" not in "".join(p.name for p in folder.rglob("evil*"))
    too_large = httpx.post(f"{address}gradio_api/upload", files={"files": ("a.png", b"x" * (uploads.MAX_BYTES + 1024))})
    assert too_large.status_code == 413


@pytest.mark.filterwarnings("ignore")
def test_twenty_visitors_wait_and_none_is_lost(served):
    place = served[1]
    jobs = []

    def visit(seed: int) -> None:
        jobs.append(place.start(["a fox"], "pixels", SMALL | {"seed": seed}))

    threads = [threading.Thread(target=visit, args=(seed,)) for seed in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    until(lambda: all(job.over for job in jobs))
    assert [job.state for job in jobs] == ["done"] * 20 and len({job.name for job in jobs}) == 20
    assert all(job.image is None for job in jobs)


def test_facts_are_json(place):
    import json

    job = place.start(["a fox"], "fourier", SMALL)
    json.dumps(http_api.facts(job))
    until(lambda: job.over)
    json.dumps(http_api.facts(job))
