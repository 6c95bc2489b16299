"""Messages as signed JSON to any gateway that speaks HTTP."""

from __future__ import annotations

from alerts.hooks.http_json.config import Config
from alerts.hooks.http_json.hook import HttpJsonHook, open_hook

__all__ = ["Config", "HttpJsonHook", "open_hook"]
