"""Posts messages to an HTTP gateway and says what its answers mean.

The meaning of 409 (a request with this key is being worked on) and 422 (the key was used with another body) follows
the IETF draft "The Idempotency-Key HTTP Header Field"; the rest is RFC 9110.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote

import httpx

from alerts.hooks.base import Handed, UnclearSendError
from alerts.hooks.http_json.config import Config
from alerts.hooks.http_json.signature import KEY, SIGNATURE, TIMESTAMP, sign
from alerts.messages import Outgoing
from domain.errors import SendError, SettingsError

#: Refused before anything was done: may pass, and the gateway does not have the message.
PASSING = frozenset({408, 409, 425, 429})
#: Longest wait a gateway can ask for, in seconds.
LONGEST_RETRY_AFTER = 3600.0


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
        try:
            self._secret = config.read_secret()
        except OSError as error:
            raise SettingsError(f"{config.secret_file}: cannot be read ({error.strerror})") from None
        if not self._secret:
            raise SettingsError(f"{config.secret_file}: the secret is empty")
        self._client = httpx.Client(
            timeout=config.timeout, trust_env=config.trust_env, follow_redirects=False, transport=transport
        )

    def send(self, message: Outgoing) -> Handed:
        body = message_body(message)
        status, headers, answer = self._ask(
            "POST", self._config.url, body, signed=body, key=message.idempotency_key
        )
        if not 200 <= status < 300:
            raise refusal(status, headers, answer, self._time())
        return _handed(answer)

    def query(self, message: Outgoing) -> Handed | None:
        """Asks what became of a message; None if the gateway does not know it, or cannot be asked."""
        if self._config.query_url is None:
            return None
        key = message.idempotency_key
        url = self._config.query_url.replace("{key}", quote(key, safe=""))
        status, headers, answer = self._ask("GET", url, b"", signed=key.encode(), key=key)
        if status == 404:
            return None
        if not 200 <= status < 300:
            raise refusal(status, headers, answer, self._time())
        return _handed(answer)

    def close(self) -> None:
        self._client.close()

    def _ask(
        self, method: str, url: str, body: bytes, *, signed: bytes, key: str
    ) -> tuple[int, httpx.Headers, bytes]:
        stamp = str(int(self._time()))
        headers = {
            TIMESTAMP: stamp,
            SIGNATURE: sign(self._secret, stamp, signed),
            KEY: quote(key, safe=":@._-"),  # a header is ASCII, a person's id need not be
            "Content-Type": "application/json; charset=utf-8",
            "Accept-Encoding": "identity",  # an answer is short; nothing that grows when unpacked
        }
        ends = time.monotonic() + self._config.timeout
        answer = bytearray()
        try:
            with self._client.stream(method, url, content=body, headers=headers) as response:
                for chunk in response.iter_raw():
                    answer += chunk
                    if len(answer) >= self._config.longest_answer:
                        break
                    if time.monotonic() > ends:
                        raise httpx.ReadTimeout("the answer takes too long")
                return response.status_code, response.headers, bytes(answer[: self._config.longest_answer])
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise SendError(f"gateway not reached ({type(error).__name__})") from None
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            raise SendError(f"gateway address ({type(error).__name__})", permanent=True) from None
        except httpx.HTTPError as error:
            raise UnclearSendError(f"no answer ({type(error).__name__})") from None


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


def refusal(status: int, headers: httpx.Headers, answer: bytes, now: float) -> SendError:
    """What an answer other than 2xx means."""
    reason = f"HTTP {status}"
    if words := _reason(answer):
        reason += f": {words}"
    wait = retry_after(headers.get("Retry-After"), now)
    if status in PASSING:
        return SendError(reason, retry_after=wait)
    if status >= 500:
        return UnclearSendError(reason, retry_after=wait)
    return SendError(reason, permanent=True)  # the rest of 4xx, and 3xx: we follow nobody


def retry_after(value: str | None, now: float) -> float | None:
    """Seconds to wait by a Retry-After header (seconds or a date), at most an hour; None where it says nothing."""
    if not value:
        return None
    with contextlib.suppress(ValueError, TypeError, OverflowError):
        text = value.strip()
        seconds = float(text) if text.isdigit() else parsedate_to_datetime(text).timestamp() - now
        return min(max(seconds, 0.0), LONGEST_RETRY_AFTER)
    return None


def _object(answer: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(answer)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _reason(answer: bytes) -> str:
    """The gateway's own short word for a refusal; an answer without one is not quoted (it may repeat the message)."""
    value = (_object(answer) or {}).get("error")
    return "".join(letter for letter in value if letter.isprintable())[:120] if isinstance(value, str) else ""


def _handed(answer: bytes) -> Handed:
    value = _object(answer)
    if value is None or not isinstance(value.get("id"), str | int):
        # A captive portal or a proxy's error page also answers 200.
        raise UnclearSendError("2xx, but the answer is not the gateway's JSON with an id")
    return Handed(provider_id=str(value["id"])[:200], delivered=value.get("status") == "delivered")


def open_hook(config: Config) -> HttpJsonHook:
    return HttpJsonHook(config)
