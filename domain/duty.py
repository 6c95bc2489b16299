"""The roster of duty (值班表): when each entry holds. Pure.

Days are those of the legal calendar (``rest``, ``working``) or of the week; hours over midnight belong to the day on which
they begin, and so do ``from`` and ``until``, both included.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from domain.messages import Duty
from domain.recurring import Recurring
from domain.working_time import Calendar

Span = tuple[datetime, datetime]
_ALWAYS = Recurring()


def spans_of(duty: Duty, calendar: Calendar, begin: datetime, end: datetime) -> Iterator[Span]:
    """The spans of an entry that hold any of [begin, end], in order; those of hours that overlap may do so."""
    for ordinal in range(calendar.local_date(begin) - 1, calendar.local_date(end) + 1):
        if duty.first is not None and ordinal < duty.first.toordinal():
            continue
        if duty.last is not None and ordinal > duty.last.toordinal():
            break
        for a, b in (duty.recurring or _ALWAYS).spans_on(ordinal, calendar):
            if a <= end and begin < b:
                yield a, b


def holds(duty: Duty, calendar: Calendar, at: datetime) -> bool:
    """Whether an entry holds at a moment."""
    return any(a <= at < b for a, b in spans_of(duty, calendar, at, at))


__all__ = ["Span", "holds", "spans_of"]
