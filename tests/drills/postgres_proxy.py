"""A wire between our processes and PostgreSQL that can be cut at the worst moment.

It listens on a Unix socket, speaks enough of the protocol to know who connects (``application_name``) and which statement
passes, and cuts a connection before a chosen statement reaches the server, or after the server has done it and
before its answer reaches the client: the client cannot know which of the two happened.
"""

from __future__ import annotations

import asyncio
import struct
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

_SSL, _GSS, _CANCEL = 80877103, 80877104, 80877102
_READY = b"Z\x00\x00\x00\x05"


@dataclass(slots=True)
class Cut:
    """One trap. Taken by the first ``times`` statements that fit.

    Args:
        application: exact ``application_name``.
        statement: a part of the statement's text, in lower case.
        before: True: the server never sees it. False: the server has done it, the client never hears so.
        following: only in a transaction in which a statement with this part has passed.
    """

    application: str
    statement: str
    before: bool
    following: str = ""
    times: int = 1
    sprung: threading.Event = field(default_factory=threading.Event)

    def __str__(self) -> str:
        what = f"{self.statement} of {self.following}" if self.following else self.statement
        return f"{self.application} cut {'before' if self.before else 'after'} {what}"


class PostgresProxy:
    """A context manager. ``arm`` and ``count`` may be called from any thread.

    Args:
        folder: where the socket is made; short, for Unix sockets have short names.
        server: the server's socket.
    """

    def __init__(self, folder: Path, server: Path) -> None:
        self.folder, self._server = folder, server
        self._cuts: list[Cut] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="postgres-proxy", daemon=True)

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._thread.start()
        path = self.folder / self._server.name
        asyncio.run_coroutine_threadsafe(asyncio.start_unix_server(self._serve, path), self._loop).result(5)
        return self

    def __exit__(self, *_: object) -> None:
        async def end() -> None:
            for task in asyncio.all_tasks():
                if task is not asyncio.current_task():
                    task.cancel()

        asyncio.run_coroutine_threadsafe(end(), self._loop).result(5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    def arm(self, cut: Cut) -> Cut:
        self._cuts.append(cut)
        return cut

    def disarm(self) -> None:
        self._cuts.clear()

    # -- one connection

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server: asyncio.StreamWriter | None = None
        try:
            startup = await self._startup(reader, writer)
            answers, server = await asyncio.open_unix_connection(self._server)
            server.write(startup)
            wire = _Wire(self, _application(startup), reader, writer, answers, server)
            done, others = await asyncio.wait(
                [asyncio.ensure_future(wire.forth()), asyncio.ensure_future(wire.back())],
                return_when=asyncio.FIRST_COMPLETED,
            )
            for task in others:
                task.cancel()
            for task in done:
                task.exception()
        except (OSError, EOFError, asyncio.CancelledError):
            pass
        finally:
            for each in (writer, server):
                if each is not None:
                    each.transport.abort()

    async def _startup(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        while True:
            head = await reader.readexactly(8)
            length, code = struct.unpack("!II", head)
            if code not in (_SSL, _GSS):
                return head + await reader.readexactly(length - 8)
            writer.write(b"N")

    def fitting(self, application: str, statement: str, passed: Sequence[str]) -> Cut | None:
        """The trap this statement springs, after what has passed in its transaction; it counts as taken."""
        for cut in list(self._cuts):
            if (
                cut.application == application
                and cut.statement in statement
                and (not cut.following or any(cut.following in each for each in passed))
            ):
                cut.times -= 1
                if cut.times <= 0:
                    self._cuts.remove(cut)
                return cut
        return None


def _application(startup: bytes) -> str:
    if struct.unpack("!I", startup[4:8])[0] == _CANCEL:
        return ""
    words = startup[8:].split(b"\x00")
    values = dict(zip(words[::2], words[1::2], strict=False))
    return values.get(b"application_name", b"").decode()


class _Wire:
    """Both directions of one connection."""

    def __init__(
        self,
        proxy: PostgresProxy,
        application: str,
        client: asyncio.StreamReader,
        to_client: asyncio.StreamWriter,
        server: asyncio.StreamReader,
        to_server: asyncio.StreamWriter,
    ) -> None:
        self._proxy, self._application = proxy, application
        self._client, self._to_client = client, to_client
        self._server, self._to_server = server, to_server
        self._statements: dict[bytes, str] = {}
        self._passed: list[str] = []  # statements of the transaction
        self._swallow: Cut | None = None  # answers are no longer passed on; at the end of this one we cut

    async def forth(self) -> None:
        """From the client to the server, message by message. Returns when the connection is to be cut."""
        while True:
            head = await self._client.readexactly(5)
            body = await self._client.readexactly(struct.unpack("!I", head[1:])[0] - 4)
            text = self._text(head[:1], body)
            if text is not None:
                text = text.lower()
                if (cut := self._proxy.fitting(self._application, text, self._passed)) is not None:
                    if cut.before:
                        cut.sprung.set()
                        return
                    self._swallow = cut
                if text.startswith("begin"):
                    self._passed.clear()
                if len(self._passed) < 1000:
                    self._passed.append(text)
            self._to_server.write(head + body)
            await self._to_server.drain()

    def _text(self, kind: bytes, body: bytes) -> str | None:
        """The statement that this message runs, if it runs one."""
        if kind == b"Q":
            return body[:-1].decode("utf-8", "replace")
        if kind == b"P":
            name, query, _ = body.split(b"\x00", 2)
            self._statements[name] = query.decode("utf-8", "replace")
        if kind == b"B":
            return self._statements.get(body.split(b"\x00", 2)[1], "")
        return None

    async def back(self) -> None:
        """From the server to the client, as it comes."""
        while data := await self._server.read(65536):
            if self._swallow is not None:
                # The server is ready for the next statement: this one is done.
                if data[-6:-1] == _READY:
                    self._swallow.sprung.set()
                    return
                continue
            self._to_client.write(data)
            await self._to_client.drain()
