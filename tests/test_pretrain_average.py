"""The mean of several CLIPs' weights, as a folder."""

import pytest
import torch

from clipguide.models.clip import WEIGHTS, build_network, open_folder
from pretrain.cli import main
from pretrain.configs import PREPROCESS
from pretrain.models import write_folder
from tests.test_models_clip import BERT
from tests.test_shared_text import CONFIG, folders

__all__ = ["folders"]


def test_the_mean_of_two_networks_is_written_and_opens(folders, tmp_path):
    first, second, _ = folders
    assert main(["average", str(first), str(second), "--out", str(tmp_path / "mean")]) == 0
    one, two, mean = (open_folder(folder).model.state_dict() for folder in (first, second, tmp_path / "mean"))
    assert any(not one[name].equal(two[name]) for name in one if name.startswith("visual"))
    for name, tensor in mean.items():
        if tensor.is_floating_point():
            torch.testing.assert_close(tensor, (one[name] + two[name]) / 2, atol=2e-3, rtol=2e-3)
    assert main(["average", str(second), str(second), "--out", str(tmp_path / "same"), "--text-of", str(first)]) == 0
    assert (tmp_path / "same" / WEIGHTS).read_bytes() == (second / WEIGHTS).read_bytes()


@pytest.mark.parametrize(
    "other, said",
    [
        ("wider", "another network"),
        ("dim", "sees pictures otherwise"),
        ("", "two CLIP folders"),
        ("none", "none"),
    ],
)
def test_what_cannot_be_averaged_is_one_line_and_nothing_is_written(folders, tmp_path, capsys, other, said):
    wide = CONFIG | {"embed_dim": 8}
    write_folder(tmp_path / "wider", build_network(wide, BERT), wide, PREPROCESS, folders[0] / "tokenizer.json")
    dim = PREPROCESS | {"mean": [0.1, 0.1, 0.1]}
    write_folder(tmp_path / "dim", open_folder(folders[1]).model, CONFIG, dim, folders[0] / "tokenizer.json")
    given = [str(folders[0]), *([str(tmp_path / other)] if other else [])]
    assert main(["average", *given, "--out", str(tmp_path / "mean")]) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1 and not (tmp_path / "mean").exists()


def test_a_place_that_cannot_be_written_is_one_line(folders, tmp_path, capsys):
    (tmp_path / "file").write_text("mine")
    given = ["average", str(folders[0]), str(folders[0]), "--out", str(tmp_path / "file" / "mean")]
    assert main(given) == 2
    error = capsys.readouterr().err
    assert "Not a directory" in error and error.count("\n") == 1 and (tmp_path / "file").read_text() == "mine"
