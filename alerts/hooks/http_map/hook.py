"""Posts messages as a map of fields says, and reads the answers as it says."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import quote, urlencode

import httpx

from alerts.hooks.asking import Answer, Asker, object_of, printable, read_secret, refusal
from alerts.hooks.base import Handed, Pushed, Receipt, UnclearSendError, short_key
from alerts.hooks.http_map.config import Config, Digest, Expected, Pushes, Scalar
from alerts.hooks.proof import PushToken
from alerts.messages import Outgoing
from domain.errors import SendError

_PLACE = re.compile(r"\{([^{}]+)\}")


class HttpMapHook:
    """One gateway. Safe for several threads.

    Args:
        time_source: real seconds since the epoch.
        transport: for tests, as httpx takes it.
    """

    def __init__(
        self,
        config: Config,
        *,
        time_source: Callable[[], float] = time.time,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._config, self._time = config, time_source
        has_secret = bool(config.secret.get_secret_value() or config.secret_file)
        self._secret = read_secret(config.secret, config.secret_file, "secret") if has_secret else b""
        self._proof = PushToken(config.pushes.token_file if config.pushes else None)
        self._asker = Asker(config, transport=transport)

    def send(self, message: Outgoing) -> Handed:
        config, places = self._config, self._places(message)
        fields = {name: _filled(text, places) for name, text in config.fields.items()}
        headers = {name: str(_filled(text, places)) for name, text in config.headers.items()}
        url, body, kind = _packed(config, fields)
        answer = self._asker.ask(config.method, url, body, ({"Content-Type": kind} if kind else {}) | headers)
        return self._read(answer, config.answer)

    def query(self, message: Outgoing) -> Handed | None:
        """What the gateway has under the key; None where it cannot be asked, or has nothing."""
        config = self._config
        if config.query_url is None:
            return None
        places = {name: quote(str(value), safe="") for name, value in self._places(message).items()}
        headers = {name: str(_filled(text, self._places(message))) for name, text in config.headers.items()}
        answer = self._asker.ask("GET", str(_filled(config.query_url, places)), b"", headers)
        if answer.status == 404:
            return None
        if answer.ok and config.query.code is not None:
            code = _at(object_of(answer.body), config.query.code)
            if code is not None and not _in(code, config.query.good):
                return None
        return self._read(answer, config.query)

    def read_push(self, headers: Mapping[str, str], query: Mapping[str, str], body: bytes) -> Pushed:
        self._proof.check(query)
        pushes = self._config.pushes
        assert pushes is not None
        try:
            value = json.loads(body)
        except (ValueError, RecursionError):
            raise ValueError("not JSON") from None
        rows = _at(value, pushes.rows) if pushes.rows else value
        rows = rows if isinstance(rows, list) else [rows]
        if not all(isinstance(row, dict) for row in rows):
            raise ValueError("expected objects")
        return Pushed([_receipt(row, pushes) for row in rows], answer=pushes.answer.encode())

    @property
    def asks(self) -> bool:
        """Whether it can be asked before a second try."""
        return self._config.query_url is not None

    @property
    def certain(self) -> bool:
        """Whoever cannot be asked is not certain."""
        return self.asks

    @property
    def receives(self) -> bool:
        """Whether receipts can come at all; otherwise nobody waits for one."""
        return self._config.pushes is not None

    def close(self) -> None:
        self._asker.close()

    def _places(self, message: Outgoing) -> dict[str, Any]:
        config, now = self._config, self._time()
        places: dict[str, Any] = {
            "to": message.to,
            "text": message.text,
            "key": message.idempotency_key,
            "short_key": short_key(message.idempotency_key),
            "template": message.template,
            "template_id": config.templates.get(message.template, ""),
            "stamp": str(int(now)),
            "stamp_ms": str(int(now * 1000)),
            "secret": self._secret.decode("utf-8", "replace"),
        }
        places |= {f"values.{name}": value for name, value in message.values.items()}
        places |= config.constants
        for name, digest in config.digests.items():
            places[name] = _digest(digest, str(_filled(digest.of, places)), self._secret)
        return places

    def _read(self, answer: Answer, expected: Expected) -> Handed:
        """What an answer means: by its code where one is expected, otherwise by its status."""
        if not answer.ok:
            raise refusal(answer, self._time())
        if expected.code is None and expected.id is None:
            return Handed()
        value = answer.json()
        if expected.code is not None:
            code = _at(value, expected.code)
            word = f"{expected.code} {printable(str(code), 60)}"
            if code is None or _in(code, expected.unclear):
                raise UnclearSendError(word if code is not None else f"the answer has no {expected.code}")
            if _in(code, expected.too_many):
                raise SendError(word, retry_after=self._config.pause)
            if _in(code, expected.passing):
                raise SendError(word, wait=self._config.wait)
            if _in(code, expected.channel):
                raise SendError(word, permanent=True, scope="channel")
            if not _in(code, expected.good):
                raise SendError(word, permanent=True)
        identity = _at(value, expected.id) if expected.id else None
        return Handed(str(identity)[:200] if isinstance(identity, str | int) else None)


def _filled(text: Scalar, places: Mapping[str, Any]) -> Scalar:
    """Text with its places filled, in one pass: what a message says is never read as a place."""
    if not isinstance(text, str):
        return text

    def of(match: re.Match[str]) -> str:
        name = match.group(1)
        if name not in places:
            raise SendError(f"the message has no {name}", permanent=True)
        return str(places[name])

    return _PLACE.sub(of, text)


def _digest(digest: Digest, text: str, secret: bytes) -> str:
    name = digest.algorithm.removeprefix("hmac-")
    if digest.algorithm.startswith("hmac"):
        raw = hmac.new(secret, text.encode(), name).digest()
    else:
        raw = hashlib.new(name, text.encode(), usedforsecurity=False).digest()
    if digest.base64:
        return base64.b64encode(raw).decode()
    return raw.hex().upper() if digest.upper else raw.hex()


def _packed(config: Config, fields: Mapping[str, Scalar]) -> tuple[str, bytes, str]:
    """Address, body and content type that carry the fields."""
    if config.body == "query":
        return f"{config.url}{'&' if '?' in config.url else '?'}{urlencode(_texts(fields))}", b"", ""
    if config.body == "form":
        return (
            config.url,
            urlencode(_texts(fields)).encode(),
            "application/x-www-form-urlencoded; charset=utf-8",
        )
    body = json.dumps(dict(fields), ensure_ascii=False, separators=(",", ":")).encode()
    if config.body == "json-base64":
        return config.url, base64.b64encode(body), "text/plain; charset=utf-8"
    return config.url, body, "application/json; charset=utf-8"


def _texts(fields: Mapping[str, Scalar]) -> dict[str, str]:
    return {name: str(value) for name, value in fields.items()}


def _at(value: object, path: str) -> Any:
    """What lies at a path; None where it leads nowhere."""
    for part in path.split(".") if path else ():
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and part.isdecimal() and int(part) < len(value):
            value = value[int(part)]
        else:
            return None
    return value


def _in(code: object, values: Iterable[Scalar]) -> bool:
    """Whether a code is among values; "0" and 0 are the same, true and 1 are not."""
    return any(
        str(code) == str(value) and isinstance(code, bool) == isinstance(value, bool) for value in values
    )


def _receipt(row: Mapping[str, Any], pushes: Pushes) -> Receipt:
    code = _at(row, pushes.code)
    identity = _at(row, pushes.id) if pushes.id else None
    key = _at(row, pushes.key) if pushes.key else None
    return Receipt(
        fate="delivered" if _in(code, pushes.delivered) else "undelivered",
        provider_id=str(identity)[:200] if identity is not None else None,
        idempotency_key=str(key) if key is not None else None,
        code=printable(str(code), 60),
    )


def open_hook(config: Config) -> HttpMapHook:
    return HttpMapHook(config)
