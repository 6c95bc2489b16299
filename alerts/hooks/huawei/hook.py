"""Hands messages to Huawei Cloud's short message service and reads the receipts it pushes.

Sources: support.huaweicloud.com/api-msgsms/sms_05_0001.html (batchSendSms), sms_05_0003.html (receipts), sms_05_0011.html (replies) and
sms_05_0050.html (codes).
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final
from urllib.parse import parse_qsl, urlencode

import httpx

from alerts.hooks.approved import approved
from alerts.hooks.asking import Asker, object_of, printable, read_secret, refusal
from alerts.hooks.base import Handed, Pushed, Receipt, Reply, UnclearSendError, short_key
from alerts.hooks.doubt import Doubt
from alerts.hooks.huawei.config import Config
from alerts.hooks.proof import PushToken
from alerts.messages import Outgoing, e164
from domain.errors import SendError

GOOD: Final = "000000"
PASSING_CODES: Final = {"E000623": 3600.0, "E000624": 3600.0}
"""The application has had enough for its day or month: seconds all wait."""
CHANNEL_CODES: Final = frozenset({
    "E000001", "E000101", "E000102", "E000103", "E000104", "E000105", "E000106", "E000109", "E000110", "E000111", "E000112",
    "E000620", "E000627",
})  # fmt: skip
"""Key, right, frozen account, our address not on the list, balance: no message leaves until somebody has put that right."""
UNCLEAR_CODES: Final = frozenset({"E000000"})
"""System error."""


class HuaweiHook:
    """One application. Safe for several threads.

    Huawei knows no idempotency key and cannot be asked about a message; a message in doubt waits until its receipt would have
    been pushed, and is sent again only if none came.

    Args:
        time_source: real seconds since the epoch. nonce: a fresh random text. transport: for tests, as httpx takes it.
    """

    #: No receipt in time says little of whether the message is there.
    certain = False

    def __init__(
        self,
        config: Config,
        *,
        time_source: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        nonce: Callable[[], str] = lambda: secrets.token_hex(16),
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._config, self._time, self._nonce = config, time_source, nonce
        self._secret = read_secret(config.secret, config.secret_file, "secret")
        self._proof = PushToken(config.push_token_file)
        self._doubt = Doubt(config.patience, monotonic)
        self._asker = Asker(config, transport=transport)

    def send(self, message: Outgoing) -> Handed:
        template = approved(self._config.templates, message)
        fields = {
            "from": self._config.sender,
            "to": e164(message.to),
            "templateId": template.id,
            "templateParas": json.dumps(template.listed(message), ensure_ascii=False),
            "statusCallback": self._config.callback,
            "signature": self._config.sign_name,
            "extend": short_key(message.idempotency_key),
        }
        body = urlencode({name: value for name, value in fields.items() if value}).encode()
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Authorization": 'WSSE realm="SDP",profile="UsernameToken",type="Appkey"',
            "X-WSSE": self._token(),
        }
        answer = self._asker.ask("POST", f"{self._config.url}/sms/batchSendSms/v1", body, headers)
        value = object_of(answer.body) or {}
        code = printable(value.get("code"))
        if not answer.ok and not code:
            raise refusal(answer, self._time())
        rows = value.get("result")
        row = rows[0] if isinstance(rows, list) and rows and isinstance(rows[0], dict) else {}
        status = printable(row.get("status")) or code
        if code == GOOD and status == GOOD and row:
            return Handed(provider_id=str(row.get("smsMsgId") or "")[:200] or None)
        raise _refused(status if status != GOOD else "")

    def query(self, message: Outgoing) -> Handed | None:
        """Nobody can be asked; what would have been pushed by now has been written down, and the message not leased."""
        self._doubt.absent(short_key(message.idempotency_key))
        return None

    def read_push(self, headers: Mapping[str, str], query: Mapping[str, str], body: bytes) -> Pushed:
        """A form: a receipt has ``smsMsgId`` and ``status``, a reply ``body``. The token in the address proves it."""
        self._proof.check(query)
        try:
            form = dict(parse_qsl(body.decode(), strict_parsing=True))
        except ValueError:
            raise ValueError("not a form") from None
        if "smsMsgId" in form and "status" in form:
            return Pushed([_receipt(form)], answer=b"")
        if "body" in form and "from" in form:
            reply = Reply(printable(form["from"]), printable(form["body"], 500), to=printable(form.get("to")))
            return Pushed(replies=[reply], answer=b"")
        raise ValueError("neither a receipt nor a reply")

    @property
    def receives(self) -> bool:
        """Whether receipts can come at all; otherwise nobody waits for one."""
        return bool(self._proof)

    def close(self) -> None:
        self._asker.close()

    def _token(self) -> str:
        created = f"{datetime.fromtimestamp(self._time(), UTC):%Y-%m-%dT%H:%M:%SZ}"
        nonce = self._nonce()
        digest = password_digest(self._secret, nonce, created, raw=self._config.digest == "raw")
        name = self._config.app_key
        return (
            f'UsernameToken Username="{name}",PasswordDigest="{digest}",Nonce="{nonce}",Created="{created}"'
        )


def password_digest(secret: bytes, nonce: str, created: str, *, raw: bool = False) -> str:
    """SHA-256 of nonce, moment and secret in base64: of its hexadecimal digits, or of its bytes."""
    digest = hashlib.sha256(nonce.encode() + created.encode() + secret)
    return base64.b64encode(digest.digest() if raw else digest.hexdigest().encode()).decode()


def _refused(code: str) -> SendError:
    if code in PASSING_CODES:
        return SendError(code, retry_after=PASSING_CODES[code])
    if code in CHANNEL_CODES:
        return SendError(code, permanent=True, scope="channel")
    if not code or code in UNCLEAR_CODES:
        return UnclearSendError(code or "the answer is not Huawei's")
    return SendError(code, permanent=True)


def _receipt(form: Mapping[str, str]) -> Receipt:
    status = printable(form["status"])
    return Receipt(
        fate="delivered" if status == "DELIVRD" else "undelivered",
        provider_id=form["smsMsgId"][:200],
        idempotency_key=printable(form.get("extend")) or None,
        at=_moment(form.get("updateTime")),
        code=status,
        to=printable(form.get("to")) or None,
    )


def _moment(value: str | None) -> datetime | None:
    try:
        return datetime.strptime(value or "", "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None


def open_hook(config: Config) -> HuaweiHook:
    return HuaweiHook(config)
