"""Writes messages into a WeCom group.

Source: developer.work.weixin.qq.com/document/path/91770 (text, ``mentioned_mobile_list``, 20 messages a minute) and the list of
global error codes (path/90313).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alerts.hooks.robot import RobotHook, mobile_of
from alerts.hooks.wecom.config import Config
from alerts.messages import Outgoing


class WecomHook(RobotHook):
    """See :class:`alerts.hooks.robot.RobotHook`."""

    too_many = frozenset({45009})  # reach max api daily quota limit, also for the minute
    unclear = frozenset({-1})  # system busy
    of_the_channel = frozenset({93000, 93008})  # the robot's address is none; the robot is not in the group

    def _body(self, message: Outgoing, now: float) -> Mapping[str, Any]:
        text: dict[str, Any] = {"content": message.text}
        if self._mention and (mobile := mobile_of(message.to)):
            text["mentioned_mobile_list"] = [mobile]
        return {"msgtype": "text", "text": text}


def open_hook(config: Config) -> WecomHook:
    return WecomHook(config)
