"""Who may talk to the server: a page that a stranger serves must not reach it through a visitor's browser.

A name of the stranger's that is pointed at 127.0.0.1 (DNS rebinding) shows in the header Host, a form that is sent
from elsewhere in the header Origin.
"""

from __future__ import annotations

import asyncio
import ipaddress
from pathlib import Path
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from apps.safety import Screen

LOOPBACK = ("localhost", "127.0.0.1", "::1", "[::1]")
FILES = "/gradio_api/file="  # where Gradio serves files from
READING = ("GET", "HEAD", "OPTIONS")


def loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def names(host: str, share: bool) -> list[str]:
    """The names a browser may call the server by; any (`*`) where the relay or all of a machine's addresses lead to it.

    Those are served behind a password alone, which a browser keeps for each name apart.
    """
    if share or host in ("", "0.0.0.0", "::"):
        return ["*"]
    return [*LOOPBACK, *([] if host in LOOPBACK else [host])]


def guards(host: str, share: bool, screen: Screen) -> list[Middleware]:
    """What stands before the page.  screen: what it hides is not served as a file either."""
    allowed = names(host, share)
    return [
        *([Middleware(Screened, screen=screen)] if type(screen) is not Screen else []),
        Middleware(TrustedHostMiddleware, allowed_hosts=allowed, www_redirect=False),
        *([] if "*" in allowed else [Middleware(SameOrigin)]),
    ]


class SameOrigin:
    """Refuses what a page from another address sends; 403."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] not in READING:
            headers = Headers(scope=scope)
            origin = headers.get("origin")
            if origin is not None and urlsplit(origin).netloc != headers.get("host"):
                await PlainTextResponse("this page takes no forms of other sites", 403)(scope, receive, send)
                return
        await self.app(scope, receive, send)


class Screened:
    """Refuses files that the filter hides, however their address was found; 403."""

    def __init__(self, app: ASGIApp, screen: Screen) -> None:
        self.app, self.screen = app, screen

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and FILES in scope["path"]:
            path = Path(scope["path"].partition(FILES)[2])
            if await asyncio.to_thread(self._hidden, path):
                await PlainTextResponse("the filter hides this", 403)(scope, receive, send)
                return
        await self.app(scope, receive, send)

    def _hidden(self, path: Path) -> bool:
        """A picture by itself; a video, a zip and the like by the pictures beside it."""
        if not path.is_file():
            return False
        pictures = [path] if path.suffix == ".png" else path.parent.glob("*.png")
        return any(self.screen.file(picture) is not None for picture in pictures)
