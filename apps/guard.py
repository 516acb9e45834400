"""Who may talk to the server: a page that a stranger serves must not reach it through a visitor's browser.

A name of the stranger's that is pointed at 127.0.0.1 (DNS rebinding) shows in the header Host, a form that is sent
from elsewhere in the header Origin.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

LOOPBACK = ("localhost", "127.0.0.1", "::1", "[::1]")
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


def guards(host: str, share: bool) -> list[Middleware]:
    """What stands before the page."""
    allowed = names(host, share)
    return [
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
