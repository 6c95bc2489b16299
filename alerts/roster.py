"""Roles → people of a moment, for messages: see :mod:`domain.roster`."""

from __future__ import annotations

from domain.roster import AT_WINDOW, OF_WINDOW, UP, Ground, Grounds, Holders, Roster

__all__ = ["AT_WINDOW", "OF_WINDOW", "UP", "Ground", "Grounds", "Holders", "Roster"]
