"""Messages through Tencent Cloud's short message service."""

from __future__ import annotations

from alerts.hooks.tencent.config import Config
from alerts.hooks.tencent.hook import TencentHook, open_hook

__all__ = ["Config", "TencentHook", "open_hook"]
