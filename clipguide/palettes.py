"""Palettes: by name, from a picture, or as a list of colours.

The values are facts about the machines and the published palettes named here; "pastel" and "sepia" are our own.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import torch
from pydantic import AfterValidator
from torch import Tensor

from clipguide import images
from clipguide.errors import UserError

MOST = 256
LEARNED = "learned"

PALETTES: dict[str, str] = {
    "1bit": "000000 ffffff",
    "grey4": "000000 555555 aaaaaa ffffff",
    # Nintendo Game Boy (DMG), the four greens usually quoted for its screen
    "gameboy": "0f380f 306230 8bac0f 9bbc0f",
    # IBM CGA, mode 4, palette 1, high intensity
    "cga": "000000 55ffff ff55ff ffffff",
    # IBM EGA, the 16 default colours
    "ega": "000000 0000aa 00aa00 00aaaa aa0000 aa00aa aa5500 aaaaaa "
    "555555 5555ff 55ff55 55ffff ff5555 ff55ff ffff55 ffffff",
    # Sinclair ZX Spectrum, as emulators show it: 15 distinct colours
    "spectrum": "000000 0000d7 d70000 d700d7 00d700 00d7d7 d7d700 d7d7d7 "
    "0000ff ff0000 ff00ff 00ff00 00ffff ffff00 ffffff",
    # Commodore 64, VIC-II, calculated by P. Timmermann ("Pepto"), 2001
    "c64": "000000 ffffff 68372b 70a4b2 6f3d86 588d43 352879 b8c76f "
    "6f4f25 433900 9a6759 444444 6c6c6c 9ad284 6c5eb5 959595",
    # Nintendo NES (2C02), the distinct colours of the palette that the FCE Ultra emulator made common
    "nes": "7c7c7c 0000fc 0000bc 4428bc 940084 a80020 a81000 881400 503000 007800 006800 005800 004058 000000 "
    "bcbcbc 0078f8 0058f8 6844fc d800cc e40058 f83800 e45c10 ac7c00 00b800 00a800 00a844 008888 "
    "f8f8f8 3cbcfc 6888fc 9878f8 f878f8 f85898 f87858 fca044 f8b800 b8f818 58d854 58f898 00e8d8 787878 "
    "fcfcfc a4e4fc b8b8f8 d8b8f8 f8b8f8 f8a4c0 f0d0b0 fce0a8 f8d878 d8f878 b8f8b8 b8f8d8 00fcfc f8d8f8",
    # PICO-8 fantasy console (Lexaloffle), the 16 standard colours of its manual
    "pico8": "000000 1d2b53 7e2553 008751 ab5236 5f574f c2c3c7 fff1e8 "
    "ff004d ffa300 ffec27 00e436 29adff 83769c ff77a8 ffccaa",
    # DB16 by DawnBringer, 2011
    "db16": "140c1c 442434 30346d 4e4a4e 854c30 346524 d04648 757161 "
    "597dce d27d2c 8595a1 6daa2c d2aa99 6dc2ca dad45e deeed6",
    # Sweetie 16 by GrafxKid, the default of the TIC-80 fantasy console
    "sweetie16": "1a1c2c 5d275d b13e53 ef7d57 ffcd75 a7f070 38b764 257179 "
    "29366f 3b5dc9 41a6f6 73eff7 f4f4f4 94b0c2 566c86 333c57",
    "pastel": "fbf8f3 f7c8d0 f4a9a8 f9d5a7 fdf1b8 cfe8b4 a8d8c0 a9d6e5 b3c7f0 cdb7e9 e6c4e0 8a8fa8 5c5f77",
    "sepia": "1e140c 3f2a18 664629 8f6a42 b69264 d8bb90 f0e0c4",
}
NAMES = ", ".join(PALETTES)


def _colour(text: str) -> str:
    images.colour(text)
    return text


Colour = Annotated[str, AfterValidator(_colour)]  # of settings: refused at once where it is none
OptionalColour = Annotated[str, AfterValidator(lambda text: text and _colour(text))]


def known(text: str) -> str:
    """The text itself.  UserError where `read` would not understand it; whether its file is a picture is seen later."""
    if not text.strip().startswith("@"):
        read(text, MOST)
    elif not Path(text.strip()[1:]).expanduser().is_file():
        raise UserError(f"the palette '{text}' is no file here; give @FILE with a picture that exists")
    return text


def read(text: str, count: int) -> Tensor:
    """A palette (K, 3), sRGB in [0, 1].

    text: a name of `PALETTES`; @FILE, whose `count` main colours are taken; or colours such as
    "navy, #ffcc00, white".  UserError says what was not understood.
    """
    text = text.strip()
    if text.startswith("@"):
        return images.main_colours(images.read(Path(text[1:]).expanduser())[0], count)
    if text.lower() in PALETTES:
        return torch.stack([images.colour(f"#{value}") for value in PALETTES[text.lower()].split()])
    colours = [part for part in re.split(r"[,\s]+", text) if part]
    if not 2 <= len(colours) <= MOST:
        raise UserError(f"the palette '{text}' is unknown; there are {NAMES}; or give @FILE, or 2 to {MOST} colours")
    return torch.stack([images.colour(part) for part in colours])
