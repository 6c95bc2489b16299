"""Where gateways push receipts and replies: ``/receipts/<channel>``.

What proves a gateway (a token in the address, a signature) its hook checks. The answer says "we have it" only when the database
has it: whoever hears anything else pushes again.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from http import HTTPStatus

import psycopg
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from alerts.hooks.base import CanReceive, Hook
from alerts.leases import Follow
from alerts.receipt_rounds import take_pushed
from domain.clock import Clock
from store import Connection, connect

log = logging.getLogger(__name__)

LARGEST = 1 << 20
"""Bytes of one push; providers send some hundred receipts of some hundred bytes."""
_QUERY = re.compile(r"(/receipts/[^?\s]*\?)\S*")


class QueryFilter(logging.Filter):
    """Keeps the tokens of the gateways' addresses out of a log of requests."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(_QUERY.sub(r"\1…", a) if isinstance(a, str) else a for a in record.args)
        return True


def create_receipts_app(
    dsn: str,
    clock: Clock,
    hooks: Mapping[str, Hook],
    *,
    connector: Callable[[str], Connection] | None = None,
    follow: Follow | None = None,
) -> Starlette:
    """An ASGI application to be mounted at ``/receipts``.

    Args:
        hooks: channel → hook; those that receive nothing are as if they were not there.
        connector: for tests; by default one short connection a request.
        follow: sends a message that has not arrived on by its next channel.
    """
    access = logging.getLogger("uvicorn.access")
    if not any(isinstance(known, QueryFilter) for known in access.filters):
        access.addFilter(QueryFilter())
    receiving = {name: hook for name, hook in hooks.items() if isinstance(hook, CanReceive)}
    open_connection = connector or (
        lambda address: connect(address, application="mingjing-receipts", autocommit=True)
    )

    def take(channel: str, request: Request, body: bytes) -> Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        try:
            pushed = receiving[channel].read_push(headers, dict(request.query_params), body)
        except PermissionError:
            log.warning("channel %s: a push without proof was refused", channel)
            return _plain(HTTPStatus.FORBIDDEN)
        except ValueError as error:
            # Only what the hook says of it; the body may hold numbers.
            log.warning("channel %s: a push cannot be read (%s)", channel, type(error).__name__)
            return _plain(HTTPStatus.BAD_REQUEST)
        try:
            with open_connection(dsn) as connection:
                take_pushed(connection, channel, pushed, clock, follow=follow)
        except psycopg.Error as error:
            log.warning("channel %s: a push waits: database away (%s)", channel, type(error).__name__)
            return _plain(HTTPStatus.SERVICE_UNAVAILABLE)
        return Response(pushed.answer, media_type=pushed.content_type)

    async def answer(request: Request) -> Response:
        channel = request.path_params["channel"]
        if channel not in receiving:
            return _plain(HTTPStatus.NOT_FOUND)
        try:
            body = await _body(request)
        except ClientDisconnect:
            return _plain(HTTPStatus.BAD_REQUEST)
        if body is None:
            return _plain(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        return await run_in_threadpool(take, channel, request, body)

    return Starlette(routes=[Route("/{channel}", answer, methods=["POST"])])


async def _body(request: Request) -> bytes | None:
    """The body; None if it is too large, of which no more is read than that shows."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > LARGEST:
            return None
        parts.append(part)
    return b"".join(parts)


def _plain(status: HTTPStatus) -> Response:
    return Response(status.phrase, status_code=status, media_type="text/plain")
