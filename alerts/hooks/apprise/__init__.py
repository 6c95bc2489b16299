"""Messages through any of the services apprise knows."""

from __future__ import annotations

from alerts.hooks.apprise.config import Config
from alerts.hooks.apprise.hook import AppriseHook, open_hook

__all__ = ["AppriseHook", "Config", "open_hook"]
