"""One request to a gateway, with a deadline for all of it and a limit to the answer.

What the failure of a request means for a message is decided here, once: a connection that never stood has carried nothing;
one that broke may have (RFC 9110, section 9.2.2).
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import httpx
from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from alerts.hooks.base import UnclearSendError
from domain.errors import SendError, SettingsError

#: Refused before anything was done: may pass, and the gateway does not have the message.
PASSING = frozenset({408, 409, 425, 429})
#: Who we are does not suffice, or somebody has not paid: true of every message.
OF_THE_CHANNEL = frozenset({401, 402, 403, 407})
#: Longest wait a gateway can ask for, in seconds.
LONGEST_RETRY_AFTER = 3600.0


class AskingConfig(BaseModel):
    """What every hook over HTTP can be told.

    Args:
        timeout: seconds for each try, all in all.
        linger: seconds for which a gateway may still do what it was asked after we hung up: so long it is not asked what
            became of it, nor is the message sent again.
        longest_answer: bytes read of an answer.
        trust_env: follow proxy settings of the environment.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    timeout: float = Field(default=5.0, gt=0, le=20)
    linger: float = Field(default=10.0, ge=0)
    longest_answer: int = Field(default=65536, ge=256)
    trust_env: bool = False


class SignedConfig(AskingConfig):
    """The same for a gateway that wants each request signed.

    Args:
        secret, secret_file: for the signature; one of them.
    """

    secret: SecretStr = SecretStr("")
    secret_file: Path | None = None

    @model_validator(mode="after")
    def _has_secret(self) -> Self:
        if not self.secret.get_secret_value() and self.secret_file is None:
            raise ValueError("secret_file is missing")
        return self


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: status, headers, body (cut at the limit)."""

    status: int
    headers: httpx.Headers
    body: bytes

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    def json(self) -> dict[str, Any]:
        """The body as an object.

        Raises:
            UnclearSendError: it is none; a captive portal or a proxy's error page also answers 200.
        """
        value = object_of(self.body)
        if value is None:
            raise UnclearSendError(f"HTTP {self.status}, but the answer is not the gateway's JSON")
        return value


class Asker:
    """Asks one gateway. Safe for several threads.

    Args:
        transport: for tests, as httpx takes it.
    """

    def __init__(self, config: AskingConfig, *, transport: httpx.BaseTransport | None = None) -> None:
        self._config = config
        self._client = httpx.Client(
            timeout=config.timeout, trust_env=config.trust_env, follow_redirects=False, transport=transport
        )

    def ask(
        self,
        method: str,
        url: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> Answer:
        """One request and its answer, whatever its status.

        Raises:
            SendError: never reached; permanent where the address cannot be one.
            UnclearSendError: the gateway may have it.
        """
        # An answer is short; nothing that grows when unpacked.
        headers = {"Accept-Encoding": "identity"} | dict(headers or {})
        ends = monotonic() + self._config.timeout
        answer = bytearray()
        try:
            with self._client.stream(method, url, content=body, headers=headers) as response:
                for chunk in response.iter_raw():
                    answer += chunk
                    if len(answer) >= self._config.longest_answer:
                        break
                    if monotonic() > ends:
                        raise httpx.ReadTimeout("the answer takes too long")
                cut = bytes(answer[: self._config.longest_answer])
                return Answer(response.status_code, response.headers, cut)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise SendError(f"gateway not reached ({type(error).__name__})") from None
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            raise SendError(
                f"gateway address ({type(error).__name__})", permanent=True, scope="channel"
            ) from None
        except httpx.HTTPError as error:
            raise UnclearSendError(f"no answer ({type(error).__name__})", wait=self._config.linger) from None

    def close(self) -> None:
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def refusal(answer: Answer, now: float, words: str = "") -> SendError:
    """What an answer other than 2xx means by its status alone (RFC 9110), with the gateway's own ``words``."""
    reason = f"HTTP {answer.status}" + (f": {words}" if words else "")
    wait = retry_after(answer.headers.get("Retry-After"), now)
    if answer.status in PASSING:
        return SendError(reason, retry_after=wait)
    if answer.status >= 500:
        return UnclearSendError(reason, retry_after=wait)
    if answer.status in OF_THE_CHANNEL:
        return SendError(reason, permanent=True, scope="channel")
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


def object_of(body: bytes) -> dict[str, Any] | None:
    """The body as a JSON object, None if it is none."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def printable(value: object, longest: int = 120) -> str:
    """A gateway's short word, safe for a log line; "" for anything that is no text."""
    return (
        "".join(letter for letter in value if letter.isprintable())[:longest]
        if isinstance(value, str)
        else ""
    )


def read_secret(given: SecretStr, file: Path | None, what: str) -> bytes:
    """A secret from its file or as given.

    Raises:
        SettingsError: the file cannot be read, or there is none, in words that do not quote it.
    """
    if file is None:
        secret = given.get_secret_value().encode()
    else:
        try:
            secret = file.read_bytes().strip()
        except OSError as error:
            raise SettingsError(f"{file}: cannot be read ({error.strerror})") from None
    if not secret:
        raise SettingsError(f"{file or what}: the secret is empty")
    return secret


def web_address(value: str) -> str:
    """The address itself, for a validator.

    Raises:
        ValueError: it is not http(s), or holds a password.
    """
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("expected an http:// or https:// address")
    if parts.username or parts.password:
        raise ValueError("an address must not hold a password; use a file")
    return value
