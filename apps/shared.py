"""Networks for the page's threads."""

from __future__ import annotations

import threading
from typing import Any

from clipguide.weights import Models


class Shared(Models):
    """Models that several threads ask for networks: one of them opens it, the others wait for that."""

    def __init__(self, device: str = "auto") -> None:
        super().__init__(device)
        self._opening = threading.RLock()

    def encoder(self, name: str) -> Any:
        with self._opening:
            return super().encoder(name)

    def vqgan(self, name: str) -> Any:
        with self._opening:
            return super().vqgan(name)

    def forward(self, name: str) -> Any:
        with self._opening:
            return super().forward(name)
