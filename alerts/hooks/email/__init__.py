"""Messages as e-mail."""

from __future__ import annotations

from alerts.hooks.email.config import Config
from alerts.hooks.email.hook import EmailHook, open_hook

__all__ = ["Config", "EmailHook", "open_hook"]
