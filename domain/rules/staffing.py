"""Settings of ``rules.staffing`` and ``rules.attendance``, and the keys of a window they read.

Sources: A1 Kaifu (Changsha) 2019, A2 Cangnan 2019, A5 a centre with lunch duty, A12 rules of AB posts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import Field, StrictInt

from domain.model import Code, Model, Spans, Weekday, added
from domain.rules import FamilySettings
from domain.working_time import WEEKDAYS, Calendar, parse_hours


class StaffingSettings(FamilySettings):
    """What excuses an empty window, and what does not.

    ``short_leave``: minutes of a registered short leave that need no substitute (A1: in principle at most 30).
    ``substitute``: a window all of whose people are on a longer leave without a substitute is a finding (A1).
    ``ab_away``: so is an A-post and its B-post on leave at once (A12). ``backdated``: a leave also excuses the time before
    it was granted; by default it does not.
    """

    short_leave: Annotated[StrictInt, Field(ge=0, le=1440)] = 30
    substitute: bool = True
    ab_away: bool = True
    backdated: bool = False


class AttendanceSettings(FamilySettings):
    """Clocking in and out. ``clocks`` a day: 4 = in and out of each half day (A3–A6), 2 = in the morning, out at the end.

    Minutes: up to ``grace`` nothing is said (default 0), above ``unauthorised`` a late coming or early leaving counts as
    leaving the post without permission (A2: over 15 minutes).
    """

    clocks: Literal[2, 4] = 4
    grace: Annotated[StrictInt, Field(ge=0, le=240)] = 0
    unauthorised: Annotated[StrictInt, Field(ge=1, le=720)] = 15


# ---- what a window says ------------------------------------------------------------------------------------------------

#: Weekdays and single dates.
Days = list[Weekday | date]


def falls_on(days: Sequence[object] | None, ordinal: int) -> bool:
    """Whether a list of weekdays and dates names this date; None names every one."""
    if days is None:
        return True
    day = date.fromordinal(ordinal)
    return day in days or WEEKDAYS[day.weekday()] in days


class Shift(Model):
    """Who is on duty. Without ``days`` every working day, without ``hours`` all open hours."""

    staff: list[Code] = Field(min_length=1)
    days: Days | None = None
    hours: Spans | None = None

    def holds(self, at: datetime, calendar: Calendar) -> bool:
        """Whether a moment lies in it; lunch duty apart."""
        ordinal = calendar.local_date(at)
        if not calendar.is_working(ordinal) or not falls_on(self.days, ordinal):
            return False
        hours = calendar.hours_of(ordinal) if self.hours is None else parse_hours(self.hours)
        return any(calendar.at_minute(ordinal, a) <= at < calendar.at_minute(ordinal, b) for a, b in hours)


class LunchDuty(Model):
    """Lunch duty in turns (A5): on its ``days`` the window is staffed in these hours, on others it need not be."""

    hours: Spans
    days: Days


class ABPost(Model):
    """A-post and B-post: one stands in for the other with full powers (A10–A14)."""

    a: Code
    b: Code


class WindowStaffing(Model):
    """Keys of a window that only ``rules.staffing`` and ``rules.attendance`` read."""

    roster: list[Shift] | None = added()
    lunch: LunchDuty | None = added()
    #: The window that serves for this one while it is empty (one-person windows go in pairs, A5).
    pair: Code | None = added()
    ab_posts: list[ABPost] | None = added()
    #: Kinds of queue (``data.queue`` of its tickets) this window calls.
    queues: list[Code] | None = added()

    def named(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """Every person these keys name, with the place."""
        for i, shift in enumerate(self.roster or ()):
            for j, person in enumerate(shift.staff):
                yield ("roster", i, "staff", j), person
        for i, post in enumerate(self.ab_posts or ()):
            yield ("ab_posts", i, "a"), post.a
            yield ("ab_posts", i, "b"), post.b
