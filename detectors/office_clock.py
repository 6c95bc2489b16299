"""The four-point clock (2d of the domain reference): time passes in office hours only, and a working day is one of it.

Before opening counts from opening, lunch as the end of the morning, after closing as the end of the day (P2). A date's office
hours are one day however long they are. Days are exact fractions, so that nothing is lost by adding them.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from fractions import Fraction
from math import ceil

from domain.working_time import Calendar

#: "One second over counts as over" (P1): the clock goes by whole seconds.
SECOND = timedelta(seconds=1)
_MICRO = timedelta(microseconds=1)


class OfficeClock:
    """Working days elapsed since the beginning of the date of ``start``."""

    def __init__(self, start: datetime, calendar: Calendar) -> None:
        self.calendar = calendar
        self.first_day = calendar.local_date(start)
        self.start = self.position(start)

    def position(self, moment: datetime) -> Fraction:
        """Days from the beginning of the start's date; a moment before it counts as that beginning."""
        ordinal = self.calendar.local_date(moment)
        if ordinal < self.first_day:
            return Fraction(0)
        whole = self.calendar.working_between(self.first_day - 1, ordinal - 1)
        spans = self.calendar.office_spans(ordinal)
        if not spans:
            return Fraction(whole)
        worked = sum((max(timedelta(), min(end, moment) - begin) for begin, end in spans), timedelta())
        total = sum((end - begin for begin, end in spans), timedelta())
        return whole + Fraction(worked // _MICRO, total // _MICRO)

    def reached(self, position: Fraction) -> datetime | None:
        """The first moment at which a position above 0 is reached; None beyond the calendar's last year."""
        number = ceil(position)
        ordinal = self.calendar.nth_working(self.first_day - 1, number)
        if ordinal is None:
            return None
        spans = self.calendar.office_spans(ordinal)
        total = sum((end - begin for begin, end in spans), timedelta())
        left = ceil((position - (number - 1)) * (total // _MICRO)) * _MICRO
        for begin, end in spans:
            if end - begin >= left:
                return begin + left
            left -= end - begin
        raise AssertionError("a day's hours are all of its spans")

    def passed(self, position: Fraction) -> datetime | None:
        """The first second over a position: a second of office time after it was reached."""
        if position <= 0:
            return self.calendar.after_office_time(self.calendar.day_start(self.first_day), SECOND)
        reached = self.reached(position)
        if reached is None:
            return None
        return self.calendar.after_office_time(reached, SECOND) or reached + SECOND
