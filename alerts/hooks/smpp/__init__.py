"""Messages through a short message centre that speaks SMPP 3.4."""

from __future__ import annotations

from alerts.hooks.smpp.config import Config
from alerts.hooks.smpp.hook import SmppHook, open_hook

__all__ = ["Config", "SmppHook", "open_hook"]
