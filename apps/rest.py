"""An idle server rests: Gradio looks at its queue a thousand times a second, which costs 6 % of a core."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

QUICK, SLOW = 0.01, 0.5  # seconds between looks at the queue
AWAKE = 20  # seconds after a request in which another is likely
NEVER = 3600.0


class Rest:
    """Middleware that lets the queue be looked at often while somebody talks to the server, and rarely otherwise."""

    def __init__(self, app: ASGIApp, queue: Any) -> None:
        self.app, self.queue = app, queue
        self._falls_asleep: asyncio.TimerHandle | None = None
        queue.sleep_when_free = SLOW
        queue.progress_update_sleep_when_free = NEVER  # nothing here reports progress in Gradio's way

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            self._wake()
        await self.app(scope, receive, send)

    def _wake(self) -> None:
        if self._falls_asleep is not None:
            self._falls_asleep.cancel()
        self.queue.sleep_when_free = QUICK
        self._falls_asleep = asyncio.get_running_loop().call_later(AWAKE, self._sleep)

    def _sleep(self) -> None:
        self.queue.sleep_when_free = SLOW
