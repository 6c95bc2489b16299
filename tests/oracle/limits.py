"""The referee's limits: suspensions (rule 2) and the due day of one limit (rules 1, 3 and 6)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from typing import Any

from tests.oracle.calendar import ONE_DAY, Calendar, dates

STOPS = {"case.decided", "case.closed", "case.refused", "case.withdrawn"}
FOREVER = datetime(9990, 1, 1, tzinfo=UTC)

Json = dict[str, Any]


@dataclass
class Suspension:
    """One `case.suspended`. `ended` is the resume or the stop that ended it (FOREVER while there is none)."""

    begin: datetime
    days: int | None
    ended: datetime
    cap: datetime | None  # the moment at which the announced days are used up

    @property
    def end(self) -> datetime:
        return self.ended if self.cap is None else min(self.ended, self.cap)


def announced_end(calendar: Calendar, begin: datetime, days: int) -> tuple[datetime, bool]:
    """Rule 2: deadline moment of the `days`-th working day touched, and whether an unpublished year was walked over."""
    day = calendar.local_date(begin)
    touched = 0
    provisional = False
    while True:
        if not calendar.is_published(day):
            provisional = True
        if calendar.is_working(day) and begin < calendar.deadline_moment(day):
            touched += 1
            if touched == days:
                return calendar.deadline_moment(day), provisional
        day += ONE_DAY


def suspensions_of(calendar: Calendar, events: list[Json]) -> list[Suspension]:
    """All suspensions in a list of ordered events that ends, if the case was stopped, with the stop."""
    found: list[Suspension] = []
    for event in events:
        if event["kind"] == "case.suspended":
            days = event["data"].get("days")
            cap = None if days is None else announced_end(calendar, event["at"], days)[0]
            found.append(Suspension(event["at"], days, FOREVER, cap))
        elif event["kind"] == "case.resumed" or event["kind"] in STOPS:
            for suspension in found:
                if suspension.ended == FOREVER:
                    suspension.ended = event["at"]
    return found


@dataclass
class Due:
    moment: datetime
    day: date
    provisional: bool


@dataclass
class Limit:
    """One limit of one case: `days` of `unit` from `start`, or an explicit deadline. `added` by valid extensions."""

    calendar: Calendar
    start: datetime
    days: int = 0
    unit: str = "working_day"
    explicit: datetime | None = None
    added: int = 0
    suspensions: list[Suspension] = field(default_factory=list)

    @property
    def day_zero(self) -> date:
        return self.calendar.local_date(self.start)

    def deadline_moment(self, day: date) -> datetime:
        if self.explicit is None:
            return self.calendar.deadline_moment(day)
        clock = self.explicit.astimezone(self.calendar.zone).timetz().replace(tzinfo=None)
        if clock == time(0):
            return self.calendar.midnight_after(day)
        return datetime.combine(day, clock, self.calendar.zone).astimezone(UTC)

    def explicit_date(self) -> date:
        assert self.explicit is not None
        local = self.explicit.astimezone(self.calendar.zone)
        if local.timetz().replace(tzinfo=None) == time(0):
            return local.date() - ONE_DAY
        return local.date()

    def is_excluded(self, day: date) -> bool:
        """Rule 2: suspended at any moment of the date before the date's own deadline moment."""
        first = self.calendar.midnight_before(day)
        last = self.deadline_moment(day)
        return any(max(s.begin, first) < min(s.end, last) for s in self.suspensions)

    def never_counts_again(self, day: date) -> bool:
        """A suspension without an end covers this date and all that follow."""
        return any(s.end == FOREVER and s.begin < self.deadline_moment(day) for s in self.suspensions)

    def counts(self, day: date) -> bool:
        if self.is_excluded(day):
            return False
        return self.unit == "calendar_day" or self.calendar.is_working(day)

    def due(self) -> Due | None:
        """The deadline, or None while a suspension without announced end keeps it out of sight."""
        return self._due_by_days() if self.explicit is None else self._due_explicit()

    def _due_by_days(self) -> Due | None:
        wanted = self.days + self.added
        counted = 0
        day = self.day_zero
        while counted < wanted:
            day += ONE_DAY
            if self.never_counts_again(day):
                return None
            if self.counts(day):
                counted += 1
        if self.unit == "calendar_day" and not self.calendar.is_working(day):
            while not self.calendar.is_working(day) or self.is_excluded(day):
                day += ONE_DAY
                if self.never_counts_again(day):
                    return None
        return Due(self.deadline_moment(day), day, self._walked_unpublished(self.day_zero + ONE_DAY, day))

    def _due_explicit(self) -> Due | None:
        assert self.explicit is not None
        target = self.explicit_date()
        days = dates(self.day_zero + ONE_DAY, target)
        if self.added == 0 and not any(self.is_excluded(day) for day in days):
            return Due(self.explicit, target, False)
        wanted = sum(1 for day in days if self.calendar.is_working(day)) + self.added
        counted = 0
        day = self.day_zero
        while counted < wanted:
            day += ONE_DAY
            if self.never_counts_again(day):
                return None
            if self.counts(day):
                counted += 1
        day = max(day, target)
        if self.is_excluded(day):
            while not self.calendar.is_working(day) or self.is_excluded(day):
                day += ONE_DAY
                if self.never_counts_again(day):
                    return None
        return Due(self.deadline_moment(day), day, self._walked_unpublished(self.day_zero + ONE_DAY, day))

    def _walked_unpublished(self, first: date, last: date) -> bool:
        return any(not self.calendar.is_published(day) for day in dates(first, last))

    def has_passed(self, moment: datetime) -> bool:
        due = self.due()
        return due is not None and due.moment < moment

    def notice_opening(self, due: Due, before: int) -> tuple[datetime, bool]:
        """Opening time of the countable day `before` countable days before the due day; no such day: the start."""
        day = due.day
        left = before
        while left > 0:
            day -= ONE_DAY
            if day <= self.day_zero:
                first = min(self.day_zero + ONE_DAY, due.day)
                return self.start, due.provisional or self._walked_unpublished(first, due.day)
            if self.counts(day):
                left -= 1
        return self.calendar.opening(day), due.provisional or self._walked_unpublished(day, due.day)
