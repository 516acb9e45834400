"""Boxes that take pictures from strangers.

Gradio writes a .pyi beside this file when it is first imported; it is of no use, and git ignores it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr
import torch

from apps.uploads import keep, refused, stored
from clipguide import images
from clipguide.errors import UserError

MAX_PAINTINGS = 64


class Picture(gr.Image):
    """An image box that hands out the path of the kept copy, and refuses in one line."""

    is_template = True  # for Gradio: shown as the image box it derives from

    def __init__(self, root: Path, label: str, *, height: int = 200, **more: Any) -> None:
        """more: of gr.Image.  Gradio makes the box anew with some of that for each update of it."""
        super().__init__(
            type="filepath",
            format="png",
            sources=["upload", "clipboard"],
            label=label,
            height=height,
            buttons=[],
            interactive=True,
            **more,
        )
        self.root = root

    def get_config(self, cls: type | None = None) -> dict[str, Any]:
        return super().get_config(gr.Image)  # Gradio reads the fields off a signature, and ours is shorter

    def preprocess(self, payload: Any) -> str | None:
        return None if payload is None else str(_kept(self.root, payload.path, payload.orig_name))


class Painter(gr.ImageEditor):
    """A photo with a mask painted on it: hands out the kept photo, and the kept mask (white where painted) or None."""

    is_template = True

    def __init__(self, root: Path, label: str, *, height: int = 420, **more: Any) -> None:
        """more: of gr.ImageEditor, as for `Picture`."""
        brush = gr.Brush(colors=["#f43f5e"], default_color="#f43f5e", color_mode="fixed")
        super().__init__(
            label=label,
            height=height,
            sources=["upload", "clipboard"],
            format="png",
            brush=brush,
            transforms=(),
            layers=gr.LayerOptions(allow_additional_layers=False),
            buttons=[],
            interactive=True,
            placeholder="Drop a photo here",
            **more,
        )
        self.root = root

    def accept_blobs(self, data: Any) -> None:
        while len(self.blob_storage) > MAX_PAINTINGS:  # those of visitors who painted and left
            self.blob_storage.pop(next(iter(self.blob_storage)))
        super().accept_blobs(data)

    def get_config(self, cls: type | None = None) -> dict[str, Any]:
        return super().get_config(gr.ImageEditor)

    def preprocess(self, payload: Any) -> tuple[str | None, str | None]:
        if payload is None:
            return None, None
        parts = self.blob_storage.pop(payload.id, None) if payload.id is not None else payload
        if parts is None or parts.background is None:
            return None, None
        with tempfile.TemporaryDirectory() as folder:
            photo = _kept(self.root, *_file(parts.background, Path(folder, "photo.png")))
            layers = [_file(layer, Path(folder, "mask.png"))[0] for layer in parts.layers if layer is not None]
            return str(photo), _kept_mask(self.root, [Path(layer) for layer in layers])


def _file(part: Any, place: Path) -> tuple[Path, str]:
    """A part of a painting, sent as bytes or as an upload -> (path, the sender's name)."""
    if isinstance(part, (bytes, bytearray, memoryview)):
        place.write_bytes(part)
        return place, place.name
    return Path(part.path), part.orig_name or place.name


def _kept_mask(root: Path, layers: Sequence[Path]) -> str | None:
    painted = [images.read_alpha(_kept(root, layer, layer.name)) for layer in layers]
    mask = torch.stack(painted).amax(0) if painted else torch.zeros(1)
    if not mask.any():
        return None
    return str(stored(root, images.png(mask.expand(1, 3, -1, -1))))


def _kept(root: Path, path: Path | str, name: str | None) -> Path:
    try:
        return keep(root, path, name)
    except UserError as error:
        raise refused(error) from None
