"""Messages as lines of the log, for a centre without a gateway."""

from __future__ import annotations

from alerts.hooks.log.config import Config
from alerts.hooks.log.hook import LogHook, open_hook

__all__ = ["Config", "LogHook", "open_hook"]
