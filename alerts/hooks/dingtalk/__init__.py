"""Messages into a group of DingTalk (钉钉), by its robot."""

from __future__ import annotations

from alerts.hooks.dingtalk.config import Config
from alerts.hooks.dingtalk.hook import DingtalkHook, open_hook

__all__ = ["Config", "DingtalkHook", "open_hook"]
