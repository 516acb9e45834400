"""A linear text projection becomes one with a hidden layer that says the same and can learn more."""

import json

import pytest
import torch
import torch.nn.functional as F

from clipguide.models.clip import CONFIG as CONFIG_FILE
from clipguide.models.clip import WEIGHTS, build_network, open_folder
from pretrain.cli import main
from pretrain.configs import PREPROCESS
from pretrain.deepen import deepened
from pretrain.models import write_folder
from tests.test_models_clip import BERT, VISION, write_tokenizer
from tests.test_shared_text import CONFIG, folders

__all__ = ["folders"]


def rng(seed):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("dim", [24, 4, 100])
def test_a_map_of_low_rank_stays_what_it_was(dim):
    """In a hidden layer of 20, which has room for it; of 10, with units to spare; and of 58, all of them."""
    weight = torch.randn(dim, 6, generator=rng(0)) @ torch.randn(6, 16, generator=rng(1))
    vectors, others = torch.randn(200, 16, generator=rng(2)), torch.randn(9, 16, generator=rng(3))
    projection = deepened(weight, vectors)
    torch.testing.assert_close(projection(others), others @ weight.T, atol=1e-4, rtol=1e-4)
    projection(others).square().sum().backward()
    assert (projection[2].weight.grad.abs().sum(0) > 0).all()  # every unit can learn


def test_what_is_cut_off_is_what_the_texts_hardly_have():
    weight = torch.randn(16, 16, generator=rng(0))  # hidden 16: rank 8 can stay
    vectors = torch.randn(300, 16, generator=rng(1)) * torch.tensor([3.0] * 8 + [0.1] * 8)
    left, gains, right = torch.linalg.svd(weight)
    blind = (left[:, :8] * gains[:8]) @ right[:8]  # what is best for vectors that are as wide everywhere
    with torch.no_grad():
        kept = F.cosine_similarity(deepened(weight, vectors)(vectors), vectors @ weight.T).mean()
    assert kept > 0.995 > F.cosine_similarity(vectors @ blind.T, vectors @ weight.T).mean()


def test_the_command_writes_a_clip_that_opens_and_learns(folders, tmp_path):
    first, second, _ = folders
    given = ["deepen", str(second), "--out", str(tmp_path / "deep"), "--text-of", str(first)]
    assert main(given) == 0
    assert json.loads((tmp_path / "deep" / CONFIG_FILE).read_text())["model_cfg"]["text_cfg"]["hf_proj_type"] == "mlp"
    before, deep = open_folder(second), open_folder(tmp_path / "deep")
    tokens = deep.tokenise(["a red fox", "a car"])
    assert [layer.weight.shape for layer in deep.model.text.proj[::2]] == [(7, 8), (6, 7)]
    likeness = F.cosine_similarity(deep.model.encode_text(tokens), before.model.encode_text(tokens))
    assert likeness.min() > 0.8  # three of six dimensions are left in a hidden layer of seven
    assert deep.model.visual.state_dict().keys() == before.model.visual.state_dict().keys()
    deep.model.encode_text(tokens).sum().backward()
    assert all(layer.weight.grad.abs().sum() > 0 for layer in deep.model.text.proj[::2])


def test_open_clips_own_text_tower_has_the_same_projection(tmp_path):
    transformers = pytest.importorskip("transformers")
    from open_clip.hf_model import HFTextEncoder

    transformers.BertConfig(**vars(BERT)).save_pretrained(tmp_path)
    theirs = HFTextEncoder(str(tmp_path), 6, pooler_type="mean_pooler", proj_type="mlp", pretrained=False).eval()
    config = CONFIG | {"text_cfg": CONFIG["text_cfg"] | {"hf_proj_type": "mlp"}}
    ours = build_network(config, BERT).eval()
    own = {name: tensor for name, tensor in theirs.state_dict().items() if name in ours.text.state_dict()}
    ours.text.load_state_dict(own)
    tokens = torch.tensor([[1, 4, 5, 6, 2], [1, 4, 8, 2, 0]])
    with torch.no_grad():
        torch.testing.assert_close(ours.encode_text(tokens), theirs(tokens), atol=1e-5, rtol=1e-4)


def test_other_projections_are_refused_in_one_line(folders, tmp_path, capsys):
    own = {"embed_dim": 6, "vision_cfg": VISION, "text_cfg": {"layers": 1, "width": 16, "heads": 2}}
    write_folder(tmp_path / "own", build_network(own), own, PREPROCESS, None)
    assert main(["deepen", str(folders[0]), "--out", str(tmp_path / "deep")]) == 0
    capsys.readouterr()
    for folder in ("own", "deep"):
        assert main(["deepen", str(tmp_path / folder), "--out", str(tmp_path / "again")]) == 2
        error = capsys.readouterr().err
        assert "no linear projection over a BERT" in error and error.count("\n") == 1
    assert not (tmp_path / "again").exists() and (tmp_path / "deep" / WEIGHTS).exists()


def test_an_unknown_projection_is_named(folders, capsys):
    file = folders[0] / CONFIG_FILE
    file.write_text(file.read_text().replace('"linear"', '"cubic"'))
    write_tokenizer(folders[0] / "tokenizer.json")
    assert main(["deepen", str(folders[0]), "--out", str(folders[0].parent / "deep")]) == 2
    error = capsys.readouterr().err
    assert "'cubic'" in error and "use linear or mlp" in error and error.count("\n") == 1
