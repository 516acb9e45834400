"""The web page: `clipguide app`.  Every tab is a file beside this one; methods and settings come from clipguide."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("MPLBACKEND", "agg")  # else Gradio has all of matplotlib imported at the first Start

import gradio as gr
from starlette.middleware import Middleware

from apps import batch_tab, compare, edit, history, http_api, make, models_tab, uploads
from apps.guard import guards, loopback
from apps.lazy import when_opened
from apps.rest import Rest
from apps.runner import Runner, Work, affordable_workers
from apps.safety import NsfwScreen, Screen
from apps.shared import Shared
from apps.studio import Studio, own_options
from clipguide import api
from clipguide.errors import UserError
from clipguide.methods import DEFAULT
from clipguide.weights import Models

STYLE = Path(__file__).with_name("style.css")
KEPT_SECONDS = 3600  # of what Gradio copies aside to send it
SESSIONS = 500  # visitors whose page is remembered: each takes about a megabyte
DESCRIPTION = "Make and edit pictures by following CLIP's gradient."


@dataclass(frozen=True, slots=True)
class Serving:
    """How the page is served.  auth: (user, password).  workers: runs at once; 0 lets memory decide."""

    host: str = "127.0.0.1"
    port: int = 7860
    share: bool = False
    auth: tuple[str, str] | None = None
    runs: Path = Path("outputs")
    device: str = "auto"
    workers: int = 0
    safe: bool = False

    def __post_init__(self) -> None:
        if (self.share or not loopback(self.host)) and self.auth is None:
            raise UserError("others can reach this address; give --auth USER:PASSWORD, or leave out --share and --host")
        if self.runs.exists() and not self.runs.is_dir():
            raise UserError(f"--runs {self.runs} is no folder; give one, or a name for a new one")
        if self.workers < 0:
            raise UserError(f"--workers {self.workers}: give 1 or more, or 0: as many as memory allows")


def open_studio(serving: Serving, models: Models | None = None) -> Studio:
    """The models, the runs and the workers; uploads that nobody refers to any more are removed."""
    root = serving.runs.absolute()
    uploads.sweep(root)
    models = models or Shared(serving.device)
    with contextlib.suppress(UserError):  # a first picture that wants them will say what is wrong
        judges = next(option.default for option in own_options(DEFAULT) if option.name == "clip")
        models.judges(judges)  # here, as threads that import at once trip over each other
    screen = NsfwScreen() if serving.safe else Screen()
    workers = serving.workers or affordable_workers()
    return Studio(models, root, Runner(models, root, workers), screen)


def build(studio: Studio) -> gr.Blocks:
    """The whole page."""
    with gr.Blocks(title="clipguide", delete_cache=(KEPT_SECONDS, KEPT_SECONDS), analytics_enabled=False) as page:
        gr.HTML(f'<header class="top"><h1>clipguide</h1><p>{DESCRIPTION}</p></header>')
        with gr.Tabs() as tabs:
            with gr.Tab("Make", id="make"):
                making = make.Page(studio)
            others = {
                "Edit": lambda tab: edit.Page(studio),
                "Batch": lambda tab: batch_tab.Page(studio).list_on(tab),
                "Compare": lambda tab: compare.Page(studio),
                "History": lambda tab: history.Page(studio, making, tabs).list_on(tab),
                "Models": lambda tab: models_tab.Page(studio),
            }
            for name, draw in others.items():
                with gr.Tab(name, id=name.lower()) as tab:
                    when_opened(tab, partial(draw, tab))
        http_api.Endpoints(studio)
    page.queue(default_concurrency_limit=8, max_size=1000)
    return page


def launch(studio: Studio, serving: Serving, *, block: bool = True) -> gr.Blocks:
    """Serves the page; with block=False it returns at once."""
    page = build(studio)
    doors = guards(serving.host, serving.share, studio.screen)
    page.launch(
        server_name=serving.host,
        server_port=serving.port or None,
        share=serving.share,
        auth=serving.auth,
        allowed_paths=[str(serving.runs.resolve())],
        max_file_size=uploads.MAX_BYTES,
        enable_monitoring=False,
        run_history=False,
        footer_links=["api", "settings"],
        show_error=True,
        app_kwargs={"middleware": [Middleware(Rest, queue=page._queue), *doors]},
        state_session_capacity=SESSIONS,
        theme=theme(),
        css=STYLE.read_text(encoding="utf-8"),
        prevent_thread_lock=True,
        quiet=True,
    )
    print(f"clipguide is at {page.local_url}", *([f"and at {page.share_url}"] if page.share_url else []), flush=True)
    if block:
        with contextlib.suppress(KeyboardInterrupt):
            for ending in (signal.SIGINT, signal.SIGTERM):  # also where a shell that is no terminal ignores the first
                signal.signal(ending, signal.default_int_handler)
            threading.Event().wait()  # Gradio's own way of waiting looks ten times a second
        page.close(verbose=False)
    return page


def theme() -> gr.themes.Base:
    """Fonts of the system, so that nothing is fetched."""
    fonts = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif"]
    look = gr.themes.Soft(
        primary_hue="rose",
        secondary_hue="rose",
        neutral_hue="zinc",
        font=fonts,
        font_mono=["ui-monospace", "monospace"],
    )
    return look.set(
        block_padding="0",
        block_background_fill="*background_fill_primary",
        block_background_fill_dark="*body_background_fill",
        block_label_background_fill_dark="*background_fill_primary",
        input_border_width="1px",
        input_border_color="*border_color_primary",
        input_shadow="none",
        checkbox_label_border_width="1px",
        checkbox_label_border_color="*border_color_primary",
        checkbox_label_shadow="none",
        button_secondary_border_color="*border_color_primary",
        button_border_width="1px",
        button_primary_border_color="*primary_500",
        block_title_background_fill="none",
        block_title_padding="0",
        block_title_text_color="*body_text_color",
        block_title_text_color_dark="*body_text_color",
        block_title_text_weight="600",
        block_label_background_fill="*background_fill_primary",
        block_label_text_color="*body_text_color",
        block_label_text_color_dark="*body_text_color",
        block_info_text_color="*neutral_500",
        block_info_text_color_dark="*neutral_400",
        body_text_color_subdued="*neutral_500",
        body_text_color_subdued_dark="*neutral_400",
        button_large_text_weight="600",
        input_placeholder_color="*neutral_400",
        input_placeholder_color_dark="*neutral_500",
    )


class Warming(Work):
    """One step of what most people ask for first, so that its networks are open."""

    def do(self, models: Models) -> bool:
        return all(True for _ in api.stream("a picture", models=models, steps=1))


def warm(runner: Runner) -> None:
    """Warms a worker up, in its own thread: glibc keeps the memory of each thread for that thread alone.

    What fails here, the first visitor is told.
    """
    work = Warming("warming up")
    runner.add(work)
    while not work.over:
        time.sleep(0.05)


def main(serving: Serving) -> int:
    """Serves until Ctrl-C or SIGTERM; what is being drawn then can go on later."""
    studio = open_studio(serving)
    try:
        warm(studio.runner)
        launch(studio, serving)
    finally:
        studio.runner.close()
    return 0
