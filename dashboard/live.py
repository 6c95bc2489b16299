"""The line to the screens: one WebSocket each, latest state only.

Dash's own WebSocket callbacks give up after ten tries (about three minutes), need a SharedWorker and queue without a
bound for a frozen browser (platform reference 3.4, traps 1, 5, 8). So the wall carries its parts over a line of its own;
what arrives goes into the same Dash components through ``dash_clientside.set_props``.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from typing import Any
from urllib.parse import urlparse

from starlette.websockets import WebSocket, WebSocketDisconnect

from dashboard import metrics
from dashboard.catalogue import LANGUAGES
from dashboard.hub import Hub, Picture
from dashboard.layout import message

log = logging.getLogger(__name__)

#: Real seconds between signs of life on the line; the page calls itself stale after ten.
HEARTBEAT = 1.0
#: A screen that does not take a message for so long is dropped; it comes back by itself when it wakes.
SEND_TIMEOUT = 15.0
#: More screens than any hall has; the next one is told to come later.
MOST_SCREENS = 200


def same_origin(websocket: WebSocket) -> bool:
    """Whether the page that opens the line came from this server."""
    origin = websocket.headers.get("origin")
    return origin is not None and urlparse(origin).netloc == websocket.headers.get("host")


class LiveLine:
    """Pushes the newest picture to each screen.

    Args:
        build: fingerprint of the page; a page of another build reloads itself.
        wake: the hub reads only while somebody looks: each screen starts it.
    """

    def __init__(self, hub: Hub[Any], build: str, *, wake: bool = False) -> None:
        self._hub, self._build, self._wake = hub, build, wake

    async def serve(self, websocket: WebSocket) -> None:
        """The WebSocket endpoint."""
        if not same_origin(websocket):
            await websocket.close(4003, "origin not allowed")
            return
        if self._hub.screens >= MOST_SCREENS:
            await websocket.close(1013, "too many screens")
            return
        language = websocket.query_params.get("lang", "")
        language = language if language in LANGUAGES else LANGUAGES[0]
        await websocket.accept()
        changed, leave = self._hub.subscribe()
        if self._wake:
            self._hub.start()
        # Reading is only how a lost screen is noticed; the page itself never sends.
        listener = asyncio.create_task(self._until_gone(websocket))
        try:
            await self._push(websocket, language, changed, listener)
        except (WebSocketDisconnect, RuntimeError, TimeoutError, OSError) as ended:
            log.debug("screen left: %s", ended)
        finally:
            leave()
            listener.cancel()
            with contextlib.suppress(Exception):
                await websocket.close(1012)

    async def _push(
        self, websocket: WebSocket, language: str, changed: asyncio.Event, listener: asyncio.Task[None]
    ) -> None:
        shown: dict[str, str] = {}
        while not listener.done():
            changed.clear()
            picture = self._hub.picture
            parts = picture.parts[language]
            news = [(part, text) for part, text in parts.items() if shown.get(part) != text]
            async with asyncio.timeout(SEND_TIMEOUT):
                await websocket.send_text(message(self._head(picture), news))
            metrics.PUSHES.inc()
            shown = parts
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(changed.wait(), HEARTBEAT)

    def _head(self, picture: Picture) -> dict[str, object]:
        return {
            "build": self._build,
            "number": picture.number,
            **self._hub.time_signal(picture),
        }

    @staticmethod
    async def _until_gone(websocket: WebSocket) -> None:
        with contextlib.suppress(WebSocketDisconnect, RuntimeError, json.JSONDecodeError):
            while True:
                await websocket.receive_text()


__all__ = ["HEARTBEAT", "MOST_SCREENS", "SEND_TIMEOUT", "LiveLine", "same_origin"]
