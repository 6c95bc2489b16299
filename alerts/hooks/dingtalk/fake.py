"""DingTalk's robot on loopback: checks what the real one checks, keeps what it took, misbehaves on command."""

from __future__ import annotations

import json
import time
from typing import Any

from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from alerts.hooks.dingtalk.config import Config
from alerts.hooks.dingtalk.hook import DingtalkHook, sign
from alerts.hooks.fake_server import FakeProvider

A_MINUTE = 20


class FakeDingtalk(FakeProvider):
    """``with FakeDingtalk() as robot: robot.hook().send(…)``; ``taken`` are the texts of the group."""

    def __init__(self) -> None:
        super().__init__()
        self.taken: list[dict[str, Any]] = []
        self.answers: list[int] = []
        """Codes to answer next instead of taking the message."""
        self._moments: list[float] = []

    def hook(self, *, timeout: float = 5.0, **more: Any) -> DingtalkHook:
        """A hook that sends here."""
        config = Config(
            url=SecretStr(f"{self.url}/robot/send?access_token=t"),
            timeout=timeout,
            secret=SecretStr("SEC-test"),
            **more,
        )
        return DingtalkHook(config)

    def serve(self, request: Request, body: bytes) -> Response:
        said = json.loads(body)
        now = time.time()
        if self.answers:
            return _answer(self.answers.pop(0))
        if not _signed(request, now):
            return _answer(310000)
        self._moments = [at for at in self._moments if now - at < 60]
        if len(self._moments) >= A_MINUTE:
            return _answer(130101)
        self._moments.append(now)
        self.taken.append(said)
        return _answer(0)


def _signed(request: Request, now: float) -> bool:
    stamp = request.query_params.get("timestamp", "0")
    fresh = abs(now - int(stamp) / 1000) < 3600
    return fresh and request.query_params.get("sign") == sign(b"SEC-test", stamp)


def _answer(code: int) -> Response:
    return JSONResponse({"errcode": code, "errmsg": "ok" if code == 0 else "text that may name somebody"})
