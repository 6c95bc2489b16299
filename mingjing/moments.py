"""Moments and spans as a person types them on the command line, in the centre's time."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from domain.errors import InputError

_SPAN = re.compile(r"\s*(\d{1,4}(?:\.\d{1,2})?)\s*(m|min|minutes?|h|hours?|d|days?|分钟|小时|天)\s*")
_UNITS = {"m": "minutes", "分": "minutes", "h": "hours", "小": "hours", "d": "days", "天": "days"}


def moment_of(text: str, zone: ZoneInfo, option: str) -> datetime:
    """``2026-11-24 08:00`` (local), ``2026-11-24`` (its first moment) or RFC 3339 with an offset.

    Raises:
        InputError: naming the option.
    """
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise InputError(f"{option}: '{text[:40]}' is no moment like '2026-11-24 08:00'") from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)


def span_of(text: str, option: str) -> timedelta:
    """``90 minutes``, ``3 hours``, ``2 days``, also short (``90m``, ``3h``, ``2d``).

    Raises:
        InputError: naming the option.
    """
    match = _SPAN.fullmatch(text)
    if match is None or not float(match[1]):
        raise InputError(f"{option}: '{text[:40]}' is no span like '90 minutes', '3 hours' or '2 days'")
    return timedelta(**{_UNITS[match[2][0]]: float(match[1])})


__all__ = ["moment_of", "span_of"]
