"""Whole words of other languages for a WordPiece vocabulary that leave every English text cut as it was.

A text tower trained on English cuts "bicicletta" into syllables that mean nothing to it, and does not know a Japanese
word at all. New rows for whole words cost little and touch no old one.
"""

from __future__ import annotations

import copy
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tokenizers import Tokenizer

PART = 0.4  # what a part is worth beside a whole word: it serves words that are not known, but means less by itself
# Han, Hiragana and Katakana in runs of one script: what comes nearest to words where no spaces are written
RUNS = r"\p{Han}+|\p{Hiragana}+|[\p{Katakana}ー]+"


def split_scripts(stored: Mapping[str, Any]) -> dict[str, Any]:
    """A BERT tokenizer.json whose Chinese and Japanese is cut into runs of one script instead of single characters."""
    stored = copy.deepcopy(dict(stored))
    stored["normalizer"]["handle_chinese_chars"] = False
    runs = {"type": "Split", "pattern": {"Regex": RUNS}, "behavior": "Isolated", "invert": False}
    stored["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [runs, {"type": "BertPreTokenizer"}]}
    return stored


def with_words(stored: Mapping[str, Any], words: Sequence[str]) -> dict[str, Any]:
    """The tokenizer.json with further pieces, numbered from the first free id in the order given."""
    stored = copy.deepcopy(dict(stored))
    vocabulary = stored["model"]["vocab"]
    vocabulary |= {word: len(vocabulary) + at for at, word in enumerate(words)}
    return stored


def opened(stored: Mapping[str, Any]) -> Tokenizer:
    """The tokenizer of a tokenizer.json, without padding and truncation."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_str(json.dumps(stored))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def choose_words(
    stored: Mapping[str, Any], labels: Mapping[str, Sequence[str]], english: Sequence[str], most: int
) -> list[str]:
    """At most `most` new pieces: each language in turn gives its next most frequent word.

    stored: from `split_scripts`; labels: texts by language; english: texts whose cut must not change. A word that would
    turn up in the cut of one of them is left out.
    """
    tokenizer, known = opened(stored), stored["model"]["vocab"]
    ranked = [ranked_pieces(tokenizer, texts, known) for texts in labels.values()]
    in_turn = (word for words in zip_longest(*ranked) for word in words if word is not None)
    words = list(dict.fromkeys(in_turn))
    while harmful := harmful_words(with_words(stored, words), english, len(known)):
        words = [word for word in words if word not in harmful]
    return words[:most]


def harmful_words(extended: Mapping[str, Any], texts: Sequence[str], old: int) -> set[str]:
    """The pieces from id `old` on that the cut of some texts makes use of."""
    cut = opened(extended).encode_batch(list(texts), add_special_tokens=False)
    return {
        token for encoding in cut for token, number in zip(encoding.tokens, encoding.ids, strict=True) if number >= old
    }


def ranked_pieces(tokenizer: Tokenizer, texts: Iterable[str], known: Mapping[str, int]) -> list[str]:
    """The unknown pieces of some texts, the most useful first: whole words, and parts of long words in Han script.

    A word counts by its share of the label, so that a label's only word stands before those of long sentences.
    """
    uses: dict[str, float] = defaultdict(float)
    for text in texts:
        words = tokenizer.pre_tokenizer.pre_tokenize_str(tokenizer.normalizer.normalize_str(text))
        for word, _ in words:
            uses[word] += 1 / len(words)
            for part in parts(word):
                uses[part] += PART / len(words)
    return sorted((word for word in uses if word not in known), key=lambda word: (-uses[word], len(word), word))


def parts(word: str) -> list[str]:
    """The proper parts of 1 to 3 characters of a word in Han script, as WordPiece writes them; none of other words."""
    if not all("\u4e00" <= letter <= "\u9fff" for letter in word):
        return []
    spans = [(a, b) for a in range(len(word)) for b in range(a + 1, min(a + 3, len(word)) + 1) if b - a < len(word)]
    return [("##" if a else "") + word[a:b] for a, b in spans]


def translations(pairs: Sequence[tuple[Sequence[int], Sequence[int]]], rounds: int = 8) -> dict[int, dict[int, float]]:
    """For each foreign piece the probabilities of English pieces: IBM's model 1 (Brown et al. 1993), by expectation.

    pairs: (foreign pieces, English pieces) of labels that mean the same. A null piece in every foreign label takes up
    what all of English has in common.
    """
    null = -1
    table: dict[int, dict[int, float]] = defaultdict(lambda: defaultdict(lambda: 1.0))
    for _ in range(rounds):
        counts: dict[int, dict[int, float]] = defaultdict(lambda: defaultdict(float))
        for foreign, english in pairs:
            sources = {null, *foreign}
            for target in set(english):
                total = sum(table[source][target] for source in sources)
                for source in sources:
                    counts[source][target] += table[source][target] / total
        table = {
            source: defaultdict(float, {target: count / sum(found.values()) for target, count in found.items()})
            for source, found in counts.items()
        }
    return {source: dict(found) for source, found in table.items() if source != null}
