"""What the robots of group chats have in common: an address that is itself the secret, one JSON object a message, codes for
answers. None can be asked what became of a message, and none tells."""

from __future__ import annotations

import json
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, Self

import httpx
from pydantic import Field, SecretStr, model_validator

from alerts.hooks.asking import Answer, Asker, AskingConfig, printable, read_secret, refusal, web_address
from alerts.hooks.base import Handed, UnclearSendError
from alerts.messages import Outgoing
from domain.errors import SendError, SettingsError


class RobotConfig(AskingConfig):
    """A robot of one group.

    Args:
        url, url_file: address of the robot; whoever knows it can write into the group, so it is kept like a password.
        mention: call the recipient by the number, where the robot can.
        pause: seconds to leave the robot alone when it says that it has had too many (20 a minute are usual).
    """

    url: SecretStr = SecretStr("")
    url_file: Path | None = None
    mention: bool = True
    pause: float = Field(default=60, gt=0)

    @model_validator(mode="after")
    def _has_url(self) -> Self:
        if not self.url.get_secret_value() and self.url_file is None:
            raise ValueError("url_file is missing")
        return self

    def read_url(self) -> str:
        """Raises SettingsError, in words that do not quote it."""
        url = read_secret(self.url, self.url_file, "url").decode("utf-8", "replace")
        try:
            return web_address(url)
        except ValueError:
            raise SettingsError(
                f"{self.url_file or 'url'}: expected an http:// or https:// address"
            ) from None


class RobotHook(ABC):
    """One robot. Safe for several threads.

    Args:
        time_source: real seconds since the epoch.
        transport: for tests, as httpx takes it.
    """

    #: Name of the field that says how it went; 0 is well.
    code_field = "errcode"
    #: Codes that mean "too many just now".
    too_many: frozenset[int] = frozenset()
    #: Codes that may pass by themselves, of which nobody knows whether the message was taken.
    unclear: frozenset[int] = frozenset()
    #: Codes that mean that the robot itself is refused: gone, stopped, signed wrongly.
    of_the_channel: frozenset[int] = frozenset()

    def __init__(
        self,
        config: RobotConfig,
        *,
        time_source: Callable[[], float] = time.time,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._mention, self._pause, self._time = config.mention, config.pause, time_source
        self._url = config.read_url()
        self._asker = Asker(config, transport=transport)

    @abstractmethod
    def _body(self, message: Outgoing, now: float) -> Mapping[str, Any]:
        """The JSON of a message."""

    def _address(self, now: float) -> str:
        return self._url

    def send(self, message: Outgoing) -> Handed:
        now = self._time()
        body = json.dumps(self._body(message, now), ensure_ascii=False, separators=(",", ":")).encode()
        headers = {"Content-Type": "application/json; charset=utf-8"}
        answer = self._asker.ask("POST", self._address(now), body, headers)
        if not answer.ok:
            raise refusal(answer, now)
        code = self._code(answer)
        if code == 0:
            return Handed()
        if code in self.too_many:
            raise SendError(f"{self.code_field} {code}: too many just now", retry_after=self._pause)
        if code in self.unclear:
            raise UnclearSendError(f"{self.code_field} {code}")
        scope: Literal["channel", "message"] = "channel" if code in self.of_the_channel else "message"
        raise SendError(f"{self.code_field} {code}", permanent=True, scope=scope)

    def close(self) -> None:
        self._asker.close()

    def _code(self, answer: Answer) -> int:
        code = answer.json().get(self.code_field)
        if isinstance(code, bool) or not isinstance(code, int):
            raise UnclearSendError(f"the answer has no {self.code_field}")
        return code


def mobile_of(to: str) -> str | None:
    """The recipient's mobile number as a robot wants it (eleven digits), None where it is no such number."""
    digits = printable(to).removeprefix("+86").removeprefix("0086")
    return digits if len(digits) == 11 and digits.isdigit() else None
