"""Hands messages to Aliyun's short message service and reads what it says of them.

Sources: help.aliyun.com/zh/sms/developer-reference/api-dysmsapi-2017-05-25-sendsms, …-querysenddetails, …/smsreport-2,
…/smsup-1 and the list of error codes beside them (product API 2017-05-25).
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from alerts.hooks.aliyun.config import Config
from alerts.hooks.aliyun.signature import authorization, canonical_query
from alerts.hooks.approved import approved
from alerts.hooks.asking import Answer, Asker, object_of, printable, read_secret, refusal
from alerts.hooks.base import Fate, Handed, Pushed, Receipt, Reply, UnclearSendError, short_key
from alerts.hooks.proof import PushToken
from alerts.messages import Outgoing
from domain.errors import SendError

VERSION: Final = "2017-05-25"
BEIJING: Final = timezone(timedelta(hours=8))
"""Aliyun's days and moments are Beijing's, wherever the machine stands."""
FATES: Final[Mapping[int, Fate]] = {2: "undelivered", 3: "delivered"}
"""``SendStatus``; 1 is waiting for a receipt."""
NUMBER_CODES: Final = frozenset({"isv.BUSINESS_LIMIT_CONTROL"})
"""This number has had enough for this minute, hour or day; which one is only said in words."""
NUMBER_WAIT: Final = 3600.0
PASSING_CODES: Final = {
    "isv.DAY_LIMIT_CONTROL": 3600.0,
    "isv.MONTH_LIMIT_CONTROL": 3600.0,
    "Throttling": 5.0,
    "Throttling.User": 5.0,
    "Throttling.Api": 5.0,
    "ServiceUnavailable": 5.0,
}
"""The account is refused, and it may pass: seconds to wait, for all messages."""
CHANNEL_CODES: Final = frozenset({
    "isv.AMOUNT_NOT_ENOUGH", "isv.OUT_OF_SERVICE",
    "isv.ACCOUNT_ABNORMAL", "isv.ACCOUNT_NOT_EXISTS", "isv.PRODUCT_UNSUBSCRIBE", "isv.PRODUCT_UN_SUBSCRIPT",
    "isv.SIGN_NAME_ILLEGAL", "isv.SIGN_STATE_ILLEGAL", "isv.SMS_SIGN_ILLEGAL", "isv.SMS_SIGNATURE_ILLEGAL",
    "isv.DENY_IP_RANGE", "isp.RAM_PERMISSION_DENY", "Forbidden.RAM", "NoPermission",
    "InvalidAccessKeyId.Inactive", "InvalidAccessKeyId.NotFound", "SignatureDoesNotMatch",
})  # fmt: skip
"""Bill, account, signature or key: no message leaves by this account until somebody has put it right."""
UNCLEAR_CODES: Final = frozenset({"isp.SYSTEM_ERROR", "isp.GATEWAY_ERROR", "isp.UNKNOWN", "InternalError"})
"""Their side has failed somewhere; whether before or after the message was taken is not said."""
PAGE: Final = 50


class AliyunHook:
    """One account. Safe for several threads.

    Aliyun knows no idempotency key: whatever a try left unclear is looked for by number and day before the next one, among
    the messages that carry our key as ``OutId``.

    Args:
        time_source: real seconds since the epoch.
        nonce: a fresh random text.
        transport: for tests, as httpx takes it.
    """

    def __init__(
        self,
        config: Config,
        *,
        time_source: Callable[[], float] = time.time,
        nonce: Callable[[], str] = lambda: secrets.token_hex(16),
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._config, self._time, self._nonce = config, time_source, nonce
        self._secret = read_secret(config.secret, config.secret_file, "secret")
        self._proof = PushToken(config.push_token_file)
        self._asker = Asker(config, transport=transport)

    def send(self, message: Outgoing) -> Handed:
        template = approved(self._config.templates, message)
        values = json.dumps(template.named(message), ensure_ascii=False, separators=(",", ":"))
        answer = self._call(
            "SendSms",
            PhoneNumbers=message.to,
            SignName=self._config.sign_name,
            TemplateCode=template.id,
            TemplateParam=values,
            OutId=short_key(message.idempotency_key),
        )
        return Handed(provider_id=str(answer.get("BizId") or "")[:200] or None)

    def query(self, message: Outgoing) -> Handed | None:
        """Looks for the message among those of its number, yesterday and today."""
        ours = short_key(message.idempotency_key)
        today = datetime.fromtimestamp(self._time(), BEIJING).date()
        for day in (today, today - timedelta(days=1)):
            for row in self._sent(message.to, f"{day:%Y%m%d}"):
                if row.get("OutId") == ours:
                    status = row.get("SendStatus")
                    fate = FATES.get(status) if isinstance(status, int) else None
                    return Handed(fate=fate, code=printable(row.get("ErrCode")))
        return None

    def read_push(self, headers: Mapping[str, str], query: Mapping[str, str], body: bytes) -> Pushed:
        """``SmsReport`` (receipts) and ``SmsUp`` (replies): a list of objects, told apart by their fields.

        Aliyun signs neither; what proves them is the token in the address that was given to it alone.
        """
        self._proof.check(query)
        try:
            rows = json.loads(body)
        except (ValueError, RecursionError):
            raise ValueError("not JSON") from None
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise ValueError("expected a list of objects")
        receipts = [_receipt(row) for row in rows if "success" in row]
        replies = [_reply(row) for row in rows if "content" in row and "success" not in row]
        return Pushed(receipts, replies, answer=b'{"code":0,"msg":"OK"}')

    @property
    def receives(self) -> bool:
        """Whether receipts can come at all; otherwise nobody waits for one."""
        return bool(self._proof)

    def close(self) -> None:
        self._asker.close()

    def _sent(self, number: str, day: str) -> Iterator[Mapping[str, Any]]:
        """All messages to a number on a day, page by page."""
        page = 0
        while True:
            page += 1
            answer = self._call(
                "QuerySendDetails",
                PhoneNumber=number,
                SendDate=day,
                PageSize=str(PAGE),
                CurrentPage=str(page),
            )
            rows = (answer.get("SmsSendDetailDTOs") or {}).get("SmsSendDetailDTO") or []
            yield from (row for row in rows if isinstance(row, dict))
            if len(rows) < PAGE:
                return

    def _call(self, action: str, **parameters: str) -> dict[str, Any]:
        query = canonical_query(parameters)
        headers = {
            "host": urlsplit(self._config.endpoint).netloc,
            "x-acs-action": action,
            "x-acs-version": VERSION,
            "x-acs-date": f"{datetime.fromtimestamp(self._time(), UTC):%Y-%m-%dT%H:%M:%SZ}",
            "x-acs-signature-nonce": self._nonce(),
            "x-acs-content-sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        }
        headers["Authorization"] = authorization(
            self._secret, self._config.access_key_id, "POST", "/", query, headers
        )
        answer = self._asker.ask("POST", f"{self._config.endpoint}/?{query}", b"", headers)
        code = printable((object_of(answer.body) or {}).get("Code"))
        if answer.ok and code == "OK":
            return answer.json()
        raise _refused(answer, code, self._time())


def _refused(answer: Answer, code: str, now: float) -> SendError:
    """What a refusal means: by its code where it has one we know, otherwise by its status.

    The ``Message`` beside the code is not quoted: it may repeat number and text.
    """
    if code in NUMBER_CODES:
        return SendError(code, wait=NUMBER_WAIT)
    if code in PASSING_CODES:
        return SendError(code, retry_after=PASSING_CODES[code])
    if code in CHANNEL_CODES:
        return SendError(code, permanent=True, scope="channel")
    if code in UNCLEAR_CODES:
        return UnclearSendError(code)
    if not answer.ok:
        return refusal(answer, now, code)
    if not code:
        return UnclearSendError(f"HTTP {answer.status}, but the answer is not Aliyun's")
    return SendError(code, permanent=True)


def _receipt(row: Mapping[str, Any]) -> Receipt:
    return Receipt(
        fate="delivered" if row.get("success") is True else "undelivered",
        provider_id=_text(row, "biz_id"),
        idempotency_key=_text(row, "out_id"),
        at=_moment(row.get("report_time")),
        code=printable(row.get("err_code")),
        to=_text(row, "phone_number"),
    )


def _reply(row: Mapping[str, Any]) -> Reply:
    return Reply(
        sender=_text(row, "phone_number") or "",
        text=printable(row.get("content"), 500),
        at=_moment(row.get("send_time")),
        to=_text(row, "dest_code") or "",
        provider_id=_text(row, "sequence_id"),
    )


def _text(row: Mapping[str, Any], name: str) -> str | None:
    value = row.get(name)
    return str(value)[:200] if isinstance(value, str | int) and value != "" else None


def _moment(value: object) -> datetime | None:
    try:
        return datetime.strptime(str(value), "%Y-%m-%d %H:%M:%S").replace(tzinfo=BEIJING)
    except ValueError:
        return None


def open_hook(config: Config) -> AliyunHook:
    return AliyunHook(config)
