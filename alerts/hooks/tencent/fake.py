"""Tencent Cloud's short message service on loopback: checks what the real one checks, keeps what it took, misbehaves."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from typing import Any

from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from alerts.hooks.approved import all_approved
from alerts.hooks.fake_server import FakeProvider
from alerts.hooks.tencent.config import Config
from alerts.hooks.tencent.hook import MOST_RECEIPTS, VERSION, TencentHook
from alerts.hooks.tencent.signature import CONTENT_TYPE, authorization

CLOCK_SKEW = 300
"""Seconds; a request of another time is refused."""


class FakeTencent(FakeProvider):
    """``with FakeTencent() as tencent: hook = tencent.hook() …``

    ``taken`` is what it has; ``report`` makes receipts of it, which are fetched once.
    """

    def __init__(self) -> None:
        super().__init__()
        self.secret = "only-for-tests"  # noqa: S105 - guards nothing
        self.taken: list[dict[str, Any]] = []
        self.waiting: list[dict[str, Any]] = []
        self.replies: list[dict[str, Any]] = []
        self.answers: list[str] = []
        """Codes to answer the next sends with instead of taking them."""
        self.a_day = 10**9
        """Messages to one number."""
        self._of_number: Counter[str] = Counter()

    def hook(self, *, timeout: float = 5.0, monotonic: Any = time.monotonic, **more: Any) -> TencentHook:
        """A hook that sends here."""
        config = Config(
            secret_id="AKID-test",  # noqa: S106 - names nobody
            secret=SecretStr(self.secret),
            app_id="1400006666",
            sign_name="明镜",
            templates=all_approved("{}", ["level", "rule"]),
            endpoint=self.url,
            timeout=timeout,
            **more,
        )
        return TencentHook(config, monotonic=monotonic)

    def report(self, status: str = "SUCCESS", description: str = "DELIVRD") -> None:
        """All that was taken has its receipt now."""
        for row in self.taken:
            self.waiting.append(
                row
                | {"ReportStatus": status, "Description": description, "UserReceiveTime": int(time.time())}
            )

    def serve(self, request: Request, body: bytes) -> Response:
        headers = request.headers
        stamp = int(headers["X-TC-Timestamp"])
        wanted = authorization(
            self.secret.encode(),
            "AKID-test",
            service="sms",
            host=headers["host"],
            action=headers["X-TC-Action"],
            stamp=stamp,
            body=body,
        )
        if headers["X-TC-Version"] != VERSION or headers["content-type"] != CONTENT_TYPE:
            return _error("InvalidParameter")
        if abs(time.time() - stamp) > CLOCK_SKEW:
            return _error("AuthFailure.SignatureExpire")
        if headers["Authorization"] != wanted:
            return _error("AuthFailure.SignatureFailure")
        asked = json.loads(body)
        if headers["X-TC-Action"] == "SendSms":
            return self._send(asked)
        if asked["Limit"] > MOST_RECEIPTS:
            return _error("InvalidParameterValue.LimitGreaterThan100")
        if headers["X-TC-Action"] == "PullSmsSendStatusByPhoneNumber":
            rows = [row for row in self.waiting if row["PhoneNumber"] == asked["PhoneNumber"]]
            return _answer(PullSmsSendStatusSet=rows)
        if headers["X-TC-Action"] == "PullSmsReplyStatus":
            given, self.replies = self.replies, []
            return _answer(PullSmsReplyStatusSet=given)
        given, self.waiting = self.waiting[: asked["Limit"]], self.waiting[asked["Limit"] :]
        return _answer(PullSmsSendStatusSet=given)

    def _send(self, asked: dict[str, Any]) -> Response:
        (number,) = asked["PhoneNumberSet"]
        code = self.answers.pop(0) if self.answers else self._take_message(asked, number)
        row = {"SerialNo": "", "PhoneNumber": number, "Code": code, "Message": f"text that may name {number}"}
        if code == "Ok":
            row["SerialNo"] = self.taken[-1]["SerialNo"]
        return _answer(SendStatusSet=[row])

    def _take_message(self, asked: dict[str, Any], number: str) -> str:
        if not re.fullmatch(r"\+861\d{10}", number):
            return "InvalidParameterValue.IncorrectPhoneNumber"
        if len(asked["TemplateParamSet"]) != 2:
            return "FailedOperation.TemplateParamSetNotMatchApprovedTemplate"
        self._of_number[number] += 1
        if self._of_number[number] > self.a_day:
            return "LimitExceeded.PhoneNumberDailyLimit"
        self.taken.append(
            {
                "SerialNo": f"2640:{len(self.taken) + 1}",
                "PhoneNumber": number,
                "SessionContext": asked["SessionContext"],
                "values": asked["TemplateParamSet"],
            }
        )
        return "Ok"


def _answer(**more: Any) -> Response:
    return JSONResponse({"Response": more | {"RequestId": "R"}})


def _error(code: str) -> Response:
    return _answer(Error={"Code": code, "Message": "text that may name 13800000001"})
