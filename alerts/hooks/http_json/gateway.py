"""A little gateway of our own: takes signed messages, each key once, and shows them as phones would.

For the demo, for drills and, with misbehaviour on command, for tests. It charges nobody and reaches nobody.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
import ipaddress
import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from alerts.hooks.http_json.inbox import Inbox
from alerts.hooks.http_json.phones import phones_page, phones_part
from alerts.hooks.http_json.signature import KEY, SIGNATURE, TIMESTAMP, is_signed
from domain.errors import SettingsError

LONGEST_BODY = 65536
_FIELDS = ("idempotency_key", "to", "template", "text", "created_at")


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How to treat one message.

    ``slow`` answers after ``seconds``; ``status`` answers ``status`` (with Retry-After); ``cut`` breaks the
    connection; ``garbage`` answers 200 with nonsense; ``accept_twice`` forgets that it has the message.
    ``accept``: whether the message is taken before misbehaving.
    """

    kind: Literal["ok", "slow", "status", "cut", "garbage", "accept_twice"] = "ok"
    seconds: float = 0.0
    status: int = 500
    retry_after: str | None = None
    accept: bool = False


GOOD = Behaviour()


class Cut(Response):
    """Begins an answer and hangs up."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-type", b"application/json"), (b"content-length", b"100")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})


class Gateway:
    """The gateway as an ASGI application, ``app``.

    Args:
        secret: verifies signatures.
        names: phone → whose it is, for the page.
        behaviour: asked once for each message that is well signed.
        page_key: password of the pages (any user name); None: no password, for loopback only.
        now: real seconds since the epoch.
    """

    def __init__(
        self,
        inbox: Inbox,
        secret: bytes,
        *,
        names: Mapping[str, str] | None = None,
        behaviour: Callable[[], Behaviour] = lambda: GOOD,
        page_key: str | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.inbox, self._secret, self._names = inbox, secret, dict(names or {})
        self._behaviour, self._page_key, self._now = behaviour, page_key, now
        self.app = Starlette(
            routes=[
                Route("/messages", self._take, methods=["POST"]),
                Route("/messages.json", self._list),
                Route("/messages/{key:path}", self._find),
                Route("/phones", self._part),
                Route("/healthz", self._health),
                Route("/", self._page),
            ]
        )

    # -- for senders

    async def _take(self, request: Request) -> Response:
        body = await _read(request)
        if body is None:
            return _refuse(413, "too_large")
        if not self._is_signed(request, body):
            return _refuse(401, "bad_signature")
        try:
            message = json.loads(body)
            if not all(isinstance(message[name], str) and message[name] for name in _FIELDS):
                raise ValueError
        except (ValueError, KeyError, TypeError, RecursionError):
            return _refuse(400, "not_a_message")
        key = message["idempotency_key"]
        await run_in_threadpool(self.inbox.count_request, key)
        how = self._behaviour()
        if how.kind == "slow":
            await asyncio.sleep(how.seconds)
        if how.kind in ("status", "cut", "garbage") and not how.accept:
            return _misbehave(how)
        receipt = await run_in_threadpool(
            self.inbox.accept, message, self._now(), again=how.kind == "accept_twice"
        )
        if how.kind in ("status", "cut", "garbage"):
            return _misbehave(how)
        if receipt.outcome == "conflict":
            return _refuse(422, "key_used_with_another_body")
        answer = {"id": receipt.provider_id, "status": "accepted", "duplicate": receipt.outcome == "known"}
        return JSONResponse(answer, status_code=202)

    async def _find(self, request: Request) -> Response:
        key = request.path_params["key"]
        if not self._is_signed(request, key.encode()):
            return _refuse(401, "bad_signature")
        provider_id = await run_in_threadpool(self.inbox.find, key)
        return (
            _refuse(404, "unknown")
            if provider_id is None
            else JSONResponse({"id": provider_id, "status": "accepted"})
        )

    def _is_signed(self, request: Request, signed: bytes) -> bool:
        stamp, signature = request.headers.get(TIMESTAMP, ""), request.headers.get(SIGNATURE, "")
        return bool(request.headers.get(KEY)) and is_signed(
            self._secret, stamp, signature, signed, self._now()
        )

    # -- for people and drills

    async def _health(self, request: Request) -> Response:
        return JSONResponse({"ok": True})

    async def _list(self, request: Request) -> Response:
        """Every key with how often it was accepted and asked for, and the newest messages."""
        if not self._may_look(request):
            return _ask_password()
        counts = await run_in_threadpool(self.inbox.counts)
        messages = await run_in_threadpool(self.inbox.newest)
        listed: list[dict[str, Any]] = [
            {"key": m.key, "to": m.phone, "template": m.template, "text": m.text, "created_at": m.created_at,
             "received_at": m.received_at, "id": m.provider_id}
            for m in messages
        ]  # fmt: skip
        totals = {
            "keys": len(counts),
            "accepted": sum(count["accepted"] for count in counts.values()),
            "requests": sum(count["requests"] for count in counts.values()),
        }
        return JSONResponse(
            {"totals": totals, "counts": counts, "messages": listed}, headers={"Cache-Control": "no-store"}
        )

    async def _part(self, request: Request) -> Response:
        if not self._may_look(request):
            return _ask_password()
        return HTMLResponse(await self._phones(request), headers={"Cache-Control": "no-store"})

    async def _page(self, request: Request) -> Response:
        if not self._may_look(request):
            return _ask_password()
        nonce = secrets.token_urlsafe(12)
        policy = (
            f"default-src 'none'; style-src 'unsafe-inline'; script-src 'nonce-{nonce}'; connect-src 'self'; "
            "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
        page = phones_page(await self._phones(request), _language(request), nonce)
        return HTMLResponse(
            page,
            headers={
                "Content-Security-Policy": policy,
                "Cache-Control": "no-store",
                "Referrer-Policy": "no-referrer",
                "X-Content-Type-Options": "nosniff",
            },
        )

    async def _phones(self, request: Request) -> str:
        messages = await run_in_threadpool(self.inbox.newest)
        totals = await run_in_threadpool(self.inbox.totals)
        return phones_part(messages, totals, self._names, _language(request))

    def _may_look(self, request: Request) -> bool:
        if self._page_key is None:
            return True
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        try:
            password = base64.b64decode(given, validate=True).partition(b":")[2]
        except (binascii.Error, ValueError):
            return False
        return scheme.lower() == "basic" and hmac.compare_digest(password, self._page_key.encode())


def _language(request: Request) -> str:
    return "en" if request.query_params.get("lang") == "en" else "zh-CN"


async def _read(request: Request) -> bytes | None:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LONGEST_BODY:
            return None
    return bytes(body)


def _refuse(status: int, error: str) -> Response:
    return JSONResponse({"error": error}, status_code=status)


def _ask_password() -> Response:
    return Response(
        status_code=401, headers={"WWW-Authenticate": 'Basic realm="mingjing gateway", charset="UTF-8"'}
    )


def _misbehave(how: Behaviour) -> Response:
    if how.kind == "cut":
        return Cut()
    if how.kind == "garbage":
        return HTMLResponse("<html>Welcome to the hotel's network</html>")
    headers = {"Retry-After": how.retry_after} if how.retry_after else None
    return JSONResponse({"error": "on_command"}, status_code=how.status, headers=headers)


def is_loopback(host: str) -> bool:
    """Whether an address can be reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def run_gateway(
    host: str,
    port: int,
    db_path: Path | str,
    secret: bytes,
    *,
    names: Mapping[str, str] | None = None,
    page_key: str | None = None,
) -> None:
    """Serves the gateway until SIGTERM or SIGINT.

    Raises:
        SettingsError: asked to listen beyond this machine without a password for its pages.
    """
    import uvicorn

    if page_key is None and not is_loopback(host):
        raise SettingsError(f"the gateway's page shows messages; listening on {host} needs a password for it")
    inbox = Inbox(db_path)
    try:
        gateway = Gateway(inbox, secret, names=names, page_key=page_key)
        uvicorn.run(
            gateway.app,
            host=host,
            port=port,
            access_log=False,
            log_level="warning",
            timeout_graceful_shutdown=3,
        )
    finally:
        inbox.close()
