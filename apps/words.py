"""Settings in the words of the form: names become labels, and flags of the command line become names of fields."""

from __future__ import annotations

import re

NAMES = {"lr": "learning rate", "clip": "CLIP", "svg": "SVG", "init": "start image"}
FLAG = re.compile(r"(?<![\w-])--([a-z][\w-]*)")


def label(name: str, text: str = "") -> str:
    """'mirror_kind' -> 'Mirror kind'.  text: its help; what is written in capitals there is so here."""
    words = [NAMES.get(word, word) for word in name.split("_")]
    words = [word.upper() if re.search(rf"\b{word.upper()}\b", text) else word for word in words]
    said = " ".join(words)
    return said[:1].upper() + said[1:]


def explain(text: str) -> str:
    """A setting's help.  Files are uploads here, so that none is named."""
    text = text.replace(", @FILE", "").replace("@FILE", "image prompts").replace("`", "'")
    text = FLAG.sub(lambda match: f"'{label(match[1].replace('-', '_'))}'", text)
    return text[:1].upper() + text[1:]


def tidy(message: str) -> str:
    """An error's line."""
    return FLAG.sub(lambda match: label(match[1].replace("-", "_")), message)
