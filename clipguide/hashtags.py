"""Hashtags: words of a prompt that choose the method and its settings, as in "a castle #pixelart #gameboy".

The name of every method is a hashtag too.  Capitals, dashes and underscores do not count: #Pixel-Art is #pixelart.
What is no hashtag of the table stays part of the prompt: "we are #1", "#sunset".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from clipguide import methods
from clipguide.errors import UserError

TAG = re.compile(r"(?<!\S)#([^\W_][\w-]*)")

# hashtag -> (method, settings)
HASHTAGS: dict[str, tuple[str, dict[str, Any]]] = {
    "8bit": ("pixelart", {"palette": "nes"}),
    "16bit": ("pixelart", {"palette": "learned", "colours": 64, "cell": 2}),
    "1bit": ("pixelart", {"palette": "1bit", "dither": "bayer"}),
    "gameboy": ("pixelart", {"palette": "gameboy"}),
    "nes": ("pixelart", {"palette": "nes"}),
    "c64": ("pixelart", {"palette": "c64", "cell_aspect": 2.0}),
    "zxspectrum": ("pixelart", {"palette": "spectrum"}),
    "cga": ("pixelart", {"palette": "cga", "dither": "bayer"}),
    "ega": ("pixelart", {"palette": "ega"}),
    "pico8": ("pixelart", {"palette": "pico8"}),
    "pastel": ("pixelart", {"palette": "pastel"}),
    "sprite": ("pixelart", {"transparent": True}),
    "crossstitch": ("pixelart", {"cells": "stitch", "cell": 6.0}),
    "hexagons": ("pixelart", {"cells": "hexagon", "cell": 6.0}),
    "bricks": ("pixelart", {"cells": "brick", "cell": 8.0, "cell_aspect": 2.0}),
    "mosaic": ("pixelart", {"cells": "tessera", "cell": 6.0, "colours": 64, "fabric": "#d8d3c8"}),
    "ink": ("clipdraw", {"look": "ink"}),
    "marker": ("clipdraw", {"look": "marker"}),
    "charcoal": ("clipdraw", {"look": "charcoal"}),
    "crayon": ("clipdraw", {"look": "crayon"}),
    "watercolour": ("clipdraw", {"look": "watercolour"}),
    "watercolor": ("clipdraw", {"look": "watercolour"}),
    "lowpoly": ("shapes", {"shape": "triangle", "count": 200}),
    "triangles": ("shapes", {"shape": "triangle"}),
    "ellipses": ("shapes", {"shape": "ellipse"}),
    "rectangles": ("shapes", {"shape": "rectangle"}),
    "evolution": ("shapes", {"by": "evolution", "cutouts": 4, "steps": 200}),
}


@dataclass(frozen=True, slots=True)
class Tagged:
    """Prompts without their hashtags, and what these ask for.  method: None where no hashtag chose one."""

    texts: tuple[str, ...]
    method: str | None = None
    settings: dict[str, Any] = field(default_factory=dict)

    def choose(self, method: str) -> str:
        """The method.  UserError when a hashtag wants another one."""
        if self.method not in (None, method):
            raise UserError(f"a hashtag asks for the method {self.method}, and --method for {method}; drop one of them")
        return method


def read(texts: Sequence[str]) -> Tagged:
    """Takes the hashtags out of the prompts.  UserError when two of them want different methods."""
    found: dict[str, tuple[str, dict[str, Any]]] = {}
    bare = tuple(TAG.sub(lambda match: _take(match, found), text).strip() for text in texts)
    wanted = {method: tag for tag, (method, _) in found.items()}
    if len(wanted) > 1:
        both = " and ".join(f"{tag} ({method})" for method, tag in wanted.items())
        raise UserError(f"the hashtags {both} want different methods; keep one of them")
    settings = {name: value for _, values in found.values() for name, value in values.items()}
    return Tagged(bare, next(iter(wanted), None), settings)


def _take(match: re.Match[str], found: dict[str, tuple[str, dict[str, Any]]]) -> str:
    """Notes what a hashtag of the table wants, and leaves nothing of it; any other stays as it is."""
    name = re.sub("[-_]", "", match[1].lower())
    wanted = HASHTAGS.get(name)
    if wanted is None and name in methods.table():
        wanted = (name, {})
    if wanted is None:
        return match[0]
    found[f"#{match[1]}"] = wanted
    return ""
