"""Tabs that are drawn when a visitor first opens them, so that the page stands sooner; and how events are served."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

# A tab that is drawn has events of its own for each visitor; without a named line Gradio keeps one for each for ever
EVENT: dict[str, Any] = {
    "api_visibility": "private",
    "show_progress": "hidden",
    "concurrency_limit": None,
    "concurrency_id": "page",
}


def one_at_a_time(line: str) -> dict[str, Any]:
    """For events that work hard: all visitors' wait in one line, and the page shows that something goes on."""
    return {"api_visibility": "private", "concurrency_limit": 1, "concurrency_id": line}


def when_opened(tab: gr.Tab, draw: Callable[[], Any]) -> None:
    """Calls `draw` once for each visitor who opens the tab.  Stands inside the tab."""
    seen = gr.HTML("", visible=False)  # changes once, and in the browser alone
    tab.select(None, js="() => 'seen'", outputs=seen, api_visibility="private")
    gr.render(triggers=[seen.change], queue=False, show_progress="hidden")(draw)
