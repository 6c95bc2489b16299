"""Asking at a camera's door whether opening it would be worth the while, without signing in and without a decoder.

A camera that has failed is opened again after 1, 5, 10 and then every 60 s: sign-ins are dear, and some cameras lock an
account after a few. Knocking costs one connection, so it is done every few seconds in between. What counts is that the
answer *changes*: a door that said the same while opening failed says nothing new.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from urllib.parse import urlsplit

from camera_adapters.addresses import scheme_of

SECONDS = 2.0
PORTS = {"rtsp": 554, "rtsps": 322, "rtmp": 1935, "rtmps": 443, "http": 80, "https": 443}
_CONNECTS = "connects"

Knock = Callable[[], str | None]
"""None: nobody opens, or nobody says a word. Else a word for how the door answers."""


def knock_for(address: str, *, seconds: float = SECONDS) -> Knock | None:
    """How to knock at an address; None for one behind which there is no other machine."""
    scheme, parts = scheme_of(address), urlsplit(address)
    try:
        port = parts.port or PORTS.get(scheme)
    except ValueError:
        port = None
    host = parts.hostname
    if scheme not in PORTS or host is None or port is None:
        return None
    # The address as the camera may see it: never with user or password.
    place = f"[{host}]" if ":" in host else host
    bare = f"rtsp://{place}:{port}{parts.path or '/'}" + (f"?{parts.query}" if parts.query else "")
    asks = _describe(bare) if scheme == "rtsp" and bare.isascii() and bare.isprintable() else None

    def knock() -> str | None:
        try:
            with socket.create_connection((host, port), timeout=seconds) as door:
                if asks is None:
                    return _CONNECTS
                door.settimeout(seconds)
                door.sendall(asks)
                return _status(door.recv(64))
        except OSError:
            return None

    return knock


def _describe(address: str) -> bytes:
    return f"DESCRIBE {address} RTSP/1.0\r\nCSeq: 1\r\nAccept: application/sdp\r\nUser-Agent: mingjing\r\n\r\n".encode()


def _status(answer: bytes) -> str | None:
    """``404`` of ``RTSP/1.0 404 Not Found``."""
    if not answer:
        return None
    words = answer.split(b" ", 2)
    with contextlib.suppress(UnicodeDecodeError):
        if len(words) >= 2 and words[0].startswith(b"RTSP/") and words[1][:3].isdigit():
            return words[1][:3].decode()
    return _CONNECTS
