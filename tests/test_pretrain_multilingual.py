"""New rows for words of other languages, on a tiny BERT; no old weight and no English cut may move."""

import json
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from doubles import PREPROCESS, VIT, tiny_checkpoints

from clipguide.models.bert import BertConfig
from clipguide.models.clip import TOKENIZER, build_network, open_folder
from pretrain import cli, multilingual, vocabulary
from pretrain.grown import first_rows
from pretrain.models import write_folder
from pretrain.multilingual import Label, spoken

ENGLISH = ["a", "red", "blue", "house", "bicycle", "star", "of"]
LETTERS = "bcdefghijklmnopqrstuvwxyz"
PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *ENGLISH, *LETTERS, "##a", *(f"##{letter}" for letter in LETTERS)]
LABELS = [
    Label("de", "rot", "red"), Label("de", "rotes Haus", "red house"), Label("de", "Haus", "house"),
    Label("de", "Fahrrad", "bicycle"), Label("de", "blaues Fahrrad", "blue bicycle"), Label("de", "stare", "star"),
    Label("ja", "自転車", "bicycle"), Label("ja", "赤い自転車", "red bicycle"), Label("ja", "星", "star"),
    Label("ja", "赤い星", "red star"),
]  # fmt: skip
PROTECTED = ["red house", "a stare of red stars"]


def stored_tokenizer():
    """What a BERT's tokenizer.json says, with a small vocabulary."""
    marks = {mark: {"id": mark, "ids": [PIECES.index(mark)], "tokens": [mark]} for mark in ("[CLS]", "[SEP]")}
    ends = [{"SpecialToken": {"id": mark, "type_id": 0}} for mark in marks]
    single = [ends[0], {"Sequence": {"id": "A", "type_id": 0}}, ends[1]]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": {
            "type": "BertNormalizer",
            "clean_text": True,
            "handle_chinese_chars": True,
            "strip_accents": None,
            "lowercase": True,
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {"type": "TemplateProcessing", "single": single, "pair": single, "special_tokens": marks},
        "decoder": None,
        "model": {
            "type": "WordPiece",
            "unk_token": "[UNK]",
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
            "vocab": {piece: at for at, piece in enumerate(PIECES)},
        },
    }


@pytest.fixture
def begin(tmp_path):
    config = {"embed_dim": 8, "vision_cfg": VIT, "text_cfg": {"hf_model_name": "tiny", "context_length": 16}}
    bert = BertConfig(
        vocab_size=len(PIECES), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16
    )
    torch.manual_seed(0)
    model = build_network(config, bert)
    torch.nn.init.normal_(model.text.transformer.embeddings.word_embeddings.weight)
    file = tmp_path / TOKENIZER
    file.write_text(json.dumps(stored_tokenizer()))
    write_folder(tmp_path / "start", model, config, PREPROCESS, file)
    return tmp_path / "start"


@pytest.fixture
def learned(begin, tmp_path, monkeypatch):
    """The folder that the command makes, its pairs and protected texts replaced by those above."""
    monkeypatch.setattr(multilingual, "read_labels", lambda cache: LABELS)
    monkeypatch.setattr(multilingual, "english_texts", lambda labels: PROTECTED)
    out = tmp_path / "out"
    given = ["--start", str(begin), "--out", str(out), "--words", "20", "--minutes", "0.02", "--lr", "0.02"]
    assert cli.main(["multilingual", *given]) == 0
    return out


def cut(stored, text):
    return vocabulary.opened(stored).encode(text, add_special_tokens=False).tokens


def test_japanese_is_cut_by_script_and_english_as_before():
    before = stored_tokenizer()
    runs = vocabulary.with_words(vocabulary.split_scripts(before), ["自転車", "に", "##車"])
    assert cut(runs, "自転車に") == ["自転車", "に"]
    assert cut(runs, "自転車車") == ["自転車", "##車"]
    assert cut(runs, "A red-blue star!") == cut(before, "A red-blue star!")
    assert len(before["model"]["vocab"]) == len(PIECES)


def test_words_are_chosen_in_turn_and_none_that_changes_an_english_cut():
    labels = {name: [label.text for label in LABELS if label.language == name] for name in ("de", "ja")}
    words = vocabulary.choose_words(vocabulary.split_scripts(stored_tokenizer()), labels, PROTECTED, 100)
    assert {"fahrrad", "rot", "自転車", "星"} <= set(words)
    assert "stare" not in words  # it would be found in "a stare"
    assert set(words[:2]) == {"haus", "星"}
    assert vocabulary.choose_words(vocabulary.split_scripts(stored_tokenizer()), labels, PROTECTED, 3) == words[:3]


def test_parts_of_long_chinese_words_are_written_as_continuations():
    assert set(vocabulary.parts("山地车")) == {"山", "山地", "##地", "##地车", "##车"}
    assert vocabulary.parts("fahrrad") == vocabulary.parts("星") == []


def test_alignment_tells_which_word_means_which():
    """1 stands for red and 2 for house, though every label of 2 also has 1."""
    table = vocabulary.translations([([1], [10]), ([1, 2], [10, 20]), ([1, 3], [10, 30]), ([1], [10])])
    assert max(table[1], key=table[1].get) == 10
    assert table[2][20] > 0.8 and table[3][30] > 0.8


def test_a_row_begins_as_its_translation():
    old = torch.randn(len(PIECES), 16, generator=torch.Generator().manual_seed(0))
    words = ["fahrrad", "星", "unseen"]
    grown = vocabulary.with_words(vocabulary.split_scripts(stored_tokenizer()), words)
    rows = first_rows(old, grown, words, [(label.text, label.english) for label in LABELS])
    assert F.cosine_similarity(rows[0], old[PIECES.index("bicycle")], dim=0) > 0.9
    assert F.cosine_similarity(rows[1], old[PIECES.index("star")], dim=0) > 0.9
    assert torch.equal(rows[2], old.mean(0))


def test_foreign_labels_come_near_and_english_stays(begin, learned):
    before, after = open_folder(begin), open_folder(learned)
    old, new = before.model.state_dict(), after.model.state_dict()
    rows = "text.transformer.embeddings.word_embeddings.weight"
    assert len(new[rows]) > len(old[rows]) and torch.equal(new[rows][: len(PIECES)], old[rows])
    assert all(torch.equal(new[name], old[name]) for name in old if name != rows)
    texts = ["a red house", "blue star"]
    assert torch.equal(after.tokenise(texts), before.tokenise(texts))

    def near(opened, label):
        pooled = opened.model.text.pool
        return F.cosine_similarity(
            pooled(opened.tokenise([label.text])), pooled(opened.tokenise([label.english]))
        ).item()

    with torch.no_grad():
        bicycles = [label for label in LABELS if "bicycle" in label.english]
        assert min(near(after, label) for label in bicycles) > 0.97
        assert max(near(before, label) for label in bicycles) < 0.9


def test_rows_are_taken_to_a_clip_that_shares_the_text_tower(begin, learned, tmp_path):
    from clipguide.models.clip import CONFIG
    from pretrain.models import write_folder as write

    opened = open_folder(begin)
    with torch.no_grad():
        opened.model.visual.conv1.weight.add_(1)  # as if its image tower had been trained on
    config = json.loads((begin / CONFIG).read_text())
    write(tmp_path / "trained", opened.model, config["model_cfg"], config["preprocess_cfg"], begin / TOKENIZER)
    given = [
        "multilingual",
        "--start",
        str(tmp_path / "trained"),
        "--out",
        str(tmp_path / "both"),
        "--rows",
        str(learned),
    ]
    assert cli.main(given) == 0
    both, rows = open_folder(tmp_path / "both"), open_folder(learned)
    texts = [label.text for label in LABELS]
    assert torch.equal(both.model.encode_text(both.tokenise(texts)), rows.model.encode_text(rows.tokenise(texts)))
    assert torch.equal(both.model.visual.conv1.weight, open_folder(tmp_path / "trained").model.visual.conv1.weight)


def test_rows_of_another_text_tower_are_refused(begin, learned, tmp_path, capsys):
    from safetensors.torch import load_file, save_file

    file = begin / "open_clip_model.safetensors"
    weights = load_file(file)
    weights["text.transformer.embeddings.LayerNorm.bias"] += 1
    save_file(weights, file)
    capsys.readouterr()
    assert cli.main(["multilingual", "--start", str(begin), "--out", str(tmp_path / "x"), "--rows", str(learned)]) == 2
    told = capsys.readouterr().err
    assert "another text tower" in told and told.count("\n") == 1
    assert not (tmp_path / "x").exists()


def test_only_a_wordpiece_vocabulary_can_grow(tmp_path, capsys):
    start = str(tiny_checkpoints() / "clip-mini")
    assert cli.main(["multilingual", "--start", start, "--out", str(tmp_path / "x")]) == 2
    assert "WordPiece" in capsys.readouterr().err


def test_labels_of_the_test_split_are_left_out(monkeypatch):
    pairs = [
        SimpleNamespace(concept=concept, captions={"en": (concept,), "de": (f"{concept}-de",), "zh-tw": ("x",)})
        for concept in ("cat", "evergreen tree")
    ]
    monkeypatch.setattr(multilingual, "load", lambda name: SimpleNamespace(pairs=lambda cache: pairs))
    assert multilingual.read_labels(None) == [Label("de", "cat-de", "cat")]
    assert [spoken(code) for code in ("pt-br", "zh-cn", "zh-tw", "ja")] == ["pt", "zh", "zh-hant", "ja"]
