"""A mapped gateway on loopback: takes what the cloud MAS described in README.md takes, and misbehaves on command."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from alerts.hooks.fake_server import FakeProvider
from alerts.hooks.http_map.config import Config
from alerts.hooks.http_map.hook import HttpMapHook

#: China Mobile cloud MAS as far as it is publicly described; see README.md.
MAS: dict[str, Any] = {
    "body": "json-base64",
    "constants": {"ec": "某市政务服务中心", "ap": "mingjing", "sign": "SIGN01", "serial": ""},
    "digests": {"mac": {"of": "{ec}{ap}{secret}{to}{text}{sign}{serial}", "algorithm": "md5"}},
    "fields": {
        "ecName": "{ec}",
        "apId": "{ap}",
        "mobiles": "{to}",
        "content": "{text}",
        "sign": "{sign}",
        "addSerial": "{serial}",
        "mac": "{mac}",
    },
    "answer": {
        "code": "rspcod",
        "good": ["success"],
        "unclear": ["InternalError"],
        "too_many": ["TooManyRequests"],
        "id": "msgGroup",
    },
}


class FakeMas(FakeProvider):
    """``with FakeMas() as mas: mas.hook().send(…)``; ``taken`` is what it has."""

    def __init__(self) -> None:
        super().__init__()
        self.secret = "only-for-tests"  # noqa: S105 - guards nothing
        self.taken: list[dict[str, Any]] = []
        self.answers: list[str] = []

    def hook(self, *, timeout: float = 5.0, **more: Any) -> HttpMapHook:
        """A hook that sends here."""
        settings = MAS | {
            "url": f"{self.url}/sms/norsubmit",
            "timeout": timeout,
            "secret": SecretStr(self.secret),
        }
        return HttpMapHook(Config.model_validate(settings | more))

    def serve(self, request: Request, body: bytes) -> Response:
        said = json.loads(base64.b64decode(body))
        signed = "".join((said["ecName"], said["apId"], self.secret, said["mobiles"], said["content"]))
        signed += said["sign"] + said["addSerial"]
        code = self.answers.pop(0) if self.answers else "success"
        if said["mac"] != hashlib.md5(signed.encode(), usedforsecurity=False).hexdigest():
            code = "IllegalMac"
        if code != "success":
            return JSONResponse({"rspcod": code, "success": False})
        self.taken.append(said)
        return JSONResponse({"rspcod": "success", "msgGroup": f"G{len(self.taken)}", "success": True})
