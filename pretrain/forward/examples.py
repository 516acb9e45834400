"""What a feed-forward network learns from: small cut-outs, and CLIP's embeddings of their captions, made once."""

from __future__ import annotations

import json
import multiprocessing
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from clipguide.encoders import ClipEncoder
from clipguide.errors import UserError
from pretrain.data import captions
from pretrain.data.compose import fit
from pretrain.data.gather import collect, sprite
from pretrain.data.pair import Pair, phrase
from pretrain.data.split import held_names, side_of
from pretrain.multilingual import LANGUAGES

PICTURES, TEXTS, INDEX = "pictures.npy", "texts.npy", "index.json"
TEXT_BATCH = 256
TAGS = 6  # of a pair, each of which makes a caption beside its name
MORE = ("a painting of {}", "a cute {}")  # what people ask for, whatever the medium


@dataclass(frozen=True)
class Examples:
    """pictures: uint8 (N, 4, S, S), RGBA.  texts: float16 (M, D), unit norm.  captions: N lists of numbers of texts.

    names: of the styles.  styles: the number of each picture's.
    """

    pictures: NDArray
    texts: NDArray
    captions: list[list[int]]
    names: tuple[str, ...]
    styles: list[int]

    def draw(self, count: int, rng: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Numbers of pictures (B,), the embedding of one caption of each (B, D), and their styles (B,)."""
        chosen = torch.randint(len(self.captions), (count,), generator=rng)
        dice = torch.rand(count, generator=rng).tolist()
        lists = [self.captions[at] for at in chosen.tolist()]
        texts = [told[int(share * len(told))] for told, share in zip(lists, dice, strict=True)]
        return chosen, torch.from_numpy(self.texts[texts]).float(), torch.tensor(self.styles)[chosen]


def gather(folder: Path, sources: Sequence[str], cache: Path, encoder: ClipEncoder, side: int) -> Examples:
    """The examples of `folder`, which are made there of the sources' training part if there are none.

    UserError for what cannot be read, and for examples that were made otherwise.
    """
    asked = {"clip": encoder.name, "side": side, "sources": list(sources)}
    if not (folder / INDEX).is_file():
        _make(folder, asked, cache, encoder)
    told = json.loads((folder / INDEX).read_text(encoding="utf-8"))
    for name, value in asked.items():
        if told[name] != value:
            raise UserError(f"{folder} was made for {name} {told[name]}, not {value}; remove it, or give another --out")
    pictures, texts = (np.load(folder / name) for name in (PICTURES, TEXTS))
    return Examples(pictures, texts, told["captions"], tuple(told["names"]), told["styles"])


def _make(folder: Path, asked: dict, cache: Path, encoder: ClipEncoder) -> None:
    from tqdm import tqdm

    pairs = collect(asked["sources"], cache)
    forbidden = held_names([pair for _, pair in pairs])
    trained = [(source, pair) for source, pair in pairs if side_of(pair) == "train"]
    work = partial(_example, cache=cache, side=asked["side"], forbidden=forbidden)
    with multiprocessing.get_context("fork").Pool() as pool:
        made = list(tqdm(pool.imap(work, trained, chunksize=64), "pictures", total=len(trained)))
    kept = [example for example in made if example is not None]
    if not kept:
        raise UserError("no picture of these sources can be read and trained on; give other --sources")
    numbers: dict[str, int] = {}
    told = [[numbers.setdefault(text, len(numbers)) for text in texts] for _, texts, _ in kept]
    names = sorted({style for _, _, style in kept})
    folder.mkdir(parents=True, exist_ok=True)
    _save(folder / PICTURES, np.stack([picture for picture, _, _ in kept]))
    _save(folder / TEXTS, embedded(list(numbers), encoder))
    index = {**asked, "captions": told, "names": names, "styles": [names.index(style) for _, _, style in kept]}
    (folder / INDEX).write_text(json.dumps(index), encoding="utf-8")  # the last one: it says that all are there


def _example(
    told: tuple[str, Pair], *, cache: Path, side: int, forbidden: frozenset[str]
) -> tuple[NDArray, list[str], str] | None:
    """(RGBA picture (4, S, S), captions, style); None where there is nothing to see or to say."""
    source, pair = told
    texts = captions.without(sayings(pair), forbidden)
    try:
        picture = cut_out(sprite(pair, source, cache), side, whole=pair.medium in ("drawing", "clip art"))
    except Exception:  # noqa: BLE001  any reader may fail on a damaged file, and one picture must not end a run
        return None
    if not texts or picture is None:
        return None
    style = f"{source} {pair.style}" if source == "emoji" else source
    return np.asarray(picture, np.uint8).transpose(2, 0, 1), texts, style


def cut_out(picture: Image.Image, side: int, whole: bool) -> Image.Image | None:
    """RGBA, square: a thing as large as fits and in the middle, a picture without ground whole or its middle square.

    None for a picture in which nothing shows.
    """
    if picture.mode == "RGBA":
        box = picture.getchannel("A").getbbox()
        if box is None:
            return None
        picture, room, ground = picture.crop(box), side - side // 10, (0, 0, 0, 0)
    else:
        picture, room, ground = picture.convert("RGB"), side, (255, 255, 255, 255)
        if not whole:
            least = min(picture.size)
            left, top = (picture.width - least) // 2, (picture.height - least) // 2
            picture = picture.crop((left, top, left + least, top + least))
    board, fitted = Image.new("RGBA", (side, side), ground), fit(picture, room)
    board.paste(fitted, ((side - fitted.width) // 2, (side - fitted.height) // 2))
    return board


def sayings(pair: Pair) -> list[str]:
    """All that a pair can be asked for with: its captions, in templates, with its tags, in other languages."""
    name, first = captions.name_of(pair), phrase(pair.captions["en"][0])
    texts = [name, *(phrase(text) for text in pair.captions["en"])]
    if not captions.is_sentence(name):
        texts += [template.format(name) for template in captions.TEMPLATES[pair.medium][:3]]
        texts += [template.format(named) for template, named in zip(MORE, (name, first), strict=True)]
    if "action" not in pair.tags:
        texts += [f"{first}, {tag}" for tag in pair.tags[:TAGS]]
    texts += [phrase(text) for language in LANGUAGES for text in pair.captions.get(language, ())[:1]]
    return [text for text in dict.fromkeys(texts) if text]


def embedded(texts: Sequence[str], encoder: ClipEncoder) -> NDArray:
    """float16 (M, D), unit norm."""
    from tqdm import tqdm

    order = sorted(range(len(texts)), key=lambda at: len(texts[at]))  # a batch is padded to its longest text
    found: list[NDArray] = [np.empty(0)] * len(texts)
    for first in tqdm(range(0, len(order), TEXT_BATCH), "texts"):
        batch = order[first : first + TEXT_BATCH]
        vectors = encoder.encode_text([texts[at] for at in batch]).half().cpu().numpy()
        for at, vector in zip(batch, vectors, strict=True):
            found[at] = vector
    return np.stack(found)


def _save(path: Path, values: NDArray) -> None:
    scratch = path.with_name(f".{path.name}")
    np.save(scratch, values)
    os.replace(scratch, path)
