"""Where a run's figures go."""

import sys
from types import SimpleNamespace

import pytest

from pretrain import cli
from pretrain.log import open_logs


class FakeRun:
    def __init__(self):
        self.told, self.ended = [], False

    def log(self, values, step):
        self.told.append((step, values))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.ended = True


@pytest.fixture
def wandb(monkeypatch):
    """Weights & Biases as far as it is used."""
    fake = SimpleNamespace(run=FakeRun(), given={})

    def init(**given):
        fake.given = given
        return fake.run

    fake.init = init
    monkeypatch.setitem(sys.modules, "wandb", fake)
    return fake


def test_figures_go_to_both_logs_and_both_are_closed_after_a_fault(tmp_path, wandb):
    with pytest.raises(ZeroDivisionError), open_logs(tmp_path / "run", "mine", {"config": {"steps": 3}}) as log:
        log.add({"loss/softmax": 2.0, "scale": 14.0}, 1)
        1 / 0  # noqa: B018
    assert wandb.run.told == [(1, {"loss/softmax": 2.0, "scale": 14.0})] and wandb.run.ended
    assert wandb.given["project"] == "mine" and wandb.given["name"] == "run"
    assert wandb.given["config"] == {"config": {"steps": 3}}
    assert scalars(tmp_path / "run" / "log") == {"loss/softmax": [(1, 2.0)], "scale": [(1, 14.0)]}


def scalars(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder))
    events.Reload()
    return {tag: [(e.step, e.value) for e in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def test_without_a_project_there_is_tensorboard_alone(tmp_path, wandb):
    with open_logs(tmp_path, None, {}) as log:
        log.add({"scale": 1.0}, 2)
    assert not wandb.given and scalars(tmp_path / "log") == {"scale": [(2, 1.0)]}


def test_a_missing_package_is_one_line_before_anything_is_read(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "wandb", None)
    words = ["--shards", "nowhere", "--start", "nowhere", "--out", str(tmp_path / "run"), "--wandb", "mine"]
    assert cli.main(["train", *words]) == 2
    assert capsys.readouterr().err == "--wandb needs Weights & Biases; run: pip install wandb, or leave --wandb out\n"
    assert not (tmp_path / "run").exists()
