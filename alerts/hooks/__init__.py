"""Hooks, one folder each: ``hook.py``, ``config.py``, ``fake.py`` (misbehaves on command) and a page of documentation.

A hook's code is imported when it is first asked for, so that an optional vendor library is needed only by who uses it.
"""

from __future__ import annotations

from alerts.hooks.base import CanQuery, Handed, Hook, UnclearSendError
from alerts.hooks.registry import KINDS, open_hook

__all__ = ["KINDS", "CanQuery", "Handed", "Hook", "UnclearSendError", "open_hook"]
