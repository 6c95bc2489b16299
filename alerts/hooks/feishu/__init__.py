"""Messages into a group of Feishu (飞书), by its robot."""

from __future__ import annotations

from alerts.hooks.feishu.config import Config
from alerts.hooks.feishu.hook import FeishuHook, open_hook

__all__ = ["Config", "FeishuHook", "open_hook"]
