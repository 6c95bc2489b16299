"""The gateway as a real HTTP server on loopback that misbehaves on command."""

from __future__ import annotations

import socket
import threading
import time
from collections import deque
from pathlib import Path
from types import TracebackType
from typing import Self

import uvicorn
from pydantic import SecretStr

from alerts.hooks.http_json.config import Config
from alerts.hooks.http_json.gateway import GOOD, Behaviour, Gateway
from alerts.hooks.http_json.hook import HttpJsonHook
from alerts.hooks.http_json.inbox import Inbox


class FakeGateway:
    """``with FakeGateway() as gateway: gateway.will(Behaviour("status", status=500)); …``

    Args:
        db_path: keeps messages over a restart; default: in memory.
        always: how every message is treated for which nothing was commanded.
    """

    def __init__(
        self,
        db_path: Path | str = ":memory:",
        *,
        secret: bytes = b"only for tests, not secret",
        always: Behaviour = GOOD,
    ) -> None:
        self.secret, self.always = secret, always
        self.inbox = Inbox(db_path)
        self._commanded: deque[Behaviour] = deque()
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        gateway = Gateway(self.inbox, secret, behaviour=self._next)
        self._server = uvicorn.Server(
            uvicorn.Config(
                gateway.app,
                log_level="critical",
                access_log=False,
                lifespan="off",
                timeout_graceful_shutdown=1,
            )
        )
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, daemon=True
        )

    def will(self, *behaviours: Behaviour) -> None:
        """The next messages are treated so, one each."""
        self._commanded.extend(behaviours)

    def hook(self, *, timeout: float = 5.0, can_query: bool = True) -> HttpJsonHook:
        """A hook that sends here."""
        query_url = f"{self.url}/messages/{{key}}" if can_query else None
        config = Config(
            url=f"{self.url}/messages",
            query_url=query_url,
            secret=SecretStr(self.secret.decode()),
            timeout=timeout,
        )
        return HttpJsonHook(config)

    def counts(self) -> dict[str, dict[str, int]]:
        """key → {accepted, requests}."""
        return self.inbox.counts()

    def _next(self) -> Behaviour:
        try:
            return self._commanded.popleft()
        except IndexError:
            return self.always

    def __enter__(self) -> Self:
        self._thread.start()
        while not self._server.started:
            time.sleep(0.005)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        self._thread.join(5)
        self._socket.close()
        self.inbox.close()
