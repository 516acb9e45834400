"""The Compare tab: pictures against texts, by any CLIP that is here, and where in a picture a text is found."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

import gradio as gr
import torch
import torch.nn.functional as F
from torch import Tensor

from apps import uploads
from apps.lazy import one_at_a_time
from apps.studio import Studio
from clipguide import images, masks, scores
from clipguide.errors import UserError
from clipguide.weights import FINDER

MOST_PICTURES, MOST_TEXTS = 16, 32
LONGEST = 320  # px of a picture whose heat is drawn
WARM = torch.tensor([[0.05, 0.03, 0.25], [0.55, 0.1, 0.45], [0.95, 0.35, 0.2], [1.0, 0.9, 0.35]])  # cold to hot


class Page:
    """The tab's components, and what happens between them."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        clips = studio.catalogue.names("clip")
        with gr.Row(elem_classes="columns"):
            with gr.Column(scale=4, min_width=300):
                pictures = gr.File(
                    label="Pictures", file_count="multiple", height=160, interactive=True, elem_id="compare-pictures"
                )
                said = gr.Textbox(
                    label="Texts, one a line",
                    lines=5,
                    max_lines=12,
                    placeholder="a photo of a cat\na photo of a dog",
                    interactive=True,
                    elem_id="compare-texts",
                )
                clip = gr.Dropdown(clips, value=FINDER, label="CLIP", interactive=True)
                with gr.Row():
                    score = gr.Button("Score", variant="primary", elem_id="compare-score", min_width=120)
                    where = gr.Button("Show where", elem_id="compare-where", min_width=120)
            with gr.Column(scale=7, min_width=320):
                table = gr.HTML(
                    '<p class="quiet">Scores stand here: the cosine, and each text\'s share.</p>',
                    elem_id="compare-table",
                )
                heat = gr.Gallery(
                    label="Where the first text is found",
                    columns=3,
                    object_fit="contain",
                    buttons=["download", "fullscreen"],  # Gradio's "share" is for its own host
                    interactive=False,
                    visible=False,
                    elem_id="compare-heat",
                )
        options = one_at_a_time("compare")
        score.click(self._score, [pictures, said, clip], table, **options)
        where.click(self._where, [pictures, said, clip], heat, **options)

    def _read(self, pictures: Sequence[str] | None, said: str) -> tuple[list[tuple[str, Tensor]], list[str]]:
        lines = [line.strip() for line in (said or "").splitlines() if line.strip()]
        if not pictures or len(pictures) > MOST_PICTURES:
            raise UserError(f"{len(pictures or ())} pictures are chosen; choose from 1 to {MOST_PICTURES}")
        if not lines or len(lines) > MOST_TEXTS:
            raise UserError(f"{len(lines)} texts are given; write from 1 to {MOST_TEXTS}, one a line")
        kept = [uploads.keep(self.studio.root, path) for path in pictures]
        names = [path.replace("\\", "/").rpartition("/")[2] for path in pictures]
        return [(name, images.read(path, longest=LONGEST)) for name, path in zip(names, kept, strict=True)], lines

    def _score(self, pictures: list[str] | None, said: str, clip: str) -> str:
        try:
            shown, lines = self._read(pictures, said)
        except UserError as error:
            raise uploads.refused(error) from None
        encoder = self.studio.models.encoder(clip)
        cosines = torch.cat([scores.similarities(encoder, picture, lines) for _, picture in shown])
        return table([name for name, _ in shown], lines, cosines, scores.label_shares(encoder, cosines))

    def _where(self, pictures: list[str] | None, said: str, clip: str) -> Any:
        try:
            shown, lines = self._read(pictures, said)
        except UserError as error:
            raise uploads.refused(error) from None
        encoder = self.studio.models.encoder(clip)
        drawn = [(images.to_pil(heated(p, masks.heat(encoder, lines[0], p))), name) for name, p in shown]
        return gr.update(value=drawn, visible=True, label=f"Where '{lines[0]}' is found: warm is more like it")


def table(names: Sequence[str], texts: Sequence[str], cosines: Tensor, shares: Tensor) -> str:
    """A row for each picture, a column for each text: the cosine, and the text's share as a bar."""
    head = "".join(f'<th scope="col">{html.escape(text)}</th>' for text in texts)
    rows = []
    for name, row, share in zip(names, cosines.tolist(), shares.tolist(), strict=True):
        best = max(row)
        cells = "".join(
            _cell(value, part, value == best and len(row) > 1) for value, part in zip(row, share, strict=True)
        )
        rows.append(f'<tr><th scope="row">{html.escape(name)}</th>{cells}</tr>')
    return (
        f'<div class="scroll"><table class="scores"><thead><tr><th></th>{head}</tr></thead><tbody>{"".join(rows)}'
        f"</tbody></table></div><p class='quiet'>The cosine, and of each text its share among these texts.</p>"
    )


def _cell(cosine: float, share: float, best: bool) -> str:
    mark = ' class="best"' if best else ""
    bar = f'<i style="width:{100 * share:.0f}%"></i>'
    return f'<td{mark}><b>{cosine:.3f}</b><small>{100 * share:.0f} %</small><span class="bar">{bar}</span></td>'


def heated(picture: Tensor, heat: Tensor) -> Tensor:
    """The picture (1, 3, H, W) under heat (1, 1, H, W), from cold to hot."""
    heat = (heat - heat.amin()) / (heat.amax() - heat.amin()).clamp(min=1e-6)
    heat = F.avg_pool2d(heat, 9, 1, 4, count_include_pad=False)[0, 0]
    place = heat * (len(WARM) - 1)
    low = place.long().clamp(max=len(WARM) - 2)
    colour = torch.lerp(WARM[low], WARM[low + 1], (place - low)[..., None]).movedim(-1, 0)[None]
    grey = picture.mean(1, keepdim=True)
    return torch.lerp(grey.expand_as(picture), colour, 0.25 + 0.35 * heat).clamp(0, 1)
