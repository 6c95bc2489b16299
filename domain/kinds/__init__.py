"""Kinds of event beyond the contract's, each with the check of its data; what they mean is in ``docs/events.md``.

Only what a rule cannot do without is required; whatever else an event says is kept. ``null`` counts as absent.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from domain.decoding import clean, parse_moment
from domain.errors import EventError

#: Checks the data of one kind; raises :class:`EventError` with the code ``bad_data`` or that of a bad moment.
Check = Callable[[Mapping[str, Any]], None]
_LONGEST = 256


def texts(*names: str) -> Check:
    """These keys must be texts of 1 to 256 characters."""

    def check(data: Mapping[str, Any]) -> None:
        for name in names:
            value = data.get(name)
            if not isinstance(value, str) or not value.strip() or len(value) > _LONGEST:
                raise EventError("bad_data", f"data.{name}", f"must be a text of 1 to {_LONGEST} characters")

    return check


def optional(*names: str) -> Check:
    """These keys, where given, must be texts of 1 to 256 characters."""

    def check(data: Mapping[str, Any]) -> None:
        texts(*(name for name in names if data.get(name) is not None))(data)

    return check


def moments(*names: str) -> Check:
    """These keys, where given, must be moments with their offset."""

    def check(data: Mapping[str, Any]) -> None:
        for name in names:
            if data.get(name) is not None:
                parse_moment(data[name], f"data.{name}")

    return check


def money(name: str) -> Check:
    """The key, where given, must be a number or a decimal text, not below nought."""

    def check(data: Mapping[str, Any]) -> None:
        value = data.get(name)
        if value is None:
            return
        if isinstance(value, str) and re.fullmatch(r"\d{1,15}(\.\d{1,4})?", value, re.ASCII):
            return
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1e15:
            raise EventError("bad_data", f"data.{name}", f"must be an amount, not {clean(repr(value))}")

    return check


def choice(name: str, *allowed: str) -> Check:
    """The key, where given, must be one of these words."""

    def check(data: Mapping[str, Any]) -> None:
        if data.get(name) is not None and data[name] not in allowed:
            raise EventError("bad_data", f"data.{name}", f"must be one of {', '.join(allowed)}")

    return check


def every(*checks: Check) -> Check:
    def check(data: Mapping[str, Any]) -> None:
        for each in checks:
            each(data)

    return check
