"""Two CLIPs of one text tower: the second folder is small, opens beside the first, and says when it cannot."""

import pytest
import torch

from clipguide.errors import UserError
from clipguide.models.clip import WEIGHTS, build_network, open_folder
from pretrain.cli import main
from pretrain.configs import PREPROCESS
from pretrain.models import write_folder
from tests.test_models_clip import BERT, VISION, write_tokenizer

CONFIG = {
    "embed_dim": 6,
    "vision_cfg": VISION,
    "text_cfg": {"hf_model_name": "tiny", "context_length": 6, "hf_proj_type": "linear"},
}


@pytest.fixture
def folders(tmp_path):
    """(a whole CLIP, another one with the same BERT that is read from the first, its network)."""
    write_tokenizer(tmp_path / "tokenizer.json")
    first, second = build_network(CONFIG, BERT).eval(), build_network(CONFIG, BERT).eval()
    second.text.transformer.load_state_dict(first.text.transformer.state_dict())
    write_folder(tmp_path / "first", first, CONFIG, PREPROCESS, tmp_path / "tokenizer.json")
    write_folder(tmp_path / "second", second, CONFIG, PREPROCESS, None, text_of=tmp_path / "first")
    return tmp_path / "first", tmp_path / "second", second


def test_a_text_tower_is_written_once_and_read_by_both(folders):
    first, second, network = folders
    assert sorted(path.name for path in second.iterdir()) == ["open_clip_config.json", WEIGHTS]
    opened, whole = open_folder(second), open_folder(first)
    tokens = opened.tokenise(["a red fox", "a car"])
    assert tokens.equal(whole.tokenise(["a red fox", "a car"]))
    with torch.no_grad():
        assert torch.allclose(opened.model.encode_text(tokens), network.encode_text(tokens), atol=2e-2)
        assert opened.model.text.pool(tokens).equal(whole.model.text.pool(tokens))
    assert not opened.model.text.proj.weight.equal(whole.model.text.proj.weight)


def test_the_second_that_is_opened_shares_the_tower_of_the_first(folders):
    first, second, _ = folders
    for order in ((first, second), (second, first)):
        towers = {}
        one, two = (open_folder(folder, towers) for folder in order)
        assert one.model.text.transformer is two.model.text.transformer and len(towers) == 1
        alone, tokens = open_folder(order[1]), two.tokenise(["a red fox"])
        assert two.model.encode_text(tokens).equal(alone.model.encode_text(tokens))
    other = first.parent / "first" / "other.safetensors"  # other weights in the same folder are read
    other.write_bytes((first / WEIGHTS).read_bytes())
    assert open_folder(other, towers).model.text.transformer is not one.model.text.transformer


def test_another_text_tower_is_refused_and_nothing_is_written(folders, tmp_path):
    with pytest.raises(UserError, match="another text tower"):
        write_folder(tmp_path / "third", build_network(CONFIG, BERT), CONFIG, PREPROCESS, None, text_of=folders[0])
    assert not (tmp_path / "third").exists()


def test_without_the_other_folder_it_says_which_one_is_missing(folders):
    first, second, _ = folders
    first.rename(first.with_name("gone"))
    with pytest.raises(UserError, match="text tower from 'first'.*beside it"):
        open_folder(second)


@pytest.mark.parametrize("place", ["../first", "/etc", ".", "second"])
def test_only_a_folder_beside_it_is_taken(folders, place):
    config = folders[1] / "open_clip_config.json"
    config.write_text(config.read_text().replace('"first"', f'"{place}"'))
    with pytest.raises(UserError, match="beside it"):
        open_folder(folders[1])


def test_a_tower_that_lies_elsewhere_or_is_no_bert_is_not_shared(folders, tmp_path):
    first, _, network = folders
    own = build_network(CONFIG | {"text_cfg": {"layers": 1, "width": 16, "heads": 2, "vocab_size": 99}})
    for place, model in ((tmp_path / "a" / "b", network), (first, network), (tmp_path / "c", own)):
        with pytest.raises(UserError, match="folder beside it"):
            write_folder(place, model, CONFIG, PREPROCESS, None, text_of=first)
    assert open_folder(first) and not (tmp_path / "a").exists() and not (tmp_path / "c").exists()


def test_one_that_shares_is_not_kept_alone(folders, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("CLIPGUIDE_DATA", str(tmp_path / "data"))
    assert main(["keep", str(folders[1]), "half"]) == 2
    assert "--text-of" in capsys.readouterr().err
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("role", ["--start", "--rows"])
def test_words_are_not_added_to_a_tower_of_another_folder(folders, capsys, tmp_path, role):
    first, second, _ = folders
    roles = {"--start": first, "--rows": first} | {role: second}
    words = [str(part) for pair in roles.items() for part in pair]
    assert main(["multilingual", *words, "--out", str(tmp_path / "grown")]) == 2
    assert "without --text-of" in capsys.readouterr().err and not (tmp_path / "grown").exists()
