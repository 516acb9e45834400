"""The start of clip-mini-b: a shortened text tower that still understands, and heads that fit pairs."""

import json

import pytest
import torch
import torch.nn.functional as F
from doubles import TinyModels  # noqa: F401  one thread

from clipguide.models.bert import BertConfig, BertText
from pretrain import short_text, vocabulary
from pretrain.align_pairs import fit_heads

MARKS = {"[PAD]": 0, "[unused0]": 1, "[UNK]": 2, "[CLS]": 3, "[SEP]": 4}
PIECES = ["a", "s", "t", "r", "##a", "##s", "##t", "##r", "##e", "é", "the", "star", "house", "tram", "##tar"]


def stored_tokenizer():
    """BERT's tokenizer.json with twenty pieces."""
    vocab = MARKS | {piece: len(MARKS) + at for at, piece in enumerate(PIECES)}
    special = [{"id": at, "content": mark, "special": True} for mark, at in MARKS.items() if "unused" not in mark]
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    sign = [{"SpecialToken": {"id": mark, "type_id": 0}} for mark in ("[CLS]", "[SEP]")]
    single = [sign[0], {"Sequence": {"id": "A", "type_id": 0}}, sign[1]]
    marks = {mark: {"id": mark, "ids": [MARKS[mark]], "tokens": [mark]} for mark in ("[CLS]", "[SEP]")}
    normalise = {"clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": True}
    words = {"unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [token | flags for token in special],
        "normalizer": {"type": "BertNormalizer"} | normalise,
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {"type": "TemplateProcessing", "single": single, "pair": single, "special_tokens": marks},
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        "model": {"type": "WordPiece", "vocab": vocab} | words,
    }


def cut(stored, text):
    return vocabulary.opened(stored).encode(text)


def test_marks_letters_and_used_words_are_kept_then_frequent_ones():
    stored = stored_tokenizer()
    names = {number: piece for piece, number in stored["model"]["vocab"].items()}
    kept = [names[number] for number in short_text.choose_pieces(stored, ["a tram", "tram"], 15)]
    letters = [piece for piece in PIECES if len(piece.removeprefix("##")) == 1 and piece != "é"]
    assert set(kept) == {"[PAD]", "[UNK]", "[CLS]", "[SEP]", *letters, "tram", "the"}
    everything = short_text.choose_pieces(stored, ["tram"], 100)
    assert everything == sorted(everything) and names[1] not in {names[number] for number in everything}


def test_a_word_left_out_is_cut_into_its_pieces_and_the_marks_are_found_again():
    stored = stored_tokenizer()
    kept = short_text.choose_pieces(stored, ["a house"], 14)
    short = short_text.with_pieces(stored, kept)
    assert cut(stored, "star").tokens == ["[CLS]", "star", "[SEP]"]
    assert cut(short, "star").tokens == ["[CLS]", "s", "##t", "##a", "##r", "[SEP]"]
    encoding = cut(short, "a house")
    assert [kept[number] for number in encoding.ids] == cut(stored, "a house").ids
    assert max(short["model"]["vocab"].values()) == len(kept) - 1
    assert json.dumps(stored) == json.dumps(stored_tokenizer())


def bert(layers):
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=20, hidden_size=16, num_hidden_layers=layers, num_attention_heads=2, intermediate_size=16
    )
    text = BertText(config, 4, "linear").eval()
    torch.nn.init.normal_(text.transformer.embeddings.word_embeddings.weight)
    return text


def test_shortening_keeps_rows_first_positions_and_layers_at_even_distances():
    whole, text = bert(6), bert(6)
    short_text.shorten(text, [0, 3, 4, 7], layers=3, positions=8)
    old, new = whole.transformer, text.transformer
    assert torch.equal(new.embeddings.word_embeddings.weight, old.embeddings.word_embeddings.weight[[0, 3, 4, 7]])
    assert torch.equal(new.embeddings.position_embeddings.weight, old.embeddings.position_embeddings.weight[:8])
    for mine, theirs in zip(new.encoder.layer, (0, 2, 5), strict=True):
        assert torch.equal(mine.output.dense.weight, old.encoder.layer[theirs].output.dense.weight)
    assert (text.config.vocab_size, text.config.num_hidden_layers, text.config.max_position_embeddings) == (4, 3, 8)
    BertText(text.config, 4, "linear").load_state_dict(text.state_dict())


def test_a_shortened_tower_learns_the_whole_ones_vectors():
    whole, short = bert(4), bert(4)
    short_text.shorten(short, range(20), layers=2, positions=8)
    texts = [f"{a}{b}" for a in "abcdefgh" for b in "abcdefgh"]

    def tokens(words):
        return torch.tensor([[3, 5 + ord(a) % 15, 5 + ord(b) % 15, 4] for a, b in words])

    def distance():
        with torch.no_grad():
            return 1 - F.cosine_similarity(short.pool(tokens(texts)), whole.pool(tokens(texts))).mean()

    before = distance()
    short_text.learn(short, tokens, whole, tokens, texts, 1.0, lambda line: None, lr=3e-3)
    assert distance() < before / 2
    assert not any(p.requires_grad for p in short.parameters())


def test_heads_match_held_out_pairs_that_share_a_cause():
    """Features that are two linear views of the same causes, with a mean and noise: neighbours are found again."""
    rng = torch.Generator().manual_seed(0)
    causes = torch.randn(600, 8, generator=rng)
    images = causes @ torch.randn(8, 24, generator=rng) + 5 + 0.3 * torch.randn(600, 24, generator=rng)
    texts = causes @ torch.randn(8, 12, generator=rng) - 3 + 0.3 * torch.randn(600, 12, generator=rng)
    head, bias, whiten = fit_heads(images[:500], texts[:500])
    found = F.normalize(images[500:] @ head.T + bias) @ F.normalize(texts[500:] @ whiten.T).T
    assert (found.argmax(1) == torch.arange(100)).float().mean() > 0.8
    assert (whiten @ texts[:500].mean(0)).norm() == pytest.approx(0, abs=1e-2)
