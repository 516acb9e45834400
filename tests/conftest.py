"""What every test may use."""

from __future__ import annotations

import pytest
from doubles import TinyModels, make_tick

from clipguide.batch import Crew
from clipguide.cli import main
from clipguide.core import Tick
from clipguide.encoders import ClipEncoder


@pytest.fixture(scope="session")
def models() -> TinyModels:
    """Its encoders are opened once for all tests; they are frozen, so that no test can change them."""
    return TinyModels()


@pytest.fixture
def encoder(models) -> ClipEncoder:
    """The tiny ViT."""
    return models.encoder("clip-mini")


@pytest.fixture
def tick() -> Tick:
    """The first of ten steps, with dice of its own."""
    return make_tick()


@pytest.fixture
def call(capsys, tmp_path, monkeypatch):
    """Runs one command line in an empty folder -> (exit code, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CLIPGUIDE_DATA", str(tmp_path / "data"))  # not the networks that the user trained

    def call(*words):
        code = main([str(word) for word in words])
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


@pytest.fixture
def crew(models) -> Crew:
    """Makes batches in this process."""
    return Crew(models=models)


@pytest.fixture
def place(tmp_path, models, monkeypatch):
    """The web page's studio over an empty folder."""
    from studios import opened  # wants gradio

    monkeypatch.setenv("CLIPGUIDE_DATA", str(tmp_path / "data"))
    with opened(tmp_path / "runs", models) as studio:
        yield studio


@pytest.fixture(scope="session")
def shards(tmp_path_factory):
    """A folder of shards of plain colours, for the suites."""
    from colours import write_shards  # wants what pretraining needs

    return write_shards(tmp_path_factory.mktemp("shards"))


@pytest.fixture
def subject():
    """An encoder that knows colours, before the suites."""
    from colours import ColourEncoder

    from pretrain.evaluate.subject import Subject

    return Subject(ColourEncoder())
