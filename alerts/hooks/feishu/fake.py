"""Feishu's robot on loopback: checks what the real one checks, keeps what it took, misbehaves on command."""

from __future__ import annotations

import json
import time
from typing import Any

from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from alerts.hooks.fake_server import FakeProvider
from alerts.hooks.feishu.config import Config
from alerts.hooks.feishu.hook import FeishuHook, sign

A_MINUTE = 100


class FakeFeishu(FakeProvider):
    """``with FakeFeishu() as robot: robot.hook().send(…)``; ``taken`` are the texts of the group."""

    def __init__(self) -> None:
        super().__init__()
        self.taken: list[dict[str, Any]] = []
        self.answers: list[int] = []
        """Codes to answer next instead of taking the message."""
        self._moments: list[float] = []

    def hook(self, *, timeout: float = 5.0, **more: Any) -> FeishuHook:
        """A hook that sends here."""
        config = Config(
            url=SecretStr(f"{self.url}/open-apis/bot/v2/hook/h"),
            timeout=timeout,
            secret=SecretStr("sec"),
            **more,
        )
        return FeishuHook(config)

    def serve(self, request: Request, body: bytes) -> Response:
        said = json.loads(body)
        now = time.time()
        if self.answers:
            return _answer(self.answers.pop(0))
        if said.get("sign") != sign(b"sec", said["timestamp"]) or abs(now - int(said["timestamp"])) > 3600:
            return _answer(19021)
        self._moments = [at for at in self._moments if now - at < 60]
        if len(self._moments) >= A_MINUTE:
            return _answer(11232)
        self._moments.append(now)
        self.taken.append(said)
        return _answer(0)


def _answer(code: int) -> Response:
    return JSONResponse({"code": code, "msg": "ok" if code == 0 else "text that may name somebody"})
