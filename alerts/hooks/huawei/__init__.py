"""Messages through Huawei Cloud's short message service."""

from __future__ import annotations

from alerts.hooks.huawei.config import Config
from alerts.hooks.huawei.hook import HuaweiHook, open_hook

__all__ = ["Config", "HuaweiHook", "open_hook"]
