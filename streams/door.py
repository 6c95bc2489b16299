"""The HTTP door for other systems: ``POST /events``. Nothing is acknowledged before it is in the log.

202 ``{"accepted": n}`` · 400 ``{"accepted": k, "rejected": [{"index" or "line", "code", "field", "reason"}]}``: the good ones
are in the log, the bad ones on their way to the dead letters · 401 no or unknown key · 408, 413, 415 · 429 with
``Retry-After`` · 503 the log cannot be written, or too much comes at once; send again, an event counts once however often.
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from domain.centres import Centres
from domain.clock import Clock
from domain.errors import EventError, LogError, MessagesRefusedError
from domain.events import event_to_json, parse_line
from streams import metrics
from streams.access import KeyRing, TokenBuckets
from streams.bodies import Piece, largest_field, split_body
from streams.publisher import Message, Publisher
from streams.rejections import rejection
from streams.topics import CASE_EVENTS, REJECTED_LINES, event_key

log = logging.getLogger(__name__)

#: Of a body that is refused unread, so much goes to the dead letters.
SAMPLE_BYTES = 1000
#: What a sender is told to wait when the log cannot be written.
RETRY_SECONDS = 5


@dataclass(frozen=True, slots=True)
class DoorLimits:
    """Bytes of a body, and of all bodies at a time; seconds to receive one; requests a second and at once for each key."""

    body_bytes: int = 5_000_000
    #: A body takes several times its size while it is checked.
    held_bytes: int = 30_000_000
    body_seconds: float = 30.0
    rate: float = 200.0
    burst: float = 1000.0


class _TooLarge(Exception):
    def __init__(self, sample: bytes) -> None:
        self.sample = sample


@dataclass(slots=True)
class _Sorted:
    """What became of a body; ``pieces`` are those of the good messages, in their order."""

    good: list[Message]
    bad: list[Message]
    reasons: list[dict[str, Any]]
    pieces: list[Piece] = field(default_factory=list)


class Door:
    """Handlers of the door. See :func:`create_door` for the arguments."""

    def __init__(
        self,
        publisher: Publisher,
        keys: KeyRing,
        centres: Centres | None,
        clock: Clock,
        limits: DoorLimits,
        monotonic: Callable[[], float],
    ) -> None:
        self._publisher, self._keys, self._clock, self._limits = publisher, keys, clock, limits
        self._checks = centres.checks if centres else {}
        self._several = centres is not None and centres.several
        self._buckets = TokenBuckets(limits.rate, limits.burst, monotonic)
        self._log_fails = False
        self._held = 0  # bytes of bodies that are being received, checked or written

    async def health(self, request: Request) -> Response:
        """200, or 503 while the log refused the last write."""
        if self._log_fails:
            return JSONResponse({"status": "the log cannot be written"}, 503)
        return JSONResponse({"status": "ok"})

    async def events(self, request: Request) -> Response:
        answer = await self._answer(request)
        metrics.REQUESTS.labels(str(answer.status_code)).inc()
        return answer

    async def _answer(self, request: Request) -> Response:
        name = self._keys.owner(_presented_key(request))
        if name is None:
            return _error(401, "an API key is needed, in X-API-Key", {"WWW-Authenticate": "Bearer"})
        wait = self._buckets.take(name)
        if wait > 0:
            return _error(429, "too many requests for this key", {"Retry-After": str(math.ceil(wait))})
        if request.headers.get("content-encoding", "identity").lower() != "identity":
            return _error(415, "the body must not be compressed")
        room = self._size(request)
        if self._held and self._held + room > self._limits.held_bytes:
            # Without a bound a hundred senders at once would take the memory of the whole machine.
            return _error(503, "too much at once; send again", {"Retry-After": "1"})
        self._held += room
        try:
            return await self._receive(name, request)
        finally:
            self._held -= room

    def _size(self, request: Request) -> int:
        """How large the body may become: as announced, or as large as any may be."""
        announced = request.headers.get("content-length", "")
        limit = self._limits.body_bytes
        return min(int(announced), limit) if announced.isdigit() else limit

    async def _receive(self, name: str, request: Request) -> Response:
        try:
            async with asyncio.timeout(self._limits.body_seconds):
                body = await self._read(request)
        except TimeoutError:
            return _error(408, "the body did not arrive in time", {"Connection": "close"})
        except ClientDisconnect:
            return Response(status_code=400)
        except _TooLarge as error:
            return await self._refuse_body(name, error.sample)
        return await self._take(name, body, request.headers.get("content-type", ""))

    async def _read(self, request: Request) -> bytes:
        """The body, given up as soon as it is known to be too large."""
        limit = self._limits.body_bytes
        announced = request.headers.get("content-length", "")
        if announced.isdigit() and int(announced) > limit:
            raise _TooLarge(b"")
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > limit:
                raise _TooLarge(bytes(body[:SAMPLE_BYTES]))
        return bytes(body)

    async def _refuse_body(self, name: str, sample: bytes) -> Response:
        reason = f"the body is larger than {self._limits.body_bytes} bytes"
        letter = rejection(
            source="door",
            raw=sample,
            code="body_too_large",
            reason=reason,
            place=f"key {name}",
            at=self._clock.now(),
        )
        try:
            await asyncio.to_thread(self._publish, _Sorted([], [(None, letter)], []))
        except LogError as error:
            log.error("A refused body could not be noted: %s", error)
        return _error(413, reason, {"Connection": "close"})

    async def _take(self, name: str, body: bytes, content_type: str) -> Response:
        # In a thread: checking 5 MB takes a while, syncing to disk too, and others wait at the door.
        sorted_ = await asyncio.to_thread(self._sort, body, content_type)
        try:
            await asyncio.to_thread(self._publish, sorted_)
        except LogError as error:
            self._note_log(fails=True)
            log.error("Events of '%s' were not taken: %s", name, error)
            return _error(
                503, "the log cannot be written; send again later", {"Retry-After": str(RETRY_SECONDS)}
            )
        self._note_log(fails=False)
        accepted, rejected = len(sorted_.good), len(sorted_.reasons)
        metrics.LINES.labels("accepted").inc(accepted)
        metrics.LINES.labels("refused").inc(rejected)
        log.log(
            logging.INFO if rejected else logging.DEBUG,
            "'%s': %d accepted, %d refused",
            name,
            accepted,
            rejected,
        )
        if rejected:
            return JSONResponse({"accepted": accepted, "rejected": sorted_.reasons}, 400)
        return JSONResponse({"accepted": accepted}, 202)

    def _note_log(self, *, fails: bool) -> None:
        self._log_fails = fails
        metrics.LOG_FAILS.set(fails)

    def _sort(self, body: bytes, content_type: str) -> _Sorted:
        result = _Sorted([], [], [])
        try:
            pieces = split_body(body, content_type)
        except EventError as error:
            self._refuse(result, Piece("index", 0, body), error, "body")
            return result
        for piece in pieces:
            try:
                now = self._clock.now()
                event = parse_line(piece.raw, now=now, **self._checks)
            except EventError as error:
                self._refuse(result, piece, error, f"{piece.name} {piece.number}")
                continue
            row = event_to_json(replace(event, received_at=now))
            key = event_key(event, several=self._several)
            result.good.append((key, json.dumps(row, ensure_ascii=False).encode()))
            result.pieces.append(piece)
        return result

    def _refuse(self, result: _Sorted, piece: Piece, error: EventError, place: str) -> None:
        reason = {"code": error.code, "field": error.field, "reason": error.reason}
        result.reasons.append({piece.name: piece.number, **reason})
        log.info(
            "refused: %s: %s",
            place,
            error.reason,
            extra={"code": error.code, "field": error.field, "place": place},
        )
        result.bad.append(
            (None, rejection(source="door", raw=piece.raw, place=place, at=self._clock.now(), **reason))  # type: ignore[arg-type]
        )

    def _publish(self, sorted_: _Sorted) -> None:
        with metrics.PUBLISH_SECONDS.time():
            try:
                if sorted_.good:
                    self._publisher.publish(CASE_EVENTS, sorted_.good)
            except MessagesRefusedError as error:
                self._refuse_for_good(sorted_, error.reasons)
            try:
                if sorted_.bad:
                    self._publisher.publish(REJECTED_LINES, sorted_.bad)
            except MessagesRefusedError as error:
                # The sender hears of it all the same, and 503 would make him send it for ever.
                log.error("Refused lines could not be noted: %s", error)

    def _refuse_for_good(self, sorted_: _Sorted, reasons: Mapping[int, str]) -> None:
        """What the log will never take, however often it is sent."""
        for index in sorted(reasons, reverse=True):
            piece = sorted_.pieces.pop(index)
            _, value = sorted_.good.pop(index)
            error = EventError("too_large", largest_field(value), f"the event {reasons[index]}")
            self._refuse(sorted_, piece, error, f"{piece.name} {piece.number}")


def create_door(
    publisher: Publisher,
    api_keys: Mapping[str, str],
    centres: Centres | None,
    clock: Clock,
    limits: DoorLimits | None = None,
    *,
    monotonic: Callable[[], float] = time.monotonic,
) -> Starlette:
    """The door as an ASGI application.

    Args:
        api_keys: key by the name of the system that uses it (see :func:`streams.access.load_api_keys`).
        centres: whose codes and windows events are checked against; None accepts any.
        clock: stamps ``received_at``.
        monotonic: real seconds, for the rate limit.
    """
    door = Door(publisher, KeyRing(api_keys), centres, clock, limits or DoorLimits(), monotonic)
    return Starlette(
        routes=[
            Route("/events", door.events, methods=["POST"]),
            Route("/healthz", door.health, methods=["GET"]),
        ]
    )


def _presented_key(request: Request) -> bytes:
    # Headers are latin-1 on the wire; a key of other letters was sent as its UTF-8 bytes.
    key = request.headers.get("x-api-key")
    if key is None:
        scheme, _, rest = request.headers.get("authorization", "").partition(" ")
        key = rest.strip() if scheme.lower() == "bearer" else ""
    return key.encode("latin-1", "replace")


def _error(status: int, reason: str, headers: Mapping[str, str] | None = None) -> Response:
    return JSONResponse({"error": reason}, status, headers=headers)
