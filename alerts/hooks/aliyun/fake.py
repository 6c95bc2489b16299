"""Aliyun's short message service on loopback: checks what the real one checks, keeps what it took, misbehaves on command."""

from __future__ import annotations

import json
import re
from collections import Counter
from datetime import UTC, datetime
from typing import Any

from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from alerts.hooks.aliyun.config import Config
from alerts.hooks.aliyun.hook import BEIJING, PAGE, VERSION, AliyunHook
from alerts.hooks.aliyun.signature import authorization, canonical_query
from alerts.hooks.approved import all_approved
from alerts.hooks.fake_server import FakeProvider

A_DAY = 50
"""Messages of one signature and template to one number and day (help.aliyun.com/document_detail/108293.html)."""
CLOCK_SKEW = 900.0
"""Seconds; a request of another time is refused."""


class FakeAliyun(FakeProvider):
    """``with FakeAliyun() as aliyun: hook = aliyun.hook() …``; ``taken`` is what it has, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.secret = "only-for-tests"  # noqa: S105 - guards nothing
        self.taken: list[dict[str, Any]] = []
        self.answers: list[str] = []
        """Codes to answer the next sends with instead of taking them."""
        self._nonces: set[str] = set()
        self._a_day: Counter[tuple[str, str, str]] = Counter()

    def hook(self, *, timeout: float = 5.0, **more: Any) -> AliyunHook:
        """A hook that sends here."""
        config = Config(
            access_key_id="LTAI-test",
            secret=SecretStr(self.secret),
            sign_name="明镜",
            templates=all_approved("SMS_{}", ["level"]),
            endpoint=self.url,
            timeout=timeout,
            **more,
        )
        return AliyunHook(config)

    def receipts(self, fate: bool = True, code: str = "DELIVERED") -> bytes:
        """The body of a push about all it has."""
        rows = [
            {
                "phone_number": row["PhoneNum"],
                "send_time": row["SendDate"],
                "report_time": row["SendDate"],
                "success": fate,
                "err_code": code,
                "err_msg": "",
                "sms_size": "1",
                "biz_id": row["BizId"],
                "out_id": row["OutId"],
            }
            for row in self.taken
        ]
        return json.dumps(rows).encode()

    def serve(self, request: Request, body: bytes) -> Response:
        asked = dict(request.query_params)
        if refused := self._check(request, asked, body):
            return _answer(refused, status=400)
        if request.headers["x-acs-action"] == "QuerySendDetails":
            return self._details(asked)
        if self.answers:
            return _answer(self.answers.pop(0))
        return _answer(self._take_message(asked), BizId=f"{len(self.taken)}^0")

    def _check(self, request: Request, asked: dict[str, str], body: bytes) -> str | None:
        headers = {name.lower(): value for name, value in request.headers.items()}
        signed = {n: v for n, v in headers.items() if n == "host" or n.startswith("x-acs-")}
        if headers.get("x-acs-version") != VERSION:
            return "InvalidVersion"
        at = datetime.strptime(headers["x-acs-date"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        if abs((datetime.now(UTC) - at).total_seconds()) > CLOCK_SKEW:
            return "InvalidTimeStamp.Expired"
        nonce = headers["x-acs-signature-nonce"]
        if nonce in self._nonces:
            return "SignatureNonceUsed"
        self._nonces.add(nonce)
        wanted = authorization(
            self.secret.encode(), "LTAI-test", request.method, "/", canonical_query(asked), signed, body
        )
        return None if headers.get("authorization") == wanted else "SignatureDoesNotMatch"

    def _take_message(self, asked: dict[str, str]) -> str:
        number = asked["PhoneNumbers"]
        if not re.fullmatch(r"(\+?86)?1\d{10}", number):
            return "isv.MOBILE_NUMBER_ILLEGAL"
        if not asked["TemplateCode"].startswith("SMS_"):
            return "isv.SMS_TEMPLATE_ILLEGAL"
        values = json.loads(asked["TemplateParam"])
        if not values or not all(isinstance(value, str) for value in values.values()):
            return "isv.INVALID_JSON_PARAM"
        now = datetime.now(BEIJING)
        of_day = (number, asked["TemplateCode"], f"{now:%Y%m%d}")
        if self._a_day[of_day] >= A_DAY:
            return "isv.BUSINESS_LIMIT_CONTROL"
        self._a_day[of_day] += 1
        self.taken.append(
            {
                "PhoneNum": number,
                "OutId": asked["OutId"],
                "SendDate": f"{now:%Y-%m-%d %H:%M:%S}",
                "SendStatus": 1,
                "ErrCode": "",
                "TemplateCode": asked["TemplateCode"],
                "BizId": f"{len(self.taken) + 1}^0",
                "values": values,
            }
        )
        return "OK"

    def _details(self, asked: dict[str, str]) -> Response:
        day = asked["SendDate"]
        rows = [
            {name: value for name, value in row.items() if name not in ("BizId", "values")}
            for row in self.taken
            if row["PhoneNum"] == asked["PhoneNumber"] and row["SendDate"][:10].replace("-", "") == day
        ]
        size, page = int(asked["PageSize"]), int(asked["CurrentPage"])
        if size > PAGE:
            return _answer("isv.INVALID_PARAMETERS")
        part = rows[size * (page - 1) : size * page]
        return _answer("OK", TotalCount=str(len(rows)), SmsSendDetailDTOs={"SmsSendDetailDTO": part})


def _answer(code: str, *, status: int = 200, **more: Any) -> Response:
    return JSONResponse(
        {
            "Code": code,
            "Message": "OK" if code == "OK" else "text that may name 13800000001",
            "RequestId": "R",
        }
        | (more if code == "OK" else {}),
        status_code=status,
    )
