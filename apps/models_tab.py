"""The Models tab: what is bundled, what can be had, its size and licence, and whether its files are whole."""

from __future__ import annotations

import html
from typing import Any

import gradio as gr

from apps.lazy import one_at_a_time
from apps.studio import Studio
from clipguide import inventory


class Page:
    """The tab's components."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        view = gr.HTML(self.table({}), elem_id="models")
        with gr.Row():
            verify = gr.Button("Verify the files", elem_id="verify", scale=0, min_width=180)
        verify.click(self._verify, outputs=view, **one_at_a_time("verify"))

    def table(self, found: dict[str, list[str]]) -> str:
        """found: name -> faults, for what was verified."""
        rows = "".join(self._row(inventory.describe(entry), found) for entry in self.studio.known.values())
        head = "".join(f'<th scope="col">{name}</th>' for name in ("Model", "Kind", "Size", "Licence", "Files"))
        return f'<div class="scroll"><table class="models"><thead><tr>{head}</tr></thead>{rows}</table></div>'

    def _row(self, row: dict[str, Any], found: dict[str, list[str]]) -> str:
        size = f"{row['bytes'] / 1e6:.1f} MB" if row["bytes"] else "–"
        state = "here" if row["place"] else f"not here; <code>clipguide models pull {html.escape(row['name'])}</code>"
        if row["name"] in found:
            faults = found[row["name"]]
            state = html.escape("; ".join(faults)) if faults else "✓ every file has its sha256"
        about = f"<b>{html.escape(row['name'])}</b><br><small>{html.escape(row['about'])}</small>"
        cells = (about, html.escape(row["kind"]), size, html.escape(row["licence"]), state)
        return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"

    def _verify(self) -> str:
        bundled = [entry for entry in self.studio.known.values() if entry.folder]
        return self.table({entry.name: inventory.faults(entry) for entry in bundled})
