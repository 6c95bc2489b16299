"""Hands messages to Tencent Cloud's short message service and reads what it says of them.

Sources: cloud.tencent.com/document/product/382/55981 (SendSms, API 2021-01-11), 382/55976 and 382/55977 (pulling receipts), 382/55979
(pulling replies), 382/59178 (pushed receipts), 382/59177 (pushed replies) and the error codes of SendSms.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from alerts.hooks.approved import approved
from alerts.hooks.asking import Answer, Asker, object_of, printable, read_secret, refusal
from alerts.hooks.base import Fate, Handed, Pushed, Receipt, Reply, UnclearSendError, short_key
from alerts.hooks.doubt import Doubt
from alerts.hooks.proof import PushToken
from alerts.hooks.tencent.config import Config
from alerts.hooks.tencent.signature import CONTENT_TYPE, authorization
from alerts.messages import Outgoing, e164
from domain.errors import SendError

VERSION: Final = "2021-01-11"
BEIJING: Final = timezone(timedelta(hours=8))
FATES: Final[Mapping[str, Fate]] = {"SUCCESS": "delivered", "FAIL": "undelivered"}
NUMBER_CODES: Final = {
    "LimitExceeded.PhoneNumberThirtySecondLimit": 30.0,
    "LimitExceeded.DeliveryFrequencyLimit": 60.0,
    "LimitExceeded.PhoneNumberOneHourLimit": 3600.0,
    "LimitExceeded.PhoneNumberDailyLimit": 3600.0,
    "LimitExceeded.PhoneNumberSameContentDailyLimit": 3600.0,
}
"""This number has had enough: seconds before its message is tried again."""
PASSING_CODES: Final = {
    "RequestLimitExceeded": 5.0,
    "LimitExceeded.AppDailyLimit": 3600.0,
    "LimitExceeded.DailyLimit": 3600.0,
    "LimitExceeded.AppMainlandChinaDailyLimit": 3600.0,
}
"""The account is refused, and it may pass: seconds to wait, for all messages."""
CHANNEL_CODES: Final = frozenset({
    "FailedOperation.InsufficientBalanceInSmsPackage", "FailedOperation.MissingSignature",
    "FailedOperation.SignatureIncorrectOrUnapproved", "InvalidParameterValue.SdkAppIdNotExist",
})  # fmt: skip
CHANNEL_FAMILIES: Final = ("AuthFailure", "UnauthorizedOperation")
"""Bill, account, signature or key: no message leaves by this application until somebody has put it right."""
MOST_RECEIPTS: Final = 100
"""Receipts fetched in one request; the most that is allowed."""


class TencentHook:
    """One application. Safe for several threads.

    Tencent knows no idempotency key, and can only be asked for receipts: a message in doubt waits until its receipt would
    have come.

    Args:
        time_source: real seconds since the epoch.
        transport: for tests, as httpx takes it.
    """

    #: No receipt in time says little of whether the message is there.
    certain = False

    def __init__(
        self,
        config: Config,
        *,
        time_source: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._config, self._time = config, time_source
        self._secret = read_secret(config.secret, config.secret_file, "secret")
        self._proof = PushToken(config.push_token_file)
        self._doubt = Doubt(config.patience, monotonic)
        self._asker = Asker(config, transport=transport)

    def send(self, message: Outgoing) -> Handed:
        template = approved(self._config.templates, message)
        answer = self._call(
            "SendSms",
            PhoneNumberSet=[e164(message.to)],
            SmsSdkAppId=self._config.app_id,
            SignName=self._config.sign_name,
            TemplateId=template.id,
            TemplateParamSet=template.listed(message),
            SessionContext=short_key(message.idempotency_key),
        )
        rows = answer.get("SendStatusSet")
        if not isinstance(rows, list) or len(rows) != 1 or not isinstance(rows[0], dict):
            raise UnclearSendError("the answer says nothing of the message")
        code = printable(rows[0].get("Code"))
        if code != "Ok":
            raise _refused_for(code)
        return Handed(provider_id=str(rows[0].get("SerialNo") or "")[:200] or None)

    def query(self, message: Outgoing) -> Handed | None:
        """Looks for a receipt of the last day; None where none can be expected any more."""
        ours = short_key(message.idempotency_key)
        if self._config.receipts:
            now = int(self._time())
            answer = self._call(
                "PullSmsSendStatusByPhoneNumber",
                SmsSdkAppId=self._config.app_id,
                PhoneNumber=e164(message.to),
                BeginTime=now - 86_400,
                EndTime=now,
                Offset=0,
                Limit=MOST_RECEIPTS,
            )
            for receipt in _receipts(answer.get("PullSmsSendStatusSet")):
                if receipt.idempotency_key == ours:
                    return Handed(receipt.provider_id, receipt.fate, receipt.code)
        self._doubt.absent(ours)
        return None

    def pull(self) -> Pushed:
        """The next receipts and replies. What was fetched is gone there."""
        if not self._config.receipts:
            return Pushed()
        limits = {"SmsSdkAppId": self._config.app_id, "Limit": MOST_RECEIPTS}
        receipts = _receipts(self._call("PullSmsSendStatus", **limits).get("PullSmsSendStatusSet"))
        try:
            rows = self._call("PullSmsReplyStatus", **limits).get("PullSmsReplyStatusSet")
        except SendError:
            # The receipts are in hand and nowhere else any more; the replies wait there for the next call.
            rows = []
        return Pushed(receipts, [_reply(row) for row in rows or () if isinstance(row, dict)])

    def read_push(self, headers: Mapping[str, str], query: Mapping[str, str], body: bytes) -> Pushed:
        """Receipts (a list) or one reply (an object). Neither is signed: the token in the address proves them."""
        self._proof.check(query)
        try:
            value = json.loads(body)
        except (ValueError, RecursionError):
            raise ValueError("not JSON") from None
        rows = value if isinstance(value, list) else [value]
        if not all(isinstance(row, dict) for row in rows):
            raise ValueError("expected objects")
        receipts = [_pushed_receipt(row) for row in rows if row.get("sid") and "report_status" in row]
        replies = [_pushed_reply(row) for row in rows if "text" in row]
        return Pushed(receipts, replies, answer=b'{"result":0,"errmsg":"OK"}')

    @property
    def receives(self) -> bool:
        """Whether receipts can come at all; otherwise nobody waits for one."""
        return bool(self._proof) or self._config.receipts

    def close(self) -> None:
        self._asker.close()

    def _call(self, action: str, **parameters: Any) -> dict[str, Any]:
        body = json.dumps(parameters, ensure_ascii=False, separators=(",", ":")).encode()
        host, stamp = urlsplit(self._config.endpoint).netloc, int(self._time())
        headers = {
            "Host": host,
            "Content-Type": CONTENT_TYPE,
            "X-TC-Action": action,
            "X-TC-Version": VERSION,
            "X-TC-Timestamp": str(stamp),
            "X-TC-Region": self._config.region,
            "Authorization": authorization(
                self._secret,
                self._config.secret_id,
                service="sms",
                host=host,
                action=action,
                stamp=stamp,
                body=body,
            ),
        }
        answer = self._asker.ask("POST", self._config.endpoint + "/", body, headers)
        if not answer.ok:
            code = _error_code(answer)
            raise _refused_for(code) if _of_the_channel(code) else refusal(answer, self._time(), code)
        response = answer.json().get("Response")
        if not isinstance(response, dict):
            raise UnclearSendError("the answer is not Tencent's")
        if "Error" in response:
            raise _refused_for(_error_code(answer))
        return response


def _error_code(answer: Answer) -> str:
    response = (object_of(answer.body) or {}).get("Response")
    error = response.get("Error") if isinstance(response, dict) else None
    return printable(error.get("Code")) if isinstance(error, dict) else ""


def _refused_for(code: str) -> SendError:
    """What a code means; the text beside it is not quoted: it may repeat the number."""
    if code in NUMBER_CODES:
        return SendError(code, wait=NUMBER_CODES[code])
    if code in PASSING_CODES:
        return SendError(code, retry_after=PASSING_CODES[code])
    if _of_the_channel(code):
        return SendError(code, permanent=True, scope="channel")
    if not code or code.startswith("InternalError"):
        return UnclearSendError(code or "an answer without a code")
    return SendError(code, permanent=True)


def _of_the_channel(code: str) -> bool:
    return code in CHANNEL_CODES or code.startswith(CHANNEL_FAMILIES)


def _receipts(rows: object) -> list[Receipt]:
    found = []
    for row in rows if isinstance(rows, list) else ():
        fate = FATES.get(str(row.get("ReportStatus"))) if isinstance(row, dict) else None
        if fate is None or not row.get("SerialNo"):
            continue
        at = row.get("UserReceiveTime")
        found.append(
            Receipt(
                fate=fate,
                provider_id=str(row["SerialNo"])[:200],
                idempotency_key=printable(row.get("SessionContext")) or None,
                at=datetime.fromtimestamp(at, UTC) if isinstance(at, int) and 0 < at < 4e9 else None,
                code=printable(row.get("Description")),
                to=printable(row.get("PhoneNumber")) or None,
            )
        )
    return found


def _reply(row: Mapping[str, Any]) -> Reply:
    at = row.get("ReplyTime")
    return Reply(
        sender=printable(row.get("PhoneNumber")),
        text=printable(row.get("ReplyContent"), 500),
        at=datetime.fromtimestamp(at, UTC) if isinstance(at, int) and 0 < at < 4e9 else None,
        to=printable(row.get("ExtendCode")),
    )


def _pushed_receipt(row: Mapping[str, Any]) -> Receipt:
    return Receipt(
        fate=FATES.get(row["report_status"], "unknown"),
        provider_id=str(row["sid"])[:200],
        at=_moment(row.get("user_receive_time")),
        code=printable(row.get("errmsg")),
        to=printable(row.get("mobile")) or None,
    )


def _pushed_reply(row: Mapping[str, Any]) -> Reply:
    at = row.get("time")
    return Reply(
        sender=printable(row.get("mobile")),
        text=printable(row.get("text"), 500),
        at=datetime.fromtimestamp(at, UTC) if isinstance(at, int) and 0 < at < 4e9 else None,
        to=printable(row.get("extend")),
    )


def _moment(value: object) -> datetime | None:
    try:
        return datetime.strptime(str(value), "%Y-%m-%d %H:%M:%S").replace(tzinfo=BEIJING)
    except ValueError:
        return None


def open_hook(config: Config) -> TencentHook:
    return TencentHook(config)
