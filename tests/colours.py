"""An encoder that knows colours, and shards of plain colours in every split and style."""

import itertools

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn

from pretrain.data.shards import write_shard
from pretrain.evaluate.shift import DOMAINS, TRAINED

COLOURS = {
    "red": (230, 20, 20),
    "green": (20, 200, 40),
    "blue": (30, 40, 220),
    "yellow": (240, 230, 20),
    "cyan": (20, 230, 230),
    "pink": (240, 100, 220),
}
FOREIGN = {"red": "rot", "green": "verde", "blue": "blau", "yellow": "gelb", "cyan": "zyan", "pink": "rosa"}
MEDIA = {"stamp": "photo", "gcompris": "photo", "openclipart": "clip art", "fluent-3d": "render"}


class Trunk(nn.Module):
    """Mean colour about mid-grey."""

    def forward(self, views):
        return views.mean((2, 3)) - 0.5


class ColourEncoder:
    """Pictures by their mean colour, texts by the colour they name; unknown words are black."""

    name, size, device = "colours", 16, "cpu"

    def __init__(self):
        self.seen, self.read = 0, 0
        self.model = nn.Module()
        self.model.visual = nn.Module()
        self.model.visual.trunk = Trunk()

    def encode_image(self, views):
        self.seen += len(views)
        return F.normalize(self.model.visual.trunk(views))

    def encode_text(self, texts):
        self.read += len(texts)
        rows = []
        for text in texts:
            named = [rgb for word, rgb in COLOURS.items() if word in text or FOREIGN[word] in text]
            rows.append(named[0] if named else (0, 0, 0))
        return F.normalize(torch.tensor(rows) / 255 - 0.5)


def picture(rgb, dice):
    noise = dice.integers(-12, 12, (16, 16, 3))
    return Image.fromarray(np.clip(np.array(rgb) + noise, 0, 255).astype(np.uint8))


def write_split(root, side, task, styles, dice, concepts=tuple(COLOURS)):
    def samples():
        for style, name in itertools.product(styles, concepts):
            told = {
                "id": f"{style}-{name}",
                "captions": [f"a picture of {name}", name],
                "languages": {"de": [FOREIGN[name]]},
                "concept": name,
                "source": "made",
                "style": style,
                "medium": MEDIA.get(style, "emoji"),
                "task": task,
            }
            yield f"{style}-{name}", picture(COLOURS[name], dice), told

    write_shard(root / side / f"{task}-00000.tar", samples())


def write_shards(root):
    """All splits that the suites read."""
    dice = np.random.default_rng(0)
    drawn = [*TRAINED, *(style for styles in DOMAINS.values() for style in styles if style != "openmoji")]
    write_split(root, "train", "composed", drawn, dice)
    write_split(root, "validation", "concepts", ["noto"], dice)
    for task, style in {"photos": "gcompris", "style": "openmoji", "concepts": "twemoji", "composed": "noto"}.items():
        write_split(root, "test", task, [style], dice)
    write_split(root, "test", "style-concepts", ["openmoji"], dice, ("red", "green"))
    return root


def column(table, name):
    return [row[list(table.columns).index(name)] for row in table.rows]
