"""Working days and moments of a centre: which dates count, when a date opens and when its deadline falls.

The base calendar is *published*, never computed: for China ``chinesecalendar`` is the publisher (it refuses a year
without a State Council notice) and ``holidays`` only a second opinion, because it invents the years it does not know.
For any other country code ``holidays`` is the publisher. ``none`` knows weekends only, and so needs no publication.

All moments are handed out in UTC, so that they compare by instant even across a change of summer time.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache, lru_cache
from importlib.metadata import version
from typing import Any, Literal
from zoneinfo import ZoneInfo

from domain.errors import CalendarError

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
#: Minutes from local midnight; 1440 is 24:00.
Hours = Sequence[tuple[int, int]]
#: Closed runs of dates as ordinals; ``None`` as the end means "without end".
Runs = Sequence[tuple[int, int | None]]
FIRST_YEAR, LAST_YEAR = 1990, 2150
FIRST_DATE, LAST_DATE = date(FIRST_YEAR, 1, 1).toordinal(), date(LAST_YEAR, 12, 31).toordinal()


@dataclass(frozen=True, slots=True)
class BaseYear:
    """One year of a base calendar: working dates as ordinals, whether it is published, dates two sources dispute."""

    working: tuple[int, ...]
    published: bool
    disputed: frozenset[int] = frozenset()


def known_bases() -> frozenset[str]:
    """Names a centre file may give as ``calendar.base``."""
    import holidays

    return frozenset(holidays.list_supported_countries()) | {"none"}


def _weekday_only(year: int) -> tuple[int, ...]:
    first, last = date(year, 1, 1).toordinal(), date(year, 12, 31).toordinal()
    return tuple(o for o in range(first, last + 1) if (o + 6) % 7 < 5)


@cache
def base_year(base: str, year: int) -> BaseYear:
    """The working dates of one year of a base calendar, before the centre's own dates.

    A year that the base has not published has weekends only (section 2 of the contract).

    Raises:
        CalendarError: the base is unknown.
    """
    if base == "none":
        return BaseYear(_weekday_only(year), True)
    import holidays

    first, last = date(year, 1, 1).toordinal(), date(year, 12, 31).toordinal()
    if base == "CN":
        import chinese_calendar
        from chinese_calendar import constants

        # National Day is in every notice: a year without it has none.
        if date(year, 10, 1) not in constants.holidays:
            return BaseYear(_weekday_only(year), False)
        dates = [date.fromordinal(o) for o in range(first, last + 1)]
        published = {d for d in dates if chinese_calendar.is_workday(d)}
        second = holidays.country_holidays("CN", years=year)
        disputed = frozenset(d.toordinal() for d in dates if second.is_working_day(d) != (d in published))
        return BaseYear(tuple(sorted(d.toordinal() for d in published)), True, disputed)
    try:
        country = holidays.country_holidays(base, years=year)
    except NotImplementedError:
        raise CalendarError(f"calendar base '{base}' is not known") from None
    if not type(country).start_year <= year <= type(country).end_year:
        return BaseYear(_weekday_only(year), False)
    return BaseYear(
        tuple(o for o in range(first, last + 1) if country.is_working_day(date.fromordinal(o))), True
    )


class Calendar:
    """Working time of one centre. Immutable in meaning; keeps caches.

    Args:
        base: ``CN``, another country code of ``holidays``, or ``none``.
        holidays, workdays: the centre's own closed and working dates; they win over the base.
        zone: the centre's time zone.
        hours: office hours per weekday (0 = Monday), minutes from midnight; empty or absent days take Monday's.
        deadline_at: ``close`` (end of the last office hours) or ``midnight`` (24:00). Civil Code art. 203.
    """

    def __init__(
        self,
        base: str,
        holidays: Sequence[date],
        workdays: Sequence[date],
        zone: ZoneInfo,
        hours: Mapping[int, Hours],
        deadline_at: Literal["close", "midnight"] = "close",
    ) -> None:
        self.base, self.zone, self.deadline_at = base, zone, deadline_at
        self._closed = frozenset(d.toordinal() for d in holidays)
        self._extra = frozenset(d.toordinal() for d in workdays)
        ordinary = hours.get(0) or next((h for h in hours.values() if h), ((0, 1440),))
        self._hours = tuple(tuple(hours.get(day) or ordinary) for day in range(7))
        self._days: list[int] = []
        self._working: frozenset[int] = frozenset()
        self._low, self._high = LAST_DATE + 1, FIRST_DATE - 1
        self._deadlines: dict[int, datetime] = {}
        self._openings: dict[int, datetime] = {}
        self._day_starts: dict[int, datetime] = {}
        self._spans: dict[int, list[tuple[datetime, datetime]]] = {}
        # The same few moments of a case are asked for again and again while its deadlines are followed.
        self._dates: dict[datetime, int] = {}
        self._provisional: dict[tuple[int, int], bool] = {}

    # ---- which dates count -------------------------------------------------------------------------------------

    def _cover(self, first: int, last: int) -> list[int]:
        """The sorted working ordinals, holding at least the years of both ordinals (as far as LAST_YEAR)."""
        if self._low <= first and last <= self._high:
            return self._days
        first, last = max(min(first, LAST_DATE), FIRST_DATE), max(min(last, LAST_DATE), FIRST_DATE)
        if self._days:
            first, last = min(first, self._low), max(last, self._high)
        low, high = date.fromordinal(first).year, date.fromordinal(last).year
        days: set[int] = set()
        for year in range(low, high + 1):
            days.update(base_year(self.base, year).working)
        self._low, self._high = date(low, 1, 1).toordinal(), date(high, 12, 31).toordinal()
        days |= {o for o in self._extra if self._low <= o <= self._high}
        days -= self._closed
        self._working, self._days = frozenset(days), sorted(days)
        return self._days

    def is_working(self, ordinal: int) -> bool:
        if not self._low <= ordinal <= self._high:
            self._cover(ordinal, ordinal)
        return ordinal in self._working

    def working_between(self, after: int, upto: int) -> int:
        """How many working days lie in (after, upto]."""
        if upto <= after:
            return 0
        days = self._cover(after, upto)
        return bisect_right(days, upto) - bisect_right(days, after)

    def working_days(self, after: int, upto: int) -> list[int]:
        """The working days in (after, upto]."""
        days = self._cover(after, upto)
        return days[bisect_right(days, after) : bisect_right(days, upto)]

    def nth_working(self, after: int, n: int, excluded: Runs = ()) -> int | None:
        """The n-th (n ≥ 1) working date after ``after`` outside the excluded runs (sorted, disjoint).

        None if a run has no end or the date would lie beyond LAST_YEAR.
        """
        days = self._cover(after, after + 2 * n + 31)
        at = bisect_right(days, after)
        for first, last in excluded:
            if last is not None and last <= after:
                continue
            days = self._cover(after, max(after, first) + 31)
            before = max(0, bisect_left(days, first) - at)
            if before >= n:
                break
            if last is None:
                return None
            n -= before
            days = self._cover(after, last + 2 * n + 31)
            at = max(at, bisect_right(days, last))
        while at + n > len(days):
            if self._high >= LAST_DATE:
                return None
            days = self._cover(after, self._high + 1)
        return days[at + n - 1]

    def nth_date(self, after: int, n: int, excluded: Runs = ()) -> int | None:
        """The n-th (n ≥ 1) date of any kind after ``after`` outside the excluded runs."""
        at = after  # last ordinal already dealt with
        for first, last in excluded:
            if last is not None and last <= at:
                continue
            before = max(0, first - at - 1)
            if before >= n:
                break
            if last is None:
                return None
            n -= before
            at = last
        return at + n if at + n <= LAST_DATE else None

    def provisional(self, first: int, last: int) -> bool:
        """True if any date of [first, last] lies in a year nobody has published, or is disputed (rule table, end)."""
        if last < first:
            return False
        found = self._provisional.get((first, last))
        if found is None:
            if len(self._provisional) > 2_000:
                self._provisional.clear()
            found = self._provisional[first, last] = self._is_provisional(first, last)
        return found

    def _is_provisional(self, first: int, last: int) -> bool:
        low, high = date.fromordinal(first).year, date.fromordinal(last).year
        if low == high and self._sound_year(low):
            return False
        return any(
            not base_year(self.base, year).published
            or any(
                first <= o <= last for o in base_year(self.base, year).disputed - self._extra - self._closed
            )
            for year in range(low, high + 1)
        )

    def _sound_year(self, year: int) -> bool:
        known = base_year(self.base, year)
        return known.published and not known.disputed

    def unpublished_years(self, first: int, last: int) -> list[int]:
        years = range(date.fromordinal(first).year, date.fromordinal(max(first, last)).year + 1)
        return [y for y in years if not base_year(self.base, y).published]

    # ---- moments -----------------------------------------------------------------------------------------------

    def local_date(self, moment: datetime) -> int:
        """The local date of a moment, as an ordinal."""
        found = self._dates.get(moment)
        if found is None:
            if len(self._dates) > 2_000:
                self._dates.clear()
            found = self._dates[moment] = moment.astimezone(self.zone).toordinal()
        return found

    def local(self, moment: datetime) -> datetime:
        return moment.astimezone(self.zone)

    def at_minute(self, ordinal: int, minute: int) -> datetime:
        """Local minute of a date (1440 = 24:00) as a UTC moment."""
        extra, minute = divmod(minute, 1440)
        return self.at_time(ordinal + extra, time(minute // 60, minute % 60))

    def at_time(self, ordinal: int, at: time) -> datetime:
        return datetime.combine(date.fromordinal(ordinal), at, self.zone).astimezone(UTC)

    def day_start(self, ordinal: int) -> datetime:
        found = self._day_starts.get(ordinal)
        if found is None:
            found = self._day_starts[ordinal] = self.at_minute(ordinal, 0)
        return found

    def hours_of(self, ordinal: int) -> tuple[tuple[int, int], ...]:
        """Office hours of a date in minutes; a rest day takes those of an ordinary working day (rule 4)."""
        return self._hours[(ordinal + 6) % 7]

    def deadline(self, ordinal: int) -> datetime:
        """Deadline moment of a date (rule 4)."""
        found = self._deadlines.get(ordinal)
        if found is None:
            minute = 1440 if self.deadline_at == "midnight" else self.hours_of(ordinal)[-1][1]
            found = self._deadlines[ordinal] = self.at_minute(ordinal, minute)
        return found

    def opening(self, ordinal: int) -> datetime:
        """Beginning of a date's first office hours."""
        found = self._openings.get(ordinal)
        if found is None:
            found = self._openings[ordinal] = self.at_minute(ordinal, self.hours_of(ordinal)[0][0])
        return found

    def office_spans(self, ordinal: int) -> list[tuple[datetime, datetime]]:
        """Office hours of a date as UTC spans; none on a rest day."""
        if not self.is_working(ordinal):
            return []
        found = self._spans.get(ordinal)
        if found is None:
            hours = self.hours_of(ordinal)
            found = self._spans[ordinal] = [
                (self.at_minute(ordinal, a), self.at_minute(ordinal, b)) for a, b in hours
            ]
        return list(found)

    def after_office_time(self, start: datetime, span: timedelta, days: int = 31) -> datetime | None:
        """The moment by which ``span`` of office time has passed since ``start``; None if not within ``days`` days."""
        first = self.local_date(start)
        for ordinal in range(first, first + days):
            for begin, end in self.office_spans(ordinal):
                begin = max(begin, start)
                if end <= begin:
                    continue
                if end - begin >= span:
                    return begin + span
                span -= end - begin
        return None

    @property
    def version(self) -> str:
        """Names the calendar a finding was counted with: base, library versions, digest of the centre's own dates."""
        return calendar_version(self.base, self._closed, self._extra, self._hours, self.deadline_at)


@lru_cache(maxsize=256)
def calendar_version(
    base: str, closed: frozenset[int], extra: frozenset[int], hours: tuple, deadline_at: str
) -> str:
    own = hashlib.sha256(repr((sorted(closed), sorted(extra), hours, deadline_at)).encode()).hexdigest()[:8]
    parts = [base]
    if base == "CN":
        parts.append(f"chinesecalendar {version('chinesecalendar')}")
    if base != "none":
        parts.append(f"holidays {version('holidays')}")
    return "; ".join([*parts, f"own {own}"])


def parse_hours(spans: Sequence[str]) -> list[tuple[int, int]]:
    """``["09:00-12:00", "13:30-17:00"]`` → minutes from midnight, checked.

    Raises:
        ValueError: a span is malformed, empty or overlaps another.
    """
    import re

    result: list[tuple[int, int]] = []
    for text in spans:
        match = re.fullmatch(r"\s*(\d{1,2}):(\d\d)\s*[-–]\s*(\d{1,2}):(\d\d)\s*", text)
        if match is None:
            raise ValueError(f"'{text}' is not of the form HH:MM-HH:MM")
        h1, m1, h2, m2 = map(int, match.groups())
        start, end = h1 * 60 + m1, h2 * 60 + m2
        if m1 > 59 or m2 > 59 or start >= 1440 or end > 1440:
            raise ValueError(f"'{text}' is not a time of day")
        if start >= end:
            raise ValueError(f"'{text}' does not end after it begins")
        if any(start < other_end and other_start < end for other_start, other_end in result):
            raise ValueError(f"'{text}' overlaps other hours of the day")
        result.append((start, end))
    return sorted(result)


def parse_week(hours: Sequence[str] | Mapping[Any, list[str]]) -> dict[int, list[tuple[int, int]]]:
    """Office hours as the centre file gives them (a list, or a map mon…sun) → per weekday, 0 = Monday.

    A list gives every weekday the same hours.
    """
    if isinstance(hours, Mapping):
        return {WEEKDAYS.index(day): parse_hours(spans) for day, spans in hours.items()}
    return dict.fromkeys(range(7), parse_hours(hours))
