"""What the Make tab's form asks for, checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apps import uploads
from apps.controls import values
from apps.studio import Studio, own_options, texts
from clipguide import hashtags
from clipguide.brief import parse_prompts
from clipguide.errors import UserError

ASPECTS = {"square": (1, 1), "4:3": (4, 3), "3:4": (3, 4), "16:9": (16, 9), "9:16": (9, 16)}
PRESETS = {"draft": (0.3, 128), "standard": (1.0, 256), "fine": (3.0, 384)}  # share of the steps, px of the longer side
GRID, SIDES = 16, (64, 1024)  # px: what sides are multiples of, and the longer side's range
SMALL = 128  # px of the longer side of a variation


@dataclass(frozen=True, slots=True)
class Order:
    """What a visitor asks for, checked: the arguments of `Studio.start`."""

    texts: list[str]
    method: str
    values: dict[str, Any]
    video: bool


def size(aspect: str, side: float) -> tuple[int, int]:
    """(width, height) in px, multiples of 16, of an aspect whose longer side is `side`."""
    across, up = ASPECTS[aspect]
    scale = side / max(across, up)
    return tuple(max(GRID, round(part * scale / GRID) * GRID) for part in (across, up))


def nearest(full: Sequence[int]) -> tuple[str, int]:
    """The aspect and the longer side of the form that are nearest to a size, (width, height) in px."""
    aspect = min(ASPECTS, key=lambda name: abs(ASPECTS[name][0] / ASPECTS[name][1] - full[0] / full[1]))
    return aspect, min(SIDES[1], max(SIDES[0], round(max(full) / GRID) * GRID))


def order(studio: Studio, fixed: Sequence[Any], drawn: Mapping[str, Any], own: Sequence[Any]) -> Order:
    """From the form's values.  UserError names the first that is refused.

    drawn: the "method" whose settings were drawn last, or None; their "names"; and what an opened run has "filled" in.
    own: what the controls of those names say.  An opened run's own size stays as long as its fields are left alone.
    """
    prompt, negative, pictures, weight, method, steps, aspect, side, seed, start, video = fixed
    if drawn["method"] not in (None, method):
        raise UserError(f"the settings of {method} are still being drawn; try once more")
    kept = [str(uploads.keep(studio.root, path)) for path in pictures or ()]
    options = {option.name: option for option in own_options(method)}
    filled = drawn["filled"] if drawn["filled"].get("method") == method else {}
    given = {name: value for name, value in filled.items() if name in options}
    given |= dict(zip(drawn["names"], own, strict=True)) | ({"steps": steps} if "steps" in options else {})
    told = [options[name] for name in given]
    chosen = values(told, list(given.values()), studio.catalogue, studio.root)
    chosen = {name: value for name, value in chosen.items() if value != options[name].default}  # a preset may set them
    full = drawn["filled"].get("size")
    full = tuple(full) if full and nearest(full) == (aspect, side) else size(aspect, side)
    chosen |= {"size": full, "seed": int(seed or 0)} | ({"init": start} if start else {})
    return Order(texts(studio.root, prompt or "", negative or "", kept, weight), method, chosen, video)


def shrunk(full: tuple[int, int]) -> tuple[int, int]:
    """A variation's size: the same aspect, 128 px along the longer side at most."""
    scale = min(1.0, SMALL / max(full))
    return tuple(max(GRID, round(part * scale / GRID) * GRID) for part in full)


def asks_for(texts: Sequence[str], recipe: Mapping[str, Any]) -> bool:
    """Whether the form's words, hashtags too, are those of a run's recipe, which holds no hashtags."""
    tagged, made = hashtags.read(texts), recipe["prompts"]
    if tagged.method not in (None, recipe["method"]) or not tagged.settings.items() <= recipe["settings"].items():
        return False
    return parse_prompts(tagged.texts) == parse_prompts(made) if made and tagged.texts else list(tagged.texts) == made
