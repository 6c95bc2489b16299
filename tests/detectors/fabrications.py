"""A real log given clocks and the noise of honest work, and cases of it made up by rule: what the truthfulness rules are
measured on.

Everything comes out of one seed. The noise is guessed, and on the hard side: stragglers, a line that was down, nightly
uploads, stages that take no time, suspensions that happen to fall late, people the list has forgotten. Some of each kind of
fabrication is made so that the rules must miss it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from domain.centre import Centre
from domain.working_time import Calendar

Json = dict[str, Any]
STAGES = ("case.stage_started", "case.stage_finished")
#: Kind of fabrication → rules that are to see it.
SEEN_BY: Mapping[str, frozenset[str]] = {
    "stamped": frozenset(("truthfulness.stamped_together",)),
    "stranger": frozenset(("truthfulness.unknown_handler",)),
    "evening": frozenset(("truthfulness.entry_batch",)),
    "last_day": frozenset(("truthfulness.suspended_at_the_end",)),
    "seen_closed": frozenset(("both_doors.closed_first",)),
    "backdated": frozenset(("truthfulness.late_entry",)),
    "no_time": frozenset(("truthfulness.zero_stages",)),
}
KINDS = tuple(SEEN_BY)


@dataclass(frozen=True)
class Made:
    """``events`` in order of arrival; ``kinds``: each case that was made up, and how."""

    events: list[Json]
    centre: Centre
    kinds: dict[str, str] = field(default_factory=dict)

    @property
    def honest(self) -> set[str]:
        return {event["case"] for event in self.events} - self.kinds.keys()


def cases_of(events: Iterable[Json]) -> dict[str, list[Json]]:
    cases: dict[str, list[Json]] = {}
    for event in events:
        cases.setdefault(event["case"], []).append(event)
    return cases


def with_people(raw: Mapping[str, Any], events: Iterable[Json], least: int) -> Centre:
    """The centre with the families on, and everybody on its list whom the log names often enough."""
    seen: dict[str, int] = {}
    for event in events:
        if event.get("staff"):
            seen[event["staff"]] = seen.get(event["staff"], 0) + 1
    people = [{"id": staff, "name": staff} for staff, count in sorted(seen.items()) if count >= least]
    rules = {"truthfulness": {}, "both_doors": {}, "fees": {}}
    return Centre.model_validate({**raw, "people": people, "rules": {**(raw.get("rules") or {}), **rules}})


def make(events: Iterable[Json], raw: Mapping[str, Any], seed: int, each: int = 20) -> Made:
    """The log with clocks and noise, and ``each`` cases of every kind made up."""
    random = Random(seed)
    events = deepcopy(list(events))
    centre = with_people(raw, events, least=3)
    forge = _Forge(random, centre, cases_of(events))
    forge.live_honestly()
    kinds = forge.make_up(each)
    made = [event for case in forge.cases.values() for event in case]
    made.sort(key=lambda event: event["received_at"])
    return Made(made, centre, kinds)


class _Forge:
    """Changes cases in place. Moments are texts with offset, as in a file."""

    def __init__(self, random: Random, centre: Centre, cases: dict[str, list[Json]]) -> None:
        self.random, self.centre, self.cases = random, centre, cases
        self.calendar: Calendar = centre.working_time
        self.clerks = sorted(person.id for person in centre.people)

    # ---- honest work ----------------------------------------------------------------------------------------------

    def live_honestly(self) -> None:
        moments = sorted(_at(event) for case in self.cases.values() for event in case)
        down = [self.random.choice(moments) for _ in range(3)]
        for number, case in self.cases.items():
            if self.random.random() < 0.3:
                self._begin_stages(case)
            if self.random.random() < 0.06:
                self._suspend(number, case)
            nightly = self.random.random() < 0.3
            for event in case:
                self._enter(event, nightly, down)

    def _begin_stages(self, case: list[Json]) -> None:
        """Stages with a beginning; one in twenty takes no time, as in any log."""
        for event in [e for e in case if e["kind"] == "case.stage_finished"]:
            spent = timedelta(minutes=0 if self.random.random() < 0.05 else self.random.expovariate(1 / 20))
            begun = {**event, "event_id": event["event_id"] + "-begun", "kind": "case.stage_started"}
            case.append({**begun, "occurred_at": _text(_at(event) - spent), "data": dict(event["data"])})

    def _suspend(self, number: str, case: list[Json]) -> None:
        """A hearing or a test at any time of the course."""
        start, stop = _first(case, "case.accepted"), _last(case, "case.closed")
        if start is None or stop is None or _at(stop) - _at(start) < timedelta(days=7):
            return
        length = _at(stop) - _at(start)
        at = self._office(_at(start) + length * self.random.uniform(0.05, 0.9))
        back = at + timedelta(days=self.random.randint(3, 20))
        if back < _at(stop):
            data = {"ground": self.random.choice(("testing", "expert_review")), "days": 15}
            case.append(self._step(number, case, "case.suspended", at, data))
            case.append(self._step(number, case, "case.resumed", back, {}))

    def _enter(self, event: Json, nightly: bool, down: list[datetime]) -> None:
        """Keyed in within the hour, the next morning, rarely days later; here in minutes, at night, or after a bad line."""
        happened = _at(event)
        chance = self.random.random()
        entered = self._office(happened) if event["kind"] in ("case.received", "case.accepted") else happened
        if chance < 0.002:
            entered = self._later(happened, self.random.randint(2, 4))
        elif chance < 0.03:
            entered = self._later(happened, 1)
        else:
            entered += timedelta(minutes=self.random.expovariate(1 / 10))
        received = entered + timedelta(minutes=self.random.uniform(0, 10))
        if nightly:
            received = max(received, self.calendar.at_minute(self.calendar.local_date(entered), 1410))
        for begin in down:
            if begin <= received < begin + timedelta(hours=30):
                received = begin + timedelta(hours=30)
        event["entered_at"], event["received_at"] = _text(entered), _text(received)

    # ---- what is made up ------------------------------------------------------------------------------------------

    def make_up(self, each: int) -> dict[str, str]:
        able = [number for number, case in self.cases.items() if self._whole(case)]
        self.random.shuffle(able)
        ways: dict[str, Callable[[str, list[Json]], None]] = {
            "stamped": self._stamped,
            "stranger": self._stranger,
            "last_day": self._last_day,
            "seen_closed": self._seen_closed,
            "backdated": self._backdated,
            "no_time": self._no_time,
        }
        kinds: dict[str, str] = {}
        for kind, way in ways.items():
            for _ in range(each):
                number = able.pop()
                way(number, self.cases[number])
                kinds[number] = kind
        left = each
        while left > 0:
            # Four in one evening are too few to be seen.
            group = [able.pop() for _ in range(min(left, self.random.randint(4, 12)))]
            left -= len(group)
            self._evening(group)
            kinds |= dict.fromkeys(group, "evening")
        return kinds

    def _whole(self, case: list[Json]) -> bool:
        start, stop = _first(case, "case.accepted"), _last(case, "case.closed")
        stages = sum(event["kind"] == "case.stage_finished" for event in case)
        quiet = not any(event["kind"] == "case.suspended" for event in case)
        return (
            start is not None
            and stop is not None
            and stages >= 2
            and quiet
            and _at(stop) - _at(start) > timedelta(days=3)
        )

    def _stamped(self, number: str, case: list[Json]) -> None:
        """Everything with the moment of closing; some feeders add seconds, some minutes."""
        stop = _last(case, "case.closed")
        assert stop is not None
        end, chance = _at(stop), self.random.random()
        spread = 0.0 if chance < 0.6 else 2.0 if chance < 0.8 else 180.0 if chance < 0.95 else 3600.0
        for event in case:
            back = timedelta(seconds=self.random.uniform(0, spread))
            self._set(event, end if event is stop else end - back, end + timedelta(minutes=2))

    def _stranger(self, number: str, case: list[Json]) -> None:
        """A handler out of the hat; one in six happens to be real."""
        real = self.random.random() < 1 / 6
        for event in case:
            if event["kind"] in STAGES:
                event["staff"] = (
                    self.random.choice(self.clerks) if real else f"{self.random.getrandbits(32):08x}"
                )

    def _last_day(self, number: str, case: list[Json]) -> None:
        """Suspended on the day the promise ends, one in six a day before; resumed and closed later."""
        start, stop = _first(case, "case.accepted"), _last(case, "case.closed")
        assert start is not None
        assert stop is not None
        due = self.calendar.local_date(
            datetime.fromisoformat(start["data"]["promised_deadline"]).astimezone(UTC)
        )
        days = self.calendar.working_days(due - 30, due)
        day = days[-2] if self.random.random() < 1 / 6 else due
        at = self.calendar.at_minute(day, self.random.randint(0, 59) if day == due else 600)
        if day == due:
            at = min(at, datetime.fromisoformat(start["data"]["promised_deadline"]) - timedelta(seconds=1))
        back = self._later(at, self.random.randint(5, 15))
        # Whatever was done later than that stays; the case ends after the suspension.
        end = max(_at(stop), self._later(back, 1))
        self._set(stop, end, end + timedelta(minutes=5))
        for kind, moment, data in (
            ("case.suspended", at, {"ground": "other", "days": 15}),
            ("case.resumed", back, {}),
        ):
            step = self._step(number, case, kind, moment, data)
            self._set(step, moment, moment + timedelta(minutes=5))
            case.append(step)

    def _seen_closed(self, number: str, case: list[Json]) -> None:
        """Nothing came until it was over; then all of it came at once."""
        stop = _last(case, "case.closed")
        assert stop is not None
        came = self._later(_at(stop), self.random.randint(1, 15))
        entered = self.random.random() < 0.5
        for event in case:
            event["received_at"] = _text(max(came, _at(event)))
            if entered:
                event["entered_at"] = event["received_at"]
            else:
                event.pop("entered_at")

    def _backdated(self, number: str, case: list[Json]) -> None:
        """The closing was keyed in days after the moment it claims; one in six the next day."""
        stop = _last(case, "case.closed")
        assert stop is not None
        days = 1 if self.random.random() < 1 / 6 else self.random.randint(2, 10)
        self._set(stop, _at(stop), self._later(_at(stop), days))

    def _no_time(self, number: str, case: list[Json]) -> None:
        """Every stage ends when it begins, as the standard allows where no end is known (N1)."""
        finished = {e["event_id"]: e for e in case if e["kind"] == "case.stage_finished"}
        case[:] = [event for event in case if event["kind"] != "case.stage_started"]
        for event in finished.values():
            case.append({**event, "event_id": event["event_id"] + "-begun", "kind": "case.stage_started"})

    def _evening(self, group: list[str]) -> None:
        """One clerk closes them one after the other in an evening; half of them as of the day they should have been."""
        latest = max(_at(stop) for n in group if (stop := _last(self.cases[n], "case.closed")))
        day = self.calendar.local_date(latest) + 1
        moment = self.calendar.at_minute(day, self.random.randint(1140, 1290))
        clerk = self.random.choice(self.clerks)
        for number in group:
            stop = _last(self.cases[number], "case.closed")
            assert stop is not None
            moment += timedelta(seconds=self.random.uniform(30, 200))
            stop["staff"] = clerk
            self._set(stop, _at(stop) if self.random.random() < 0.5 else moment, moment)

    # ---- moments --------------------------------------------------------------------------------------------------

    def _step(self, number: str, case: list[Json], kind: str, at: datetime, data: Json) -> Json:
        first = case[0]
        return {
            "event_id": f"{number}#{kind}#{_text(at)}",
            "kind": kind,
            "occurred_at": _text(at),
            "source": first["source"],
            "centre": first["centre"],
            "case": number,
            "item": first.get("item"),
            "data": data,
        }

    def _set(self, event: Json, happened: datetime, entered: datetime) -> None:
        event["occurred_at"], event["entered_at"] = _text(happened), _text(entered)
        event["received_at"] = _text(entered + timedelta(minutes=3))

    def _office(self, moment: datetime) -> datetime:
        """A moment in office hours of that day, or of the next working day."""
        day = self.calendar.local_date(moment)
        if not self.calendar.is_working(day):
            day = self.calendar.nth_working(day, 1) or day
        at = self.calendar.at_minute(day, self.random.randint(545, 1010))
        return max(at, moment)

    def _later(self, moment: datetime, days: int) -> datetime:
        """Some time in the morning so many working days later."""
        day = self.calendar.nth_working(self.calendar.local_date(moment), days)
        assert day is not None
        return self.calendar.at_minute(day, self.random.randint(545, 700))


def _at(event: Json) -> datetime:
    return datetime.fromisoformat(event["occurred_at"]).astimezone(UTC)


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()


def _first(case: list[Json], kind: str) -> Json | None:
    return next((event for event in case if event["kind"] == kind), None)


def _last(case: list[Json], kind: str) -> Json | None:
    return next((event for event in reversed(case) if event["kind"] == kind), None)
