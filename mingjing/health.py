"""What a process says of itself to operators: ``/livez``, ``/readyz`` and ``/metrics``.

* ``/livez``: 200 while the loop of the process turns. A supervisor may kill what answers 503 (or not at all).
* ``/readyz``: 200 while what the process needs answers, else 503 with the reasons. Nothing is to be killed for it.
* ``/metrics``: Prometheus text. Only for callers on the same machine, or with the token of
  ``MINGJING_METRICS_TOKEN_FILE`` as bearer token; who came through a proxy is not on the same machine.

They are served at ``MINGJING_METRICS_ADDRESS``; the wall and the door answer them on their own ports as well.
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import json
import logging
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from domain.errors import SettingsError

log = logging.getLogger(__name__)

#: Real seconds without a turn after which a loop is stuck. Above every limit a turn has: a statement (30 s), a publish (31 s).
STUCK_AFTER = 60.0
#: An answer about what a process needs is used again for so long, so that many probes cost one question.
READY_KEPT = 1.0
#: A probe does not wait longer than this for a question that is already being asked.
READY_PATIENCE = 3.0

PATHS = ("/livez", "/readyz", "/metrics")
#: Added to the base port of ``MINGJING_METRICS_ADDRESS`` where that ends in ``+``; ``start`` and ``demo`` always do so.
PORT_OFFSETS = {
    "start": 0, "database": 1, "worker": 2, "rules": 3, "cameras": 4, "sender": 5, "wall": 6, "door": 7, "gateway": 8,
    "simulator": 9,
}  # fmt: skip

#: Why something a process needs does not answer, in words without addresses; None where it does.
Need = Callable[[], str | None]


class Pulse:
    """When each loop of a process last turned.

    Args:
        parts: loops that must turn; they count from now on, so that one that never begins is found stuck too.
    """

    def __init__(
        self,
        *parts: str,
        stuck_after: float = STUCK_AFTER,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._now, self._stuck_after = monotonic, stuck_after
        self._last = dict.fromkeys(parts, monotonic())

    def beat(self, part: str = "loop") -> None:
        self._last[part] = self._now()

    def leave(self, part: str) -> None:
        """The part has ended as it should."""
        self._last.pop(part, None)

    def ages(self) -> dict[str, float]:
        """Seconds since each part's last turn."""
        now = self._now()
        return {part: now - at for part, at in list(self._last.items())}

    def stuck(self) -> dict[str, float]:
        return {part: age for part, age in self.ages().items() if age > self._stuck_after}


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes
    content_type: str = "application/json"


class Health:
    """The three answers of one process.

    Args:
        process: its name, as in ``mingjing run NAME``.
        needs: by name, what must answer before the process can do its work; more may be added to ``needs`` later.
        render: makes the metrics; takes the ``Accept`` header, returns body and content type.
        token: bearer token for ``/metrics`` from elsewhere; None lets nobody in from elsewhere.
    """

    def __init__(
        self,
        process: str,
        pulse: Pulse,
        needs: Mapping[str, Need],
        render: Callable[[str], tuple[bytes, str]],
        *,
        token: str | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.process, self.pulse, self._render, self._token = process, pulse, render, token
        self.needs = dict(needs)
        self._monotonic, self._asking = monotonic, threading.Lock()
        self._known: tuple[float, dict[str, str]] = (float("-inf"), {})

    def answer(self, path: str, peer: str, headers: Mapping[str, str]) -> Answer | None:
        """The answer to a GET, or None for a path that is none of ours.

        Args:
            peer: address of the caller. headers: with lower-case names.
        """
        if path == "/livez":
            stuck = self.pulse.stuck()
            said = {part: f"no turn for {age:.0f} s" for part, age in stuck.items()}
            return self._verdict("alive", "stuck", said)
        if path == "/readyz":
            reasons = self.ask_needs()
            said = {name: reasons.get(name, "ok") for name in (*self.needs, *reasons)}
            return self._verdict("ready", "not ready", reasons, said)
        if path != "/metrics":
            return None
        if not self._may_read(peer, headers):
            return Answer(
                403,
                b'{"error": "metrics are for this machine, or for a bearer token (MINGJING_METRICS_TOKEN_FILE)"}\n',
            )
        return Answer(200, *self._render(headers.get("accept", "")))

    def _verdict(
        self, good: str, bad: str, reasons: Mapping[str, str], said: Mapping[str, str] | None = None
    ) -> Answer:
        body = {"status": bad if reasons else good, "process": self.process, "parts": dict(said or reasons)}
        return Answer(503 if reasons else 200, json.dumps(body, ensure_ascii=False).encode() + b"\n")

    def ask_needs(self) -> dict[str, str]:
        """What does not answer, with the reason; empty where the process is ready."""
        if not self._asking.acquire(timeout=READY_PATIENCE):
            return {"probe": "an earlier question has no answer yet"}
        try:
            at, known = self._known
            if self._monotonic() - at > READY_KEPT:
                found = {name: self._ask(need) for name, need in list(self.needs.items())}
                known = {name: reason for name, reason in found.items() if reason is not None}
                self._known = (self._monotonic(), known)
            return known
        finally:
            self._asking.release()

    @staticmethod
    def _ask(need: Need) -> str | None:
        try:
            return need()
        except Exception as error:
            # Its words may hold addresses; they go to the log alone.
            log.debug("a need does not answer: %s", error)
            return type(error).__name__

    def _may_read(self, peer: str, headers: Mapping[str, str]) -> bool:
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if self._token and scheme.lower() == "bearer":
            return hmac.compare_digest(given.strip().encode(), self._token.encode())
        forwarded = any(name in headers for name in ("forwarded", "x-forwarded-for", "x-real-ip", "via"))
        return not forwarded and _is_loopback(peer)


def _is_loopback(peer: str) -> bool:
    try:
        address = ipaddress.ip_address(peer.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


# -- on a port of its own --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Address:
    """``host:port``, ``[v6]:port`` or a port alone (loopback); a ``+`` at the end makes the port a base."""

    host: str
    port: int
    base: bool = False

    @classmethod
    def parse(cls, text: str) -> Address:
        """
        Raises:
            ValueError: it is none of these.
        """
        plain = text.strip()
        base = plain.endswith("+")
        host, _, port = plain.removesuffix("+").rpartition(":")
        host = host.removeprefix("[").removesuffix("]") or "127.0.0.1"
        highest = 65535 - (max(PORT_OFFSETS.values()) if base else 0)
        if not port.isdecimal() or not 1 <= int(port) <= highest or " " in host:
            raise ValueError(
                "expected host:port or a port; with + at the end each process adds its own number"
            )
        return cls(host, int(port), base)

    def of(self, process: str) -> Address:
        """Where a process serves: the address, or the base plus the process's number."""
        return Address(self.host, self.port + PORT_OFFSETS[process]) if self.base else self

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}{'+' if self.base else ''}"


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: Address, health: Health) -> None:
        self.address_family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        self.health = health
        super().__init__((address.host, address.port), _Handler)

    def server_bind(self) -> None:
        # Without the look-up of our own name that http.server does: where no name server answers it takes long.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def handle_error(self, request: Any, client_address: Any) -> None:
        log.debug("a probe broke off", exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    server_version, sys_version = "mingjing", ""
    #: A caller that connects and says nothing does not keep its thread for ever.
    timeout = 10.0

    def do_GET(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        path = self.path.partition("?")[0]
        answer = self.server.health.answer(path, self.client_address[0], headers)
        answer = answer or Answer(404, b'{"error": "there are /livez, /readyz and /metrics"}\n')
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(answer.body)

    do_HEAD = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        """A line for each probe says nothing."""


def serve_health(health: Health, address: Address) -> Callable[[], None] | None:
    """Serves in a thread of its own until the process ends; returns the way to stop it.

    A port that is taken is an error in the log and None: watching must not stop what is watched. (``start`` and
    ``demo`` ask for their ports before they start anything.)
    """
    try:
        server = _Server(address, health)
    except OSError as error:
        log.error(
            "metrics cannot be served at %s: %s (MINGJING_METRICS_ADDRESS)", address, error.strerror or error
        )
        return None
    threading.Thread(target=server.serve_forever, name="health", daemon=True).start()

    def stop() -> None:
        server.shutdown()
        server.server_close()

    return stop


def load_token(file: Path | None) -> str | None:
    """
    Raises:
        SettingsError: the file cannot be read, or the token in it is too short to be one.
    """
    if file is None:
        return None
    try:
        token = file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"MINGJING_METRICS_TOKEN_FILE: {file}: {getattr(error, 'strerror', None) or 'not UTF-8'}"
        ) from None
    if len(token) < 16:
        raise SettingsError(f"MINGJING_METRICS_TOKEN_FILE: {file}: the token is shorter than 16 characters")
    return token


# -- on the port of an ASGI application ------------------------------------------------------------------------------


class WithHealth:
    """An ASGI application that answers the three paths itself and hands everything else on.

    While it runs, a task of its own event loop beats ``part`` of the pulse: an event loop that hangs is seen on the
    metrics port.
    """

    def __init__(self, app: Any, health: Health, *, part: str = "requests", every: float = 1.0) -> None:
        self._app, self._health, self._part, self._every = app, health, part, every
        self._beating: asyncio.Task[None] | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan" and self._beating is None:
            self._beating = asyncio.create_task(self._beat())
            try:
                await self._app(scope, receive, send)
            finally:
                self._beating.cancel()
            return
        if scope["type"] != "http" or scope["path"] not in PATHS or scope["method"] not in ("GET", "HEAD"):
            await self._app(scope, receive, send)
            return
        headers = {
            name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]
        }
        peer = (scope.get("client") or ("", 0))[0]
        # In a thread: a database that does not answer must not stop the screens.
        answer = await asyncio.to_thread(self._health.answer, scope["path"], peer, headers)
        assert answer is not None
        start = [
            (b"content-type", answer.content_type.encode()),
            (b"content-length", str(len(answer.body)).encode()),
            (b"cache-control", b"no-store"),
        ]
        await send({"type": "http.response.start", "status": answer.status, "headers": start})
        await send({"type": "http.response.body", "body": answer.body if scope["method"] == "GET" else b""})

    async def _beat(self) -> None:
        while True:
            self._health.pulse.beat(self._part)
            await asyncio.sleep(self._every)
