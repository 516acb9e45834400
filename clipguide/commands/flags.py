"""What commands share: settings from a YAML file and from flags, where flags win."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from clipguide.errors import UserError
from clipguide.methods import METHODS, table
from clipguide.options import SHORT, Common, Output, Settings, options, read_yaml
from clipguide.plans import method


def add_common(parser: argparse.ArgumentParser) -> None:
    """--config and --json, which every command has that takes settings."""
    parser.add_argument("--config", type=Path, metavar="YAML", help="settings from a file; flags win over it")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout, and nothing else there")


def gather(args: argparse.Namespace, models: Sequence[type[Settings]]) -> dict[str, Any]:
    """The values of --config and, over them, of the flags that were given."""
    names = [name for model in models for name in model.model_fields]
    values = read_yaml(args.config) if args.config else {}
    return values | {name: getattr(args, name) for name in names if hasattr(args, name)}


def typed(words: Sequence[str], flag: str) -> str | None:
    """The value typed for one flag, or in the YAML file that --config names, before all flags are known."""
    value = _value(words, f"--{flag}")
    if value is None:
        value = _configured(words).get(flag)
    return None if value is None else str(value)


def positional(words: Sequence[str]) -> list[str]:
    """The words that are neither flags nor flags' values, before all flags are known."""
    found, is_value = [], False
    for word in words:
        if is_value:
            is_value = False
        elif word.startswith("-"):
            long = word.startswith("--") and "=" not in word
            is_value = word in SHORT.values() or (long and word not in _alone(_value(words, "--method")))
        else:
            found.append(word)
    return found


@cache
def _alone(chosen: str | None) -> frozenset[str]:
    """The flags without a value, of every method and of the chosen one, which may be a plugin's."""
    names = {*METHODS, chosen} if chosen in table() else METHODS
    models = [Common, Output, *(method(name).Settings for name in names)]
    bare = {option.flag for model in models for option in options(model) if option.kind == "bool"}
    return frozenset({"--", "--help", "--json", *bare, *(f"--no-{flag[2:]}" for flag in bare)})


def _value(words: Sequence[str], flag: str) -> str | None:
    for index, word in enumerate(words):
        name, equals, value = word.partition("=")
        if name == flag and (equals or index + 1 < len(words)):
            return value if equals else words[index + 1]
    return None


def _configured(words: Sequence[str]) -> dict[str, Any]:
    """The YAML file that --config names; empty where none is typed."""
    config = _value(words, "--config")
    return {} if config is None else read_yaml(Path(config))


def prompts(args: argparse.Namespace, values: Mapping[str, Any]) -> list[str]:
    """The prompts that were typed, or those of the YAML file: a text or a list of texts."""
    return list(args.prompts) or _written(values, args.config)


def typed_prompts(words: Sequence[str], before: int) -> list[str]:
    """As `prompts`, before all flags are known.  before: how many positional words come before the prompts."""
    return positional(words)[before:] or _written(_configured(words), _value(words, "--config"))


def _written(values: Mapping[str, Any], config: object) -> list[str]:
    written = values.get("prompts", [])
    written = [written] if isinstance(written, str) else written
    if not isinstance(written, list) or not all(isinstance(text, str) for text in written):
        raise UserError(f"--config {config}: prompts must be a text or a list of texts")
    return written
