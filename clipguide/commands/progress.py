"""Watches a run on the terminal: the bar, and Ctrl-C."""

from __future__ import annotations

import signal
import sys
import threading
from types import TracebackType
from typing import Any

from tqdm import tqdm

from clipguide.api import Progress


class Watch:
    """A bar on stderr with the time left, the score and every term's value (only on a terminal, unless quiet).

    The first Ctrl-C after a step asks to stop after the step at hand, so that the picture and the state are whole; a
    second one, or one before any step was made, stops at once.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self.newest: Progress | None = None
        self.asked_to_stop = False
        self._bar = tqdm(disable=True if quiet else None, dynamic_ncols=True, unit="step", file=sys.stderr)
        self._before: Any = None

    def __enter__(self) -> Watch:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._interrupt)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
        self._bar.close()

    def show(self, progress: Progress) -> None:
        if self.newest is None:
            self._bar.initial = progress.step.index
        self.newest = progress
        self._bar.total, self._bar.n = progress.step.total, progress.step.index
        self._bar.set_postfix_str(describe(progress), refresh=False)
        self._bar.refresh()

    def _interrupt(self, number: int, frame: object) -> None:
        if self.asked_to_stop or self.newest is None:
            raise KeyboardInterrupt
        self.asked_to_stop = True


def describe(progress: Progress) -> str:
    """'score 0.312, a red fox 0.91, smooth 0.04'."""
    values = [] if progress.score is None else [f"score {progress.score:.3f}"]
    values += [f"{_short(name)} {float(value):.3g}" for name, value in progress.step.losses.items()]
    return ", ".join(values)


def _short(name: str) -> str:
    """20 letters, and the judge where several are named: 'a painting of a starr (clip-mini)'."""
    said, bracket, judge = name.rpartition(" (")
    return f"{said[:20]} ({judge[:20]}" if bracket else name[:20]
