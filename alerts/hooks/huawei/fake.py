"""Huawei Cloud's short message service on loopback: checks what the real one checks, keeps what it took, misbehaves."""

from __future__ import annotations

import json
import re
import time
from typing import Any
from urllib.parse import parse_qsl, urlencode

from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from alerts.hooks.approved import all_approved
from alerts.hooks.fake_server import FakeProvider
from alerts.hooks.huawei.config import Config
from alerts.hooks.huawei.hook import GOOD, HuaweiHook, password_digest

_TOKEN = re.compile(r'UsernameToken Username="(.+)",PasswordDigest="(.+)",Nonce="(.+)",Created="(.+)"')


class FakeHuawei(FakeProvider):
    """``with FakeHuawei() as huawei: huawei.hook().send(…)``; ``taken`` is what it has."""

    def __init__(self) -> None:
        super().__init__()
        self.secret = "only-for-tests"  # noqa: S105 - guards nothing
        self.taken: list[dict[str, Any]] = []
        self.answers: list[str] = []

    def hook(self, *, timeout: float = 5.0, monotonic: Any = time.monotonic, **more: Any) -> HuaweiHook:
        """A hook that sends here."""
        config = Config(
            app_key="key",
            secret=SecretStr(self.secret),
            url=self.url,
            sender="8820032023657",
            sign_name="明镜",
            templates=all_approved("t{}", ["level"]),
            timeout=timeout,
            **more,
        )
        return HuaweiHook(config, monotonic=monotonic)

    def receipt(self, index: int = 0, status: str = "DELIVRD") -> bytes:
        """The body that would be pushed about one message."""
        row = self.taken[index]
        form = {
            "smsMsgId": row["id"],
            "status": status,
            "updateTime": "2026-11-20T01:02:03Z",
            "extend": row["extend"],
        }
        return urlencode(form).encode()

    def serve(self, request: Request, body: bytes) -> Response:
        token = _TOKEN.fullmatch(request.headers.get("x-wsse", ""))
        if not token or token[2] != password_digest(self.secret.encode(), token[3], token[4]):
            return JSONResponse(
                {"code": "E000105", "description": "The app_key is invalid."}, status_code=401
            )
        form = dict(parse_qsl(body.decode()))
        if self.answers:
            return JSONResponse(
                {"code": self.answers.pop(0), "description": "text that may name 13800000001"}
            )
        if not re.fullmatch(r"\+861\d{10}", form["to"]) or len(json.loads(form["templateParas"])) != 1:
            return JSONResponse({"code": "E000510", "description": "…", "result": [{"status": "E200015"}]})
        row = {
            "id": f"msg-{len(self.taken) + 1}",
            "to": form["to"],
            "values": json.loads(form["templateParas"]),
        }
        self.taken.append(row | {"extend": form["extend"], "signature": form["signature"]})
        result = [{"originTo": form["to"], "from": form["from"], "smsMsgId": row["id"], "status": GOOD}]
        return JSONResponse({"code": GOOD, "description": "Success", "result": result})
