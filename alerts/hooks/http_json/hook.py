"""Posts messages to an HTTP gateway and says what its answers mean.

The meaning of 409 (a request with this key is being worked on) and 422 (the key was used with another body) follows
the IETF draft "The Idempotency-Key HTTP Header Field"; the rest is RFC 9110.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from urllib.parse import quote

import httpx

from alerts.hooks.asking import Answer, Asker, object_of, printable, read_secret, refusal
from alerts.hooks.base import Handed, UnclearSendError
from alerts.hooks.http_json.config import Config
from alerts.hooks.http_json.signature import KEY, SIGNATURE, TIMESTAMP, sign
from alerts.messages import Outgoing
from domain.errors import SendError


class HttpJsonHook:
    """One gateway. Safe for several threads.

    Args:
        time_source: real seconds since the epoch, for the signature's timestamp.
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
        self._secret = read_secret(config.secret, config.secret_file, "secret")
        self._asker = Asker(config, transport=transport)

    def send(self, message: Outgoing) -> Handed:
        body = message_body(message)
        answer = self._ask("POST", self._config.url, body, signed=body, key=message.idempotency_key)
        if not answer.ok:
            raise _refused(answer, self._time())
        return _handed(answer)

    def query(self, message: Outgoing) -> Handed | None:
        """Asks what became of a message; None if the gateway does not know it, or cannot be asked."""
        if self._config.query_url is None:
            return None
        key = message.idempotency_key
        url = self._config.query_url.replace("{key}", quote(key, safe=""))
        answer = self._ask("GET", url, b"", signed=key.encode(), key=key)
        if answer.status == 404:
            return None
        if not answer.ok:
            raise _refused(answer, self._time())
        return _handed(answer)

    @property
    def asks(self) -> bool:
        """Whether it can be asked; where it cannot, the key alone keeps a second try away."""
        return self._config.query_url is not None

    def close(self) -> None:
        self._asker.close()

    def _ask(self, method: str, url: str, body: bytes, *, signed: bytes, key: str) -> Answer:
        stamp = str(int(self._time()))
        headers = {
            TIMESTAMP: stamp,
            SIGNATURE: sign(self._secret, stamp, signed),
            KEY: quote(key, safe=":@._-"),  # a header is ASCII, a person's id need not be
            "Content-Type": "application/json; charset=utf-8",
        }
        return self._asker.ask(method, url, body, headers)


def message_body(message: Outgoing) -> bytes:
    """The JSON that is posted; the same bytes at every try."""
    body = {
        "idempotency_key": message.idempotency_key,
        "to": message.to,
        "template": message.template,
        "params": dict(message.values),
        "text": message.text,
        "language": message.language,
        "created_at": message.created_at,
        "facts": dict(message.facts),
    }
    return json.dumps(body, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def _refused(answer: Answer, now: float) -> SendError:
    """An answer without the gateway's own word is not quoted: it may repeat the message."""
    return refusal(answer, now, printable((object_of(answer.body) or {}).get("error")))


def _handed(answer: Answer) -> Handed:
    value = answer.json()
    if not isinstance(value.get("id"), str | int):
        raise UnclearSendError("2xx, but the answer is not the gateway's JSON with an id")
    fate = value.get("status")
    known = fate if fate in ("delivered", "undelivered") else None
    return Handed(provider_id=str(value["id"])[:200], fate=known)


def open_hook(config: Config) -> HttpJsonHook:
    return HttpJsonHook(config)
