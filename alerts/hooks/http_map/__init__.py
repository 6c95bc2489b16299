"""Messages to any HTTP gateway, described by a map of its fields."""

from __future__ import annotations

from alerts.hooks.http_map.config import Config
from alerts.hooks.http_map.hook import HttpMapHook, open_hook

__all__ = ["Config", "HttpMapHook", "open_hook"]
