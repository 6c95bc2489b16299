"""Writes messages into a Feishu group.

Source: open.feishu.cn/document/client-docs/bot-v3/add-custom-bot (text, signature, 100 messages a minute and 5 a second, codes).
A custom robot knows its readers by Feishu's own ids only, so nobody is called by number.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

from alerts.hooks.asking import read_secret
from alerts.hooks.feishu.config import Config
from alerts.hooks.robot import RobotHook
from alerts.messages import Outgoing


class FeishuHook(RobotHook):
    """See :class:`alerts.hooks.robot.RobotHook`."""

    code_field = "code"
    too_many = frozenset({11232, 9499})  # frequency limited; too many requests
    of_the_channel = frozenset(
        {19001, 19021, 19022}
    )  # no such robot; signed wrongly; our address is not on its list

    def __init__(self, config: Config, **injected: Any) -> None:
        super().__init__(config, **injected)
        signed = bool(config.secret.get_secret_value() or config.secret_file)
        self._secret = read_secret(config.secret, config.secret_file, "secret") if signed else None

    def _body(self, message: Outgoing, now: float) -> Mapping[str, Any]:
        body: dict[str, Any] = {"msg_type": "text", "content": {"text": message.text}}
        if self._secret is not None:
            stamp = str(int(now))
            body |= {"timestamp": stamp, "sign": sign(self._secret, stamp)}
        return body


def sign(secret: bytes, stamp: str) -> str:
    """Signature of a moment (seconds since the epoch): HMAC-SHA256 of nothing under stamp, newline, secret; base64."""
    key = stamp.encode() + b"\n" + secret
    return base64.b64encode(hmac.new(key, b"", hashlib.sha256).digest()).decode()


def open_hook(config: Config) -> FeishuHook:
    return FeishuHook(config)
