"""clipguide app: the web page."""

from __future__ import annotations

import argparse
import importlib
import os
from collections.abc import Sequence
from pathlib import Path

from clipguide.errors import UserError

AUTH = "CLIPGUIDE_AUTH"


def add_arguments(parser: argparse.ArgumentParser, words: Sequence[str]) -> None:
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (default 127.0.0.1)")
    parser.add_argument("--port", type=int, default=7860, help="the port; 0: any that is free (default 7860)")
    parser.add_argument("--share", action="store_true", help="also a public address, through Gradio's relay")
    parser.add_argument("--auth", metavar="USER:PASSWORD", help=f"who may enter; better given in the variable {AUTH}")
    parser.add_argument("--runs", type=Path, default=Path("outputs"), help="the folder of the runs (default outputs)")
    parser.add_argument("--device", default="auto", help="where it is computed: auto, cpu, cuda or mps (default auto)")
    parser.add_argument("--workers", type=int, default=0, help="pictures made at once; 0: as many as memory allows")
    parser.add_argument("--safe", action="store_true", help="blur what Open-NSFW finds unsafe (extra 'safety')")


def run(args: argparse.Namespace) -> int:
    if not 0 <= args.port <= 65535:
        raise UserError(f"--port {args.port}: a port is a number from 0 (any that is free) to 65535")
    try:
        importlib.import_module("gradio")
        web = importlib.import_module("apps.web")  # by name: the library itself does not depend on the apps
    except ImportError as error:
        raise UserError(f"the web page is not installed ({error}); pip install 'clipguide[app]'") from None
    auth = _auth(args.auth or os.environ.get(AUTH))
    return web.main(
        web.Serving(args.host, args.port, args.share, auth, args.runs, args.device, args.workers, args.safe)
    )


def _auth(text: str | None) -> tuple[str, str] | None:
    if text is None:
        return None
    user, colon, password = text.partition(":")
    if not (user and password):
        raise UserError("--auth wants USER:PASSWORD, both of them not empty")
    return user, password
