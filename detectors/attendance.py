"""Clocking in and out (考勤): late, early, missing; one subject a person, one judgement a day.

Four times a day (A3–A6) or twice. Cangnan 2019 (A2): late or early by up to 10 minutes one point each, over 15 minutes
counts as leaving the post without permission, a missing clock-in two points, a half day without any is an absence.

Readings: coming late is said at once; the rest when the day is over, for a later clock-out may still come. A day without
any trace is not an absence but unknown, and a notice: the machine may have been dead; after 15 working days of it nothing
more is said until the next sign (civil servants are dismissed for more, L10 art. 88, and that is no matter of clocks).
Leave counts here even if it was granted afterwards. The day of the first clocking is not judged: the machine began on it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from detectors.family import Family
from detectors.intervals import Interval, minus
from detectors.limits import iso
from detectors.roster import Leave, find_leaves, hours_of_person, windows_of_person
from detectors.subject_events import facts_of, moment, soonest
from detectors.verdict import Claim, Verdict, settle
from domain.centre import Centre
from domain.events import Event
from domain.findings import Severity
from domain.rules.staffing import AttendanceSettings

LATE, EARLY, UNAUTHORISED = "attendance.late", "attendance.early", "attendance.unauthorised"
MISSING, HALF_DAY, NO_TRACE = "attendance.missing", "attendance.half_day", "attendance.no_trace"
ARTICLES = {
    LATE: "A2 (迟到 10 分钟以内)",
    EARLY: "A2 (早退 10 分钟以内)",
    UNAUTHORISED: "A2 (擅自离岗 15 分钟以上半天以内)",
    MISSING: "A2 (漏打卡); A3–A6 (每日四次打卡)",
    HALF_DAY: "A2 (半天未打卡视为缺勤)",
    NO_TRACE: "A2; L10 art. 88",
}
#: Working days in a row without a trace, after which nothing more is said.
QUIET_DAYS = 15
KINDS = frozenset(("attendance.clock_in", "attendance.clock_out", "leave.granted", "leave.ended"))


@dataclass(frozen=True, slots=True)
class Half:
    """What is expected of one half day (or of a whole one, with two clocks), and what there was."""

    number: int
    begin: datetime
    end: datetime
    came: datetime | None
    left: datetime | None


def name_of(event: Event, centre: Centre) -> str | None:
    """The person."""
    return event.staff


def judge_person(name: str, events: Sequence[Event], centre: Centre, now: datetime) -> Verdict:
    """The findings of one person's days. Pure; depends on the set of events.

    Each finding is a fact about a day: it is closed when it is opened. ``status``: ``today`` (``in``, ``out``, ``leave``
    or ``unknown``), ``since``.
    """
    now = now.astimezone(UTC)
    rules = centre.rules.attendance or AttendanceSettings()
    calendar = centre.working_time
    facts = facts_of(events, now)
    clocks = facts.of("attendance.clock_in", "attendance.clock_out")
    leaves = find_leaves(facts.events, calendar, backdated=True)
    known = not centre.people or any(person.id == name for person in centre.people)
    claims: list[Claim] = []
    today = calendar.local_date(now)
    quiet = 0
    if clocks and known:
        by_day: dict[int, list[Event]] = {}
        for event in clocks:
            by_day.setdefault(calendar.local_date(moment(event)), []).append(event)
        for ordinal in range(min(by_day) + 1, today + 1):
            spans = _expected(name, centre, ordinal, rules)
            seen = by_day.get(ordinal, [])
            if seen:
                quiet = 0  # a sign on a rest day is one, too
            if not any(minus([span], _away(leaves)) for span in spans):
                continue
            quiet += not seen
            if quiet <= QUIET_DAYS:
                claims += _judge_day(name, ordinal, seen, spans, leaves, centre, rules)
    windows = windows_of_person(name, centre)
    findings, ahead = settle(
        claims,
        now,
        centre=centre.centre.id,
        subject=f"person:{name}",
        window_at=lambda _: windows[0] if windows else None,
    )
    findings.sort(key=lambda f: (f.opened_at, f.due_at or f.opened_at, f.rule, f.finding_id))
    tomorrow = calendar.day_start(today + 1) if clocks and known and quiet <= QUIET_DAYS else None
    return Verdict(
        tuple(findings), soonest([*ahead, facts.ahead, tomorrow]), _status(clocks, leaves, centre, now)
    )


def _away(leaves: Sequence[Leave]) -> list[Interval]:
    return [(leave.start, leave.end) for leave in leaves]


def _expected(name: str, centre: Centre, ordinal: int, rules: AttendanceSettings) -> list[Interval]:
    spans = hours_of_person(name, centre, ordinal)
    return [(spans[0][0], spans[-1][1])] if spans and rules.clocks == 2 else spans


def find_halves(spans: Sequence[Interval], leaves: Sequence[Leave], seen: Sequence[Event]) -> list[Half]:
    """What was to be clocked on a day, and what was: each clock belongs to the half it is nearest to by its kind."""
    pieces = [minus([span], _away(leaves)) for span in spans]
    expected = [(i, rest[0][0], rest[-1][1]) for i, rest in enumerate(pieces, 1) if rest]
    ins = [moment(event) for event in seen if event.kind == "attendance.clock_in"]
    outs = [moment(event) for event in seen if event.kind == "attendance.clock_out"]
    halves = []
    for at, (number, begin, end) in enumerate(expected):
        after = expected[at - 1][2] if at else None
        before = expected[at + 1][1] if at + 1 < len(expected) else None
        came = min((t for t in ins if t < end and (after is None or t >= after)), default=None)
        left = max((t for t in outs if t > begin and (before is None or t < before)), default=None)
        halves.append(Half(number, begin, end, came, left))
    return halves


def _judge_day(
    name: str,
    ordinal: int,
    seen: Sequence[Event],
    spans: Sequence[Interval],
    leaves: Sequence[Leave],
    centre: Centre,
    rules: AttendanceSettings,
) -> Iterator[Claim]:
    calendar = centre.working_time
    over = calendar.day_start(ordinal + 1)
    grace, severe = timedelta(minutes=rules.grace), timedelta(minutes=rules.unauthorised)

    def say(
        rule: str, severity: Severity, at: datetime, due: datetime | None, instance: str, **facts: Any
    ) -> Claim:
        row = {"staff": name, "date": iso(ordinal), **facts, "calendar": calendar.version}
        row["leave"] = [
            x.told(calendar) for x in leaves if x.start < over and x.end > calendar.day_start(ordinal)
        ]
        row["articles"] = ARTICLES[rule]
        instance = f"{iso(ordinal)} {instance}"
        return Claim(rule, severity, at, at, due, at, at, False, instance, partial(dict, row))

    if not seen:
        yield say(NO_TRACE, "notice", over, None, "")
        return
    for half in find_halves(spans, leaves, seen):
        if half.came is None and half.left is None:
            yield say(
                HALF_DAY, "yellow", over, half.begin, str(half.number),
                expected=[_text(half.begin, centre), _text(half.end, centre)],
            )  # fmt: skip
            continue
        for which, expected, clocked in (("in", half.begin, half.came), ("out", half.end, half.left)):
            instance = f"{half.number} {which}"
            if clocked is None:
                yield say(
                    MISSING, "notice", over, expected, instance, expected=_text(expected, centre), clock=which
                )
                continue
            short = clocked - expected if which == "in" else expected - clocked
            if short > grace:
                rule = UNAUTHORISED if short > severe else LATE if which == "in" else EARLY
                yield say(
                    rule, "yellow" if rule == UNAUTHORISED else "notice", clocked if which == "in" else over,
                    expected, instance, expected=_text(expected, centre), clock=which,
                    clocked=_text(clocked, centre), minutes=round(short.total_seconds() / 60, 1),
                )  # fmt: skip


def _text(at: datetime, centre: Centre) -> str:
    return centre.working_time.local(at).isoformat()


def _status(
    clocks: Sequence[Event], leaves: Sequence[Leave], centre: Centre, now: datetime
) -> dict[str, Any]:
    calendar = centre.working_time
    last = clocks[-1] if clocks else None
    if last is None or calendar.local_date(moment(last)) != calendar.local_date(now):
        away = next((leave for leave in leaves if leave.start <= now < leave.end), None)
        return {
            "today": "unknown" if away is None else "leave",
            "since": None if away is None else away.start,
        }
    return {"today": last.kind.removeprefix("attendance.clock_"), "since": moment(last)}


#: A day is judged by its own clocks; of days before only whether there was any, and how long ago, which the newest clock tells.
FAMILY = Family(
    "attendance", "person", KINDS, name_of, judge_person,
    back=timedelta(days=62), long_kinds=frozenset(("attendance.clock_in", "attendance.clock_out")),
)  # fmt: skip
