"""CLIP folders open offline, equal what was saved, and say what is wrong with a bad one."""

import json

import pytest
import torch
from safetensors.torch import save_file

from clipguide.errors import UserError
from clipguide.models.bert import BertConfig
from clipguide.models.clip import build_network, open_folder, open_name

BERT = BertConfig(
    vocab_size=12,
    hidden_size=8,
    num_hidden_layers=2,
    num_attention_heads=2,
    intermediate_size=16,
    max_position_embeddings=8,
)
VISION = {"layers": 1, "width": 64, "head_width": 32, "patch_size": 16, "image_size": 32}
OWN_TEXT = {"layers": 1, "width": 16, "heads": 2, "vocab_size": 49408, "context_length": 10}


def write_folder(folder, config, bert=None, tokenizer=True):
    """A CLIP of random weights; returns the network as it was before saving in half precision."""
    torch.manual_seed(0)
    model = build_network(config, bert).eval()
    weights = {name: tensor.half().contiguous() for name, tensor in model.state_dict().items()}
    save_file(weights, folder / "open_clip_model.safetensors")
    stored = {"model_cfg": config, "preprocess_cfg": {"mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25]}}
    (folder / "open_clip_config.json").write_text(json.dumps(stored))
    if bert is not None:
        (folder / "config.json").write_text(json.dumps(vars(bert)))
    if tokenizer:
        write_tokenizer(folder / "tokenizer.json")
    return model


def write_tokenizer(path):
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    words = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", "a", "red", "fox", "blue", "car"]
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 2), ("[CLS]", 1))
    tokenizer.save(str(path))


@pytest.fixture
def bert_folder(tmp_path):
    config = {"embed_dim": 6, "vision_cfg": VISION, "text_cfg": {"hf_model_name": "tiny", "context_length": 6}}
    return tmp_path, write_folder(tmp_path, config, BERT)


def test_bert_folder_gives_back_what_was_saved(bert_folder):
    folder, saved = bert_folder
    opened = open_folder(folder)
    assert (opened.size, opened.mean, opened.std, opened.context_length) == (32, (0.5,) * 3, (0.25,) * 3, 6)
    tokens = opened.tokenise(["a red fox", "a car"])
    assert tokens.tolist() == [[1, 4, 5, 6, 2], [1, 4, 8, 2, 0]]
    images = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        assert torch.allclose(opened.model.encode_image(images), saved.encode_image(images), atol=2e-2)
        assert torch.allclose(opened.model.encode_text(tokens), saved.encode_text(tokens), atol=2e-2)
    assert opened.model.encode_text(tokens).shape == (2, 6)
    assert all(p.dtype == torch.float32 for p in opened.model.parameters())


def test_padding_changes_no_text(bert_folder):
    opened = open_folder(bert_folder[0])
    with torch.no_grad():
        alone = opened.model.encode_text(opened.tokenise(["a car"]))
        beside = opened.model.encode_text(opened.tokenise(["a car", "a red fox"]))[:1]
    assert torch.allclose(alone, beside, atol=1e-6)


def test_long_text_is_cut_and_counted(bert_folder):
    opened = open_folder(bert_folder[0])
    text = "a red fox " * 5
    assert opened.tokenise([text]).shape == (1, 6)
    assert opened.token_count(text) == 17 and opened.token_count("a car") == 4


def test_own_text_transformer_uses_clips_vocabulary_without_a_tokenizer(tmp_path):
    saved = write_folder(tmp_path, {"embed_dim": 6, "vision_cfg": VISION, "text_cfg": OWN_TEXT}, tokenizer=False)
    opened = open_folder(tmp_path)
    tokens = opened.tokenise(["a red fox"])
    assert tokens.shape == (1, 10) and opened.token_count("a red fox") == 5
    with torch.no_grad():
        assert torch.allclose(opened.model.encode_text(tokens), saved.encode_text(tokens), atol=2e-2)


@pytest.mark.parametrize("damage", ["missing", "weights", "config", "model_cfg", "no bert"])
def test_a_bad_folder_is_one_line(bert_folder, damage):
    folder, _ = bert_folder
    if damage == "missing":
        folder = folder / "nowhere"
    if damage == "weights":
        weights = folder / "open_clip_model.safetensors"
        weights.write_bytes(weights.read_bytes()[:500])
    if damage == "config":
        (folder / "open_clip_config.json").write_text("{")
    if damage == "model_cfg":
        (folder / "open_clip_config.json").write_text('{"model_cfg": {"embed_dim": 6}}')
    if damage == "no bert":
        (folder / "config.json").unlink()
    with pytest.raises(UserError) as caught:
        open_folder(folder)
    assert "\n" not in str(caught.value) and str(folder) in str(caught.value)


def test_unknown_names_say_what_there_is():
    with pytest.raises(UserError, match="no model 'ViT-Z'"):
        open_name("ViT-Z", "openai")
    with pytest.raises(UserError, match="one of: openai,"):
        open_name("RN50", "nonsense")


def test_a_local_weights_file_opens_by_the_models_name(tmp_path, monkeypatch):
    import open_clip

    config = {"embed_dim": 6, "vision_cfg": VISION, "text_cfg": OWN_TEXT}
    (tmp_path / "tiny-test.json").write_text(json.dumps(config))
    open_clip.add_model_config(tmp_path / "tiny-test.json")
    saved = write_folder(tmp_path, config)
    opened = open_name("tiny-test", str(tmp_path / "open_clip_model.safetensors"))
    assert opened.size == 32 and opened.context_length == 10 and opened.token_count("a red fox") == 5
    images = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        assert torch.allclose(opened.model.encode_image(images), saved.encode_image(images), atol=2e-2)


def test_weights_trained_with_quick_gelu_get_it(tmp_path, monkeypatch):
    import open_clip

    asked = {}

    def remember(model, pretrained, **options):
        asked.update(options)
        return build_network({"embed_dim": 6, "vision_cfg": VISION, "text_cfg": OWN_TEXT})

    monkeypatch.setattr(open_clip, "create_model", remember)
    monkeypatch.setattr(open_clip, "get_model_preprocess_cfg", lambda model: {})
    monkeypatch.setattr("clipguide.models.clip.fetch", lambda address, cache: tmp_path / "weights.safetensors")
    assert open_name("ViT-B-32", "openai").mean[0] == pytest.approx(0.4815, abs=1e-4)
    assert asked["force_quick_gelu"] is True
    open_name("ViT-B-32", "laion2b_s34b_b79k")
    assert asked["force_quick_gelu"] is False
