"""Messages through Aliyun's short message service."""

from __future__ import annotations

from alerts.hooks.aliyun.config import Config
from alerts.hooks.aliyun.hook import AliyunHook, open_hook

__all__ = ["AliyunHook", "Config", "open_hook"]
