"""What commands share: settings from a YAML file and from flags, where flags win."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from clipguide.errors import UserError
from clipguide.options import Settings, read_yaml


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
    if value is None and (config := _value(words, "--config")) is not None:
        value = read_yaml(Path(config)).get(flag)
    return None if value is None else str(value)


def _value(words: Sequence[str], flag: str) -> str | None:
    for index, word in enumerate(words):
        name, equals, value = word.partition("=")
        if name == flag and (equals or index + 1 < len(words)):
            return value if equals else words[index + 1]
    return None


def prompts(args: argparse.Namespace, values: Mapping[str, Any]) -> list[str]:
    """The prompts that were typed, or those of the YAML file: a text or a list of texts."""
    written = values.get("prompts", [])
    written = [written] if isinstance(written, str) else written
    if not isinstance(written, list) or not all(isinstance(text, str) for text in written):
        raise UserError(f"--config {args.config}: prompts must be a text or a list of texts")
    return list(args.prompts) or written
