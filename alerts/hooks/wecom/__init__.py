"""Messages into a group of WeCom (企业微信), by its robot."""

from __future__ import annotations

from alerts.hooks.wecom.config import Config
from alerts.hooks.wecom.hook import WecomHook, open_hook

__all__ = ["Config", "WecomHook", "open_hook"]
