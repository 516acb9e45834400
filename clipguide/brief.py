"""What the user asks for: prompts, their grammar, and the picture's frame.

Grammar.  `|` stands between prompts that act at once, ` ^ ` between the chapters of a story, which follow each other.
A prompt may end in `:weight` and `:weight:stop`.
    a fox:1.5                 a weight; below 0 the picture moves away from the text
    a fox:1:0.4               no more pull once the loss is below 0.4 (see `Prompt.stop`)
    blurry:-0.3:1             no more push once it is above 1
    @style.png:0.5            an image as the prompt
    a fox | blurry:-0.3       two prompts
    a seed ^ a tree | spring  a story: one prompt, then two
A colon counts only when a number ends the prompt after it, so `Star Wars: a new hope` and `C:\\fox.png` stay whole;
between two digits (`at 12:30`, `16:9`) and before an address's port (`see http://host:80`) it is part of a text too: to
weigh such a text put a space before the colon (`at 12:30 :2`).  `\\|` is a plain bar; `^` is plain unless spaces stand
around it.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from clipguide.errors import UserError

NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
COLON = r"(?P<space>\s*):\s*"
SINCE = re.compile(rf"(?P<judge>[^@]+?)\s*@\s*(?P<since>{NUMBER})")
WEIGHTED = re.compile(rf"(?P<text>.*?){COLON}(?P<weight>{NUMBER})", re.DOTALL)
STOPPED = re.compile(rf"(?P<text>.*?){COLON}(?P<weight>{NUMBER})\s*:\s*(?P<stop>{NUMBER})", re.DOTALL)
ADDRESS = re.compile(r"\w+://")
IMAGE = re.compile(r"((?:^|(?<!\\)\||(?<!\S)\^(?=\s))\s*@)")  # up to where an image prompt's path begins
MAX_WEIGHT = 100.0
MAX_STOP = math.pi**2 / 2  # of opposite vectors

TEMPLATES: dict[str, tuple[str, ...]] = {
    "none": ("{}",),
    "picture": ("{}", "a picture of {}", "an image of {}", "{} in the middle of the picture"),
    "photo": ("{}", "a photo of {}", "a good photo of {}", "a close photo of {}", "a photo of one {}"),
    "painting": ("{}", "a painting of {}", "a colourful painting of {}", "art showing {}"),
}


@dataclass(frozen=True, slots=True)
class Prompt:
    """One thing that is asked for: a text, or an image file, with its weight.

    stop: the loss (half the squared angle to the prompt, in rad^2; 1.2 is a right angle) under which the pull ends, or,
    for a negative weight, above which the push ends; 0: never.
    """

    text: str = ""
    image: Path | None = None
    weight: float = 1.0
    stop: float = 0.0
    chapter: tuple[int, int] = (0, 1)

    @property
    def name(self) -> str:
        return self.text if self.image is None else f"@{self.image.name}"


@dataclass(frozen=True, slots=True)
class Brief:
    """Everything about a picture that is no method's own setting.

    size: (width, height) in px.  batch: pictures at once.  seconds: a budget that replaces the method's steps.
    init: an image file to start from.  resume: a `Step.state()`.
    """

    prompts: tuple[Prompt, ...]
    size: tuple[int, int] = (256, 256)
    seed: int = 0
    batch: int = 1
    seconds: float | None = None
    init: Path | None = None
    resume: dict | None = None

    def rng(self) -> torch.Generator:
        """The dice of the start: a CPU generator, apart from the one that the loop rolls."""
        return torch.Generator().manual_seed(self.seed)


def parse_prompts(texts: Sequence[str]) -> tuple[Prompt, ...]:
    """Every prompt of every text.  UserError when one is empty, or when all weights are 0."""
    prompts = tuple(prompt for text in texts for prompt in _story(text))
    if not prompts:
        raise UserError("no prompt was given; say what to draw, for example: clipguide generate 'a red fox'")
    if not any(prompt.weight for prompt in prompts):
        raise UserError("every prompt has weight 0, so nothing is asked for; give one a weight above 0")
    return prompts


def _story(text: str) -> Iterator[Prompt]:
    """The prompts of every chapter."""
    chapters = parts(text)
    for number, chapter in enumerate(chapters):
        for part in chapter:
            yield replace(parse_prompt(part.replace("\\|", "|")), chapter=(number, len(chapters)))


def parts(text: str) -> list[list[str]]:
    """The prompts of each chapter as they were written."""
    return [re.split(r"(?<!\\)\|", chapter) for chapter in re.split(r"(?:^|(?<=\s))\^(?=\s|$)", text)]


def placed(text: str, folder: Path | None = None) -> str:
    """The text with absolute paths of its image prompts, from `folder` or from here: it means the same everywhere."""
    head, *rest = IMAGE.split(text)
    folder = folder or os.getcwd()
    return head + "".join(
        os.path.join(folder, os.path.expanduser(part))
        if number % 2 and part.strip() and not ADDRESS.match(part)
        else part
        for number, part in enumerate(rest)
    )


def told(prompts: Sequence[Prompt], progress: float) -> tuple[Prompt, ...]:
    """The prompts of the chapters that are told at that progress in [0, 1], and those that stand in no story."""
    return tuple(p for p in prompts if p.chapter[0] == min(int(progress * p.chapter[1]), p.chapter[1] - 1))


def parse_prompt(part: str) -> Prompt:
    """One prompt of the grammar above."""
    text, weight, stop = _weighed(part.strip())
    if not text or text == "@":
        raise UserError(f"the prompt '{part}' is empty; write some words, or @FILE for an image")
    if not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text):
        raise UserError(f"the prompt {part!a} holds bytes that are no text; write it in UTF-8")
    if not math.isfinite(weight) or abs(weight) > MAX_WEIGHT:
        raise UserError(f"the prompt '{part}' has weight {weight:g}; weights lie between -100 and 100")
    if not 0 <= stop <= MAX_STOP:
        raise UserError(f"the prompt '{part}' stops at {stop:g}; a stop lies between 0 and {MAX_STOP:.1f}")
    if not text.startswith("@"):
        return Prompt(text=text, weight=weight, stop=stop)
    return Prompt(image=_image_file(text[1:]), weight=weight, stop=stop)


def _weighed(text: str) -> tuple[str, float, float]:
    """-> (text, weight, stop)."""
    for pattern in (STOPPED, WEIGHTED):
        match = pattern.fullmatch(text)
        if match and not _colon_is_text(match):
            stop = match["stop"] if pattern is STOPPED else 0
            return match["text"].strip(), float(match["weight"]), float(stop)
    return text, 1.0, 0.0


def _colon_is_text(match: re.Match[str]) -> bool:
    text = match["text"]
    if match["space"] or not match["weight"][0].isdigit():
        return False
    port = re.search(r"(?<!\w)\w+://[^/\s]*$", text)
    return bool(port or (text[-1:].isdigit() and not text.startswith("@")))


def _image_file(name: str) -> Path:
    if ADDRESS.match(name):
        raise UserError(f"the image prompt '{name}' is an address; save the picture and give @FILE")
    path = Path(os.path.expanduser(name))
    if not path.is_file():
        raise UserError(f"the image prompt '{name}' is no file here; give @FILE with a picture that exists")
    return path


def split_weight(text: str) -> tuple[str, float]:
    """'name:0.5' -> ('name', 0.5); the weight is 1 where none is given.  For lists of encoders.

    UserError when the name is empty.
    """
    match = WEIGHTED.fullmatch(text.strip())
    name, weight = (match["text"].strip(), float(match["weight"])) if match else (text.strip(), 1.0)
    if not name:
        raise UserError(f"'{text}' names nothing; write NAME or NAME:WEIGHT, joined by commas")
    return name, weight


def split_since(text: str) -> tuple[str, float, float]:
    """'name:0.5@0.3' -> ('name', 0.5, 0.3); judges without @ count from 0 on.

    UserError as `split_weight`, and for a share that is not from 0 to below 1.
    """
    late = SINCE.fullmatch(text.strip())
    if late and not 0 <= float(late["since"]) < 1:
        raise UserError(f"'{text.strip()}': after @ stands a share of the run, from 0 to below 1, as in NAME:0.5@0.2")
    return *split_weight(late["judge"] if late else text), float(late["since"]) if late else 0.0
