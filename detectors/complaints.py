"""Complaints and hotline orders (投诉、12345 工单): handled in five working days and five more, sent back within a day.

Anyang 2021 art. 50: 5 working days to handle, reply and report back; 5 more with the head's approval; an order for the
wrong unit goes back within 24 hours. Steps of the ladder: see ``domain.rules.complaints``.

Readings: each assignment begins a stint of the unit it names with a clock of its own, also after an answer that did not
satisfy; a stint ends with the answer, the closing, the return or the next assignment. An order opened with a unit is
assigned by that; the same unit named again begins nothing while its stint runs. An order nobody was given runs too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from detectors.family import Family
from detectors.limits import Clock, Due, countable_before, explain_due, find_due, working_days
from detectors.subject_events import Facts, facts_of, instance, moment, soonest, text_of
from detectors.verdict import TICK, Claim, Verdict, overdue, settle
from domain.centre import Centre
from domain.events import Event
from domain.findings import Severity
from domain.rules.complaints import ComplaintSettings

NOTICE, OVERDUE, CRITICISM, RED = (
    "complaint.notice", "complaint.overdue", "complaint.criticism", "complaint.red",
)  # fmt: skip
UNASSIGNED, LATE_RETURN, BAD_EXTENSION = (
    "complaint.unassigned", "complaint.late_return", "complaint.invalid_extension",
)  # fmt: skip
ARTICLES = {
    NOTICE: "R2 (限期前 1 个工作日提醒); P1",
    OVERDUE: "安阳市政务服务条例 art. 50 (5 个工作日)",
    CRITICISM: "E6 (催办后 5 个工作日仍未办结, 书面批评)",
    RED: "P1 (超期一日以上)",
    UNASSIGNED: "R12 (3 个工作日未派发)",
    LATE_RETURN: "安阳市政务服务条例 art. 50 (24 小时内退回)",
    BAD_EXTENSION: "安阳市政务服务条例 art. 50 (经负责人批准可延长一次)",
}
KINDS = frozenset(
    f"complaint.{kind}" for kind in ("opened", "assigned", "extended", "answered", "closed", "returned")
)
_ENDS = {"complaint.answered": "answered", "complaint.closed": "closed", "complaint.returned": "returned"}


@dataclass(frozen=True, slots=True)
class Stint:
    """The time one unit had the complaint; ``unit`` None = nobody had been named."""

    begun: Event
    unit: str | None
    end: Event | None
    extensions: tuple[Event, ...]

    @property
    def over(self) -> datetime | None:
        return None if self.end is None else moment(self.end)


def name_of(event: Event, centre: Centre) -> str | None:
    """``data.complaint``, the number of the order; without it the case complained of."""
    return text_of(event, "complaint") or event.case


def judge_complaint(name: str, events: Sequence[Event], centre: Centre, now: datetime) -> Verdict:
    """The findings of one complaint. Pure; depends on the set of events.

    ``status``: ``phase`` (new, unassigned, assigned, answered, returned, closed), ``unit``, ``due``.
    """
    now = now.astimezone(UTC)
    rules = centre.rules.complaints or ComplaintSettings()
    facts = facts_of(events, now)
    stints = find_stints(facts)
    limit = _limit(facts, rules)
    claims: list[Claim] = []
    due: Due | None = None
    for stint in stints:
        more, due = _judge_stint(stint, limit, centre, rules)
        claims += more
    findings, ahead = settle(
        claims,
        now,
        centre=centre.centre.id,
        subject=f"complaint:{name}",
        case=next((e.case for e in facts.events if e.case), None),
        item=next((e.item for e in facts.events if e.item), None),
        window_at=lambda at: _window_at(facts, at),
    )
    findings.sort(key=lambda f: (f.opened_at, f.rule, f.finding_id))
    return Verdict(tuple(findings), soonest([*ahead, facts.ahead]), _status(stints, due, facts))


def find_stints(facts: Facts) -> list[Stint]:
    """Who had the complaint, one after the other."""
    stints: list[Stint] = []
    begun: Event | None = None
    unit: str | None = None
    extensions: list[Event] = []
    closed = False

    def finish(end: Event | None) -> None:
        nonlocal begun, extensions
        if begun is not None:
            stints.append(Stint(begun, unit, end, tuple(extensions)))
        begun, extensions = None, []

    for event in sorted(facts.events, key=lambda e: (moment(e), _RANK[e.kind], e.event_id, e.source)):
        if event.kind == "complaint.opened":
            if begun is None and not stints:
                begun, unit = event, _unit(event)
        elif event.kind == "complaint.assigned":
            named = _unit(event) or unit or "?"
            if closed or (begun is not None and unit == named):
                continue
            finish(event)
            begun, unit = event, named
        elif event.kind == "complaint.extended":
            if begun is not None:
                extensions.append(event)
        else:
            finish(event)
            closed = closed or event.kind == "complaint.closed"
    finish(None)
    return stints


#: At one moment what ends a stint comes after what begins it, and an extension between them.
_RANK = {
    f"complaint.{kind}": rank
    for rank, kind in enumerate(("opened", "assigned", "extended", "answered", "returned", "closed"))
}


def _unit(event: Event) -> str | None:
    return text_of(event, "unit", "department") or event.window


def _window_at(facts: Facts, at: datetime) -> str | None:
    named = [event for event in facts.events if event.window]
    before = [event for event in named if moment(event) <= at]
    return before[-1].window if before else (named[0].window if named else None)


def _limit(facts: Facts, rules: ComplaintSettings) -> int:
    kinds = (text_of(event, "type") for event in facts.of("complaint.opened", "complaint.assigned"))
    return next((rules.by_type[kind] for kind in kinds if kind in rules.by_type), rules.days)


def _judge_stint(
    stint: Stint, limit: int, centre: Centre, rules: ComplaintSettings
) -> tuple[list[Claim], Due | None]:
    calendar, begun = centre.working_time, moment(stint.begun)
    claims: list[Claim] = []
    if stint.unit is None and rules.assign is not None:
        due = find_due(Clock(begun, working_days(rules.assign)), calendar)
        if due is not None:
            claims += _late(UNASSIGNED, "notice", stint, due, due.moment, centre)
    dues, refused = _follow(stint, limit, centre, rules)
    for extension, why, standing in refused:
        claims.append(_bad_extension(extension, why, standing, stint, centre))
    if not dues:
        return claims, None
    if rules.notice_before is not None:
        for each, until in dues:
            claims += _notice(stint, each, until, rules.notice_before, centre)
    due = dues[-1][0]
    steps: tuple[tuple[str, Severity, int | None], ...] = (
        (OVERDUE, "yellow", rules.yellow_over),
        (CRITICISM, "yellow", rules.criticism_over),
        (RED, "red", rules.red_over),
    )
    for rule, severity, over in steps:
        if over is None:
            continue
        ordinal = calendar.nth_working(due.ordinal, over) if over else due.ordinal
        if ordinal is not None:
            claims += _late(rule, severity, stint, due, calendar.deadline(ordinal), centre)
    if rules.return_hours is not None and stint.end is not None and stint.end.kind == "complaint.returned":
        by, at = begun + timedelta(hours=rules.return_hours), moment(stint.end)
        if at > by:
            explain = partial(_explain_return, stint, rules.return_hours, centre)
            claims.append(
                Claim(LATE_RETURN, "yellow", at, at, by, at, at, False, instance(stint.end), explain)
            )
    return claims, due


def _follow(
    stint: Stint, limit: int, centre: Centre, rules: ComplaintSettings
) -> tuple[list[tuple[Due, datetime | None]], list[tuple[Event, str, Due]]]:
    """The due days one after the other, each with the extension that ended it; and the extensions that do not hold, each
    with why and the deadline it met."""
    calendar = centre.working_time
    clock = Clock(moment(stint.begun), working_days(limit))
    due = find_due(clock, calendar)
    dues: list[tuple[Due, datetime | None]] = []
    refused: list[tuple[Event, str, Due]] = []
    for extension in stint.extensions:
        if due is None:
            break
        if moment(extension) > due.moment:
            why = "late"
        elif len(dues) >= rules.extensions:
            why = "too_many"
        elif rules.approver and text_of(extension, "approver") is None:
            why = "no_approver"
        else:
            dues.append((due, moment(extension)))
            due = find_due(clock, calendar, (), due.added + _added(extension, rules))
            continue
        refused.append((extension, why, due))
    return ([*dues, (due, None)] if due is not None else dues), refused


def _added(extension: Event, rules: ComplaintSettings) -> int:
    days = extension.data.get("days")
    asked = days if isinstance(days, int) and not isinstance(days, bool) and days > 0 else rules.extension
    return min(asked, rules.extension)


def _late(rule: str, severity: Severity, stint: Stint, due: Due, by: datetime, centre: Centre) -> list[Claim]:
    return overdue(
        rule,
        severity,
        by,
        stint.over,
        provisional=due.provisional,
        instance=instance(stint.begun),
        explain=partial(_explain, rule, stint, due, centre),
    )


def _notice(stint: Stint, due: Due, until: datetime | None, before: int, centre: Centre) -> list[Claim]:
    """Opens in the morning of the day ``before`` working days ahead of the due day; ends with the stint, with an extension
    or with yellow."""
    calendar, begun = centre.working_time, moment(stint.begun)
    ordinal = countable_before(due, before, calendar)
    opens = begun if ordinal is None else max(begun, calendar.opening(ordinal))
    done = soonest((stint.over, until))
    if opens >= due.moment or (done is not None and done <= opens):
        return []
    if done is not None and done <= due.moment:
        ends, said = done, done
    else:
        ends, said = due.moment, due.moment + TICK
    return [
        Claim(
            NOTICE, "notice", opens, opens, due.moment, ends, said, due.provisional, instance(stint.begun),
            partial(_explain, NOTICE, stint, due, centre),
        )
    ]  # fmt: skip


def _bad_extension(extension: Event, why: str, due: Due, stint: Stint, centre: Centre) -> Claim:
    at = moment(extension)

    def explain() -> dict[str, Any]:
        row = _explain(BAD_EXTENSION, stint, due, centre)
        row["extension"] = {"event_id": extension.event_id, "refused_because": why}
        return row

    return Claim(
        BAD_EXTENSION, "notice", at, at, due.moment, at, at, due.provisional, instance(extension), explain
    )


def _explain(rule: str, stint: Stint, due: Due, centre: Centre) -> dict[str, Any]:
    row = explain_due(due, centre.working_time)
    row["unit"] = stint.unit
    row["begun_by"] = {"kind": stint.begun.kind, "event_id": stint.begun.event_id}
    row["articles"] = f"{ARTICLES[rule]}; {row['articles']}"
    return row


def _explain_return(stint: Stint, hours: int, centre: Centre) -> dict[str, Any]:
    local = centre.working_time.local
    return {
        "unit": stint.unit,
        "assigned_at": local(moment(stint.begun)).isoformat(),
        "returned_at": local(moment(stint.end)).isoformat() if stint.end is not None else None,
        "hours": hours,
        "articles": ARTICLES[LATE_RETURN],
    }


def _status(stints: Sequence[Stint], due: Due | None, facts: Facts) -> dict[str, Any]:
    if not stints:
        return {"phase": "new"}
    last = stints[-1]
    if facts.of("complaint.closed"):
        phase = "closed"
    elif last.end is not None:
        phase = _ENDS.get(last.end.kind, "assigned")
    else:
        phase = "unassigned" if last.unit is None else "assigned"
    return {"phase": phase, "unit": last.unit, "due": due.moment if due is not None else None}


FAMILY = Family("complaints", "complaint", KINDS, name_of, judge_complaint)
