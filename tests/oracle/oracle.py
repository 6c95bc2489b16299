"""An independent referee for the rules of counting: slow, literal, day by day.

Written from the contract alone (section 3 and, for the calendar, section 2) and sharing no code with `domain` or
`detectors`, so that an error has to be made twice to pass unseen. Nothing here is clever on purpose: each deadline is
found by walking over the dates one by one and asking of each whether it counts.

The readings chosen where the text leaves room are in README.md of this folder.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import chinese_calendar
import holidays as holidays_library

ORDER = [
    "case.received",
    "case.supplement_requested",
    "case.supplement_received",
    "case.accepted",
    "case.stage_started",
    "case.stage_finished",
    "case.resumed",
    "case.suspended",
    "case.extended",
    "case.decided",
    "case.closed",
    "case.refused",
    "case.withdrawn",
    "case.delivered",
]
STOPS = {"case.decided", "case.closed", "case.refused", "case.withdrawn"}
WEEKDAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
ONE_DAY = timedelta(days=1)
FOREVER = datetime(9990, 1, 1, tzinfo=UTC)

Row = dict[str, Any]
Json = dict[str, Any]


# --------------------------------------------------------------------------------------------------------- calendar


class Calendar:
    """Which dates are working dates, and the office hours of each."""

    def __init__(self, centre: Json) -> None:
        self.zone = ZoneInfo(centre["centre"]["timezone"])
        self.office_hours = centre["centre"]["office_hours"]
        calendar = centre.get("calendar") or {}
        self.base = calendar.get("base", "CN")
        self.extra_closed = {_as_date(d) for d in calendar.get("holidays") or []}
        self.extra_working = {_as_date(d) for d in calendar.get("workdays") or []}
        self.deadline_at = ((centre.get("rules") or {}).get("time_limit") or {}).get("deadline_at", "close")
        self._country = None
        if self.base not in ("CN", "none"):
            self._country = holidays_library.country_holidays(self.base)

    @functools.cache
    def is_published(self, day: date) -> bool:
        if self.base == "none":
            return True
        if self.base == "CN":
            try:
                chinese_calendar.is_workday(date(day.year, 6, 1))
            except NotImplementedError:
                return False
            return True
        assert self._country is not None
        return self._country.start_year <= day.year <= self._country.end_year

    @functools.cache
    def is_working(self, day: date) -> bool:
        if day in self.extra_closed:
            return False
        if day in self.extra_working:
            return True
        if self.base == "none" or not self.is_published(day):
            return day.weekday() < 5
        if self.base == "CN":
            return bool(chinese_calendar.is_workday(day))
        assert self._country is not None
        return day.weekday() < 5 and day not in self._country

    def hours(self, day: date) -> list[str]:
        """Office hours; a date whose weekday has none of its own (a make-up day, a rest day) takes Monday's."""
        if isinstance(self.office_hours, list):
            return self.office_hours
        own = self.office_hours.get(WEEKDAYS[day.weekday()])
        return own if own else self.office_hours["mon"]

    def at(self, day: date, clock: str) -> datetime:
        if clock == "24:00":
            return self.midnight_after(day)
        hour, minute = clock.split(":")
        return datetime.combine(day, time(int(hour), int(minute)), self.zone).astimezone(UTC)

    @functools.cache
    def midnight_before(self, day: date) -> datetime:
        return datetime.combine(day, time(0), self.zone).astimezone(UTC)

    def midnight_after(self, day: date) -> datetime:
        return self.midnight_before(day + ONE_DAY)

    def opening(self, day: date) -> datetime:
        return min(self.at(day, span.split("-")[0]) for span in self.hours(day))

    @functools.cache
    def deadline_moment(self, day: date) -> datetime:
        """Rule 4."""
        if self.deadline_at == "midnight":
            return self.midnight_after(day)
        return max(self.at(day, span.split("-")[1]) for span in self.hours(day))

    def local_date(self, moment: datetime) -> date:
        return moment.astimezone(self.zone).date()


def _as_date(value: Any) -> date:
    return value if isinstance(value, date) else date.fromisoformat(str(value))


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


# ------------------------------------------------------------------------------------------------------- suspensions


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


# ------------------------------------------------------------------------------------------------------------ limits


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
        dates = _dates(self.day_zero + ONE_DAY, target)
        if self.added == 0 and not any(self.is_excluded(day) for day in dates):
            return Due(self.explicit, target, False)
        wanted = sum(1 for day in dates if self.calendar.is_working(day)) + self.added
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
        return any(not self.calendar.is_published(day) for day in _dates(first, last))

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


def _dates(first: date, last: date) -> list[date]:
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


# ------------------------------------------------------------------------------------------------------------ events


def take_events(lines: list[str], until: datetime | None) -> tuple[list[Json], datetime | None]:
    """Rule 10: duplicates and conflicts out, events after `until` out, the rest in order. Returns also the `now`."""
    seen: set[tuple[str, str]] = set()
    taken: list[Json] = []
    for line in lines:
        if not line.strip():
            continue
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if not _is_valid(event):
            continue
        key = (event["source"], event["event_id"])
        if key in seen:
            continue
        seen.add(key)
        event["at"] = _moment(event["occurred_at"])
        event.setdefault("data", {})
        taken.append(event)
    now = until
    if now is None and taken:
        now = max(event["at"] for event in taken)
    taken = [event for event in taken if now is not None and event["at"] <= now]
    taken.sort(key=_place_in_order)
    return taken, now


def _is_valid(event: Json) -> bool:
    data = event.get("data") or {}
    if event["kind"] == "case.extended" or (event["kind"] == "case.suspended" and "days" in data):
        days = data.get("days")
        return isinstance(days, int) and not isinstance(days, bool) and days >= 1
    return True


def _place_in_order(event: Json) -> tuple[datetime, int, str, str]:
    kind = event["kind"]
    return event["at"], ORDER.index(kind) if kind in ORDER else len(ORDER), event["event_id"], event["source"]


# ------------------------------------------------------------------------------------------------------------- rules


def judge(centre: Json, lines: list[str], until: datetime | None = None) -> list[Row]:
    """All finding rows of a centre file (as a plain dict) and the lines of an event file, at the moment `until`."""
    calendar = Calendar(centre)
    events, now = take_events(lines, until)
    if now is None:
        return []
    by_case: dict[str, list[Json]] = {}
    for event in events:
        if event["kind"] in ORDER and event.get("case"):
            by_case.setdefault(event["case"], []).append(event)
    items = {item["code"]: item for item in centre.get("items") or []}
    before = ((centre.get("rules") or {}).get("time_limit") or {}).get("notice_before", 2)
    rows: list[Row] = []
    for case in sorted(by_case):
        rows += Case(calendar, items, before, case, by_case[case], now).rows()
    return rows


class Case:
    def __init__(
        self,
        calendar: Calendar,
        items: dict[str, Json],
        before: int,
        case: str,
        events: list[Json],
        now: datetime,
    ) -> None:
        self.calendar = calendar
        self.before = before
        self.case = case
        self.all_events = events
        self.now = now
        self.stop = next((event for event in events if event["kind"] in STOPS), None)
        # Rule 8: what comes after the stop is not looked at (but for the delivery).
        self.events = events if self.stop is None else events[: events.index(self.stop) + 1]
        self.suspensions = suspensions_of(calendar, self.events)
        self.accepted = next((event for event in self.events if event["kind"] == "case.accepted"), None)
        self.item = self._item(items, self.accepted)
        self.receipt, self.receipt_due = self._unanswered_receipt()
        self.start = self.receipt or self.accepted
        if self.start is not None:
            self.item = self._item(items, self.start)
        self.found: list[Row] = []

    def _item(self, items: dict[str, Json], first: Json | None) -> Json:
        for event in ([first] if first else []) + self.all_events:
            if event.get("item"):
                return items.get(event["item"], {})
        return {}

    def rows(self) -> list[Row]:
        self._time_limits()
        self._acceptance()
        self._stages()
        self._overruns()
        self._delivery()
        return self.found

    def _add(
        self, rule: str, opened: datetime, closed: datetime | None, due: datetime | None, provisional: bool
    ) -> None:
        self.found.append(
            {
                "rule": rule,
                "case": self.case,
                "opened_at": opened,
                "closed_at": closed,
                "due_at": due,
                "provisional": provisional,
            }
        )

    def _passed(self, deadline: datetime, done: datetime | None) -> bool:
        """Done at the very moment is in time; open only when now is later."""
        return deadline < self.now if done is None else deadline < done

    # -- rule 7

    def _receipts(self) -> list[Json]:
        receipts = []
        received = False
        for event in self.events:
            if event["kind"] == "case.received" and not received:
                received = True
                receipts.append(event)
            elif event["kind"] == "case.supplement_received":
                receipts.append(event)
        return receipts

    def _unanswered_receipt(self) -> tuple[Json | None, Due | None]:
        for receipt in self._receipts():
            if not self.item.get("supplement_limit"):
                continue
            place = self.events.index(receipt)
            if self.accepted is not None and self.events.index(self.accepted) < place:
                continue
            limit = Limit(self.calendar, receipt["at"], self.item["supplement_limit"])
            due = limit.due()
            assert due is not None
            answered = any(
                event["kind"] in STOPS | {"case.accepted", "case.supplement_requested"}
                and event["at"] <= due.moment
                for event in self.events[place + 1 :]
            )
            if not answered and due.moment < self.now:
                return receipt, due
        return None, None

    def _acceptance(self) -> None:
        if self.receipt is None or self.receipt_due is None:
            return
        ends = [event["at"] for event in (self.accepted, self.stop) if event is not None]
        closed = min(ends) if ends else None
        self._add(
            "acceptance.overdue",
            self.receipt_due.moment,
            closed,
            self.receipt_due.moment,
            self.receipt_due.provisional,
        )

    # -- rules 1 to 6

    def _limits(self) -> tuple[Limit | None, Limit | None]:
        """The promised and the legal limit, without extensions."""
        assert self.start is not None
        explicit = self.start["data"] if self.start["kind"] == "case.accepted" else {}
        limits: list[Limit | None] = []
        for name in ("promised", "legal"):
            if explicit.get(name + "_deadline"):
                at = _moment(explicit[name + "_deadline"])
                limits.append(
                    Limit(self.calendar, self.start["at"], explicit=at, suspensions=self.suspensions),
                )
            elif self.item.get(name + "_limit"):
                of_item = self.item[name + "_limit"]
                limits.append(
                    Limit(
                        self.calendar,
                        self.start["at"],
                        of_item["days"],
                        of_item["unit"],
                        suspensions=self.suspensions,
                    )
                )
            else:
                limits.append(None)
        return limits[0], limits[1]

    def _after_start(self) -> list[Json]:
        assert self.start is not None
        return self.events[self.events.index(self.start) + 1 :]

    def _time_limits(self) -> None:
        if self.start is None:
            return
        promised, legal = self._limits()
        for event in self._after_start():
            if event["kind"] == "case.extended":
                if legal is not None and legal.has_passed(event["at"]):
                    late = legal.due()
                    assert late is not None
                    self._add("extension.late", event["at"], event["at"], late.moment, late.provisional)
                    continue
                for limit in (promised, legal):
                    if limit is not None and not limit.has_passed(event["at"]):
                        limit.added += event["data"]["days"]
        stopped = None if self.stop is None else self.stop["at"]
        legal_due = None if legal is None else legal.due()
        promised_due = None if promised is None else promised.due()
        later = legal_due is not None and (promised_due is None or promised_due.moment > legal_due.moment)
        if promised is not None and later:
            promised_due = legal_due
        for rule, due in (("time_limit.promised", promised_due), ("time_limit.legal", legal_due)):
            if due is not None and self._passed(due.moment, stopped):
                self._add(rule, max(due.moment, self.start["at"]), stopped, due.moment, due.provisional)
        self._notices()

    # -- the notice

    def _notice_due_as_known_at(self, moment: datetime) -> tuple[Limit, Due] | None:
        """The promised due day as it stands when everything up to `moment` (and nothing later) is known."""
        assert self.start is not None
        known = [event for event in self.events if event["at"] <= moment]
        spans = suspensions_of(self.calendar, known)
        promised, legal = self._limits()
        for limit in (promised, legal):
            if limit is not None:
                limit.suspensions = spans
        for event in self._after_start():
            if event["kind"] == "case.extended" and event["at"] <= moment:
                if legal is not None and legal.has_passed(event["at"]):
                    continue
                for limit in (promised, legal):
                    if limit is not None and not limit.has_passed(event["at"]):
                        limit.added += event["data"]["days"]
        candidates = []
        for limit in (promised, legal):
            due = None if limit is None else limit.due()
            if limit is not None and due is not None:
                candidates.append((limit, due))
        return min(candidates, key=lambda pair: pair[1].moment) if candidates else None

    def _notices(self) -> None:
        assert self.start is not None
        start = self.start["at"]
        stopped = None if self.stop is None else self.stop["at"]
        moments = sorted({start} | {event["at"] for event in self._after_start()})
        opened: tuple[datetime, Due, bool] | None = None
        for moment, following in zip(moments, [*moments[1:], None], strict=True):
            known = self._notice_due_as_known_at(moment)
            if opened is not None and (known is None or known[1].moment != opened[1].moment):
                # The due day has moved.
                self._add_notice(*opened, [moment, stopped])
                opened = None
            if known is None or opened is not None:
                continue
            limit, due = known
            nominal, provisional = limit.notice_opening(due, self.before)
            opening = max(nominal, moment)
            # Not before the next event: by then the opening may have changed.
            if opening < due.moment and opening <= self.now and (following is None or opening < following):
                opened = opening, due, provisional
        if opened is not None:
            self._add_notice(*opened, [stopped])

    def _add_notice(self, opened: datetime, due: Due, provisional: bool, ends: list[datetime | None]) -> None:
        """A notice ends when something ends it or when yellow opens; one of no length is none."""
        ended = [end for end in [*ends, due.moment if due.moment < self.now else None] if end is not None]
        closed = min(ended) if ended else None
        if closed is None or opened < closed:
            self._add("time_limit.notice", opened, closed, due.moment, provisional)

    # -- the other rules of the table

    def _stages(self) -> None:
        running: dict[str, Json] = {}
        runs: list[tuple[str, Json, datetime | None]] = []
        for event in self.events:
            stage = event["data"].get("stage")
            if event["kind"] == "case.stage_started" and stage not in running:
                running[stage] = event
            elif event["kind"] == "case.stage_finished" and stage in running:
                runs.append((stage, running.pop(stage), event["at"]))
        stopped = None if self.stop is None else self.stop["at"]
        runs += [(stage, event, stopped) for stage, event in running.items()]
        for stage, begun, done in runs:
            of_stage = (self.item.get("stages") or {}).get(stage)
            if of_stage is None:
                continue
            limit = Limit(
                self.calendar, begun["at"], of_stage["days"], of_stage["unit"], suspensions=self.suspensions
            )
            for event in self._valid_extensions():
                if self.events.index(event) > self.events.index(begun) and not limit.has_passed(event["at"]):
                    limit.added += event["data"]["days"]
            due = limit.due()
            if due is not None and self._passed(due.moment, done):
                self._add("stage.overdue", due.moment, done, due.moment, due.provisional)

    def _valid_extensions(self) -> list[Json]:
        """After the start and not after the legal deadline."""
        if self.start is None:
            return []
        late = {row["opened_at"] for row in self.found if row["rule"] == "extension.late"}
        return [e for e in self._after_start() if e["kind"] == "case.extended" and e["at"] not in late]

    def _overruns(self) -> None:
        for suspension in self.suspensions:
            if suspension.cap is None or suspension.days is None:
                continue
            done = None if suspension.ended == FOREVER else suspension.ended
            if self._passed(suspension.cap, done):
                provisional = announced_end(self.calendar, suspension.begin, suspension.days)[1]
                self._add("suspension.overrun", suspension.cap, done, suspension.cap, provisional)

    def _delivery(self) -> None:
        stop = self.stop
        if stop is None or stop["kind"] != "case.decided" or stop["data"].get("result") != "granted":
            return
        if not self.item.get("delivery_limit"):
            return
        due = Limit(self.calendar, stop["at"], self.item["delivery_limit"]).due()
        assert due is not None
        delivered = [event["at"] for event in self.all_events if event["kind"] == "case.delivered"]
        done = min(delivered) if delivered else None
        if self._passed(due.moment, done):
            self._add("delivery.overdue", due.moment, done, due.moment, due.provisional)


def row_key(row: Row) -> tuple[str, str, str, str, str]:
    """A row as text, moments in UTC: what is compared. Order inside a file does not matter."""

    def text(value: Any) -> str:
        if value is None:
            return ""
        return (
            (value if isinstance(value, datetime) else datetime.fromisoformat(value))
            .astimezone(UTC)
            .isoformat()
        )

    return row["case"], row["rule"], text(row["opened_at"]), text(row["closed_at"]), text(row["due_at"])


Replay = Callable[[Json, list[str], datetime | None], list[Row]]
