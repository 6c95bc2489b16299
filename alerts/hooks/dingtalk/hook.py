"""Writes messages into a DingTalk group.

Sources: open.dingtalk.com/document/orgapp/custom-robot-access (text, ``atMobiles``, 20 messages a minute) and
…/customize-robot-security-settings (signature).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from alerts.hooks.asking import read_secret
from alerts.hooks.dingtalk.config import Config
from alerts.hooks.robot import RobotHook, mobile_of
from alerts.messages import Outgoing


class DingtalkHook(RobotHook):
    """See :class:`alerts.hooks.robot.RobotHook`."""

    too_many = frozenset({130101, 410100})  # send too fast
    unclear = frozenset({-1})  # system busy
    of_the_channel = frozenset(
        {310000, 300001, 400101, 400102}
    )  # signed wrongly; no such robot, or it is stopped

    def __init__(self, config: Config, **injected: Any) -> None:
        super().__init__(config, **injected)
        signed = bool(config.secret.get_secret_value() or config.secret_file)
        self._secret = read_secret(config.secret, config.secret_file, "secret") if signed else None

    def _address(self, now: float) -> str:
        if self._secret is None:
            return self._url
        stamp = str(round(now * 1000))
        joint = "&" if "?" in self._url else "?"
        return f"{self._url}{joint}timestamp={stamp}&sign={quote(sign(self._secret, stamp), safe='')}"

    def _body(self, message: Outgoing, now: float) -> Mapping[str, Any]:
        body: dict[str, Any] = {"msgtype": "text", "text": {"content": message.text}}
        if self._mention and (mobile := mobile_of(message.to)):
            body["at"] = {"atMobiles": [mobile]}
        return body


def sign(secret: bytes, stamp: str) -> str:
    """Signature of a moment (milliseconds since the epoch): HMAC-SHA256 under the secret of stamp, newline, secret; base64."""
    text = stamp.encode() + b"\n" + secret
    return base64.b64encode(hmac.new(secret, text, hashlib.sha256).digest()).decode()


def open_hook(config: Config) -> DingtalkHook:
    return DingtalkHook(config)
