"""clipguide app: the web page."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Sequence

from clipguide.errors import UserError


def add_arguments(parser: argparse.ArgumentParser, words: Sequence[str]) -> None:
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (default 127.0.0.1)")
    parser.add_argument("--port", type=int, default=7860, help="the port to listen on (default 7860)")


def run(args: argparse.Namespace) -> int:
    try:
        importlib.import_module("gradio")
        web = importlib.import_module("apps.web")  # by name: the library itself does not depend on the apps
    except ImportError as error:
        raise UserError(f"the web page is not installed ({error}); pip install 'clipguide[app]'") from None
    return web.main(args.host, args.port) or 0
