"""The gateway as a real HTTP server on loopback that misbehaves on command."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from types import TracebackType

from pydantic import SecretStr

from alerts.hooks.fake_server import FakeServer
from alerts.hooks.http_json.config import Config
from alerts.hooks.http_json.gateway import GOOD, Behaviour, Gateway
from alerts.hooks.http_json.hook import HttpJsonHook
from alerts.hooks.http_json.inbox import Inbox


class FakeGateway(FakeServer):
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
        super().__init__(Gateway(self.inbox, secret, behaviour=self._next).app)

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

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        self.inbox.close()
