"""A service that apprise's own plug-in ``json://`` speaks to, on loopback; misbehaves on command."""

from __future__ import annotations

import json
from typing import Any

from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from alerts.hooks.apprise.config import Config
from alerts.hooks.apprise.hook import AppriseHook
from alerts.hooks.fake_server import FakeProvider


class FakeService(FakeProvider):
    """``with FakeService() as service: service.hook().send(…)``; ``taken`` is (path, what was posted)."""

    def __init__(self) -> None:
        super().__init__()
        self.taken: list[tuple[str, dict[str, Any]]] = []

    def hook(self) -> AppriseHook:
        """A hook that sends here."""
        return AppriseHook(Config(url=SecretStr(self.url.replace("http://", "json://") + "/{to}")))

    def serve(self, request: Request, body: bytes) -> Response:
        self.taken.append((request.url.path, json.loads(body)))
        return JSONResponse({})
