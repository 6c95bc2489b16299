"""What the rules make of one case at one moment: its findings, its counts, and why there are not more. Pure.

The rules answer only what they find. This asks the same functions what they counted, also where they found nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from detectors.acceptance import find_start
from detectors.cases import judge_case
from detectors.course import Course, explain_deadline, follow
from detectors.limits import Due, countable_before
from detectors.suspension import Suspension, find_suspensions
from detectors.time_limit import clocks_of
from domain.cases import Case, fold_case
from domain.centre import CASE_FAMILIES, Centre
from domain.events import Event
from domain.findings import Finding


@dataclass(frozen=True, slots=True)
class Reason:
    """One sentence: ``code`` names it in the catalogue, ``values`` fill it (moments as datetimes)."""

    code: str
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Count:
    """The count of one deadline. ``name``: legal or promised. ``explain`` as findings have it."""

    name: str
    due_at: datetime
    explain: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class CaseAnswer:
    """All there is to say of a case. ``reasons`` say why there is no (other) card, in the order in which one asks."""

    case: str
    now: datetime
    findings: tuple[Finding, ...]
    counts: tuple[Count, ...]
    reasons: tuple[Reason, ...]
    status: Mapping[str, Any] = field(default_factory=dict)


def answer_case(number: str, events: Sequence[Event], centre: Centre, now: datetime) -> CaseAnswer:
    """Judges a case and says why.

    Args:
        events: of the case, in order of arrival.
        centre: with the limits in force at its start (rule 9).
    """
    now = now.astimezone(UTC)
    verdict = judge_case(events, centre, now)
    case = fold_case(events, now)
    if not case.steps:
        code = "ahead" if case.ahead is not None else "unknown"
        return CaseAnswer(
            number, now, verdict.findings, (), (Reason(code, {"at": case.ahead}),), verdict.status
        )
    calendar = centre.working_time
    suspensions = find_suspensions(case, calendar)
    start, waits_until = find_start(case, centre, now)
    reasons: list[Reason] = []
    counts: list[Count] = []
    if start is None:
        reasons += _not_started(case, waits_until)
    else:
        legal, promised = clocks_of(case, start, centre)
        course = follow(case, start.step, legal, promised, suspensions, calendar)
        counts = list(_counts(course, suspensions, centre))
        reasons.append(Reason("started", {"at": start.step.at, "kind": start.step.kind}))
        if start.deemed is not None:
            reasons.append(Reason("deemed", {"at": start.deemed.moment}))
        reasons += _no_limit(case.item_at(start.step), legal is not None or promised is not None, centre)
        reasons += _of_course(case, course, suspensions, centre, now)
    profile = centre.rules.time_limit.profile
    if profile != "statutory":
        reasons.append(Reason("profile", {"profile": profile}))
    if case.ahead is not None:
        reasons.append(Reason("ahead", {"at": case.ahead}))
    if any(count.explain.get("unpublished_years") for count in counts):
        years = sorted({year for count in counts for year in count.explain.get("unpublished_years", ())})
        reasons.append(Reason("provisional", {"years": ", ".join(map(str, years))}))
    off = [section for section in CASE_FAMILIES if getattr(centre.rules, section, None) is None]
    if off:
        reasons.append(Reason("families_off", {"families": ", ".join(off)}))
    return CaseAnswer(number, now, verdict.findings, tuple(counts), tuple(reasons), verdict.status)


def _not_started(case: Case, waits_until: datetime | None) -> list[Reason]:
    first = case.steps[0]
    if case.stop is not None:
        return [Reason("stopped_unstarted", {"at": case.stop.at, "kind": case.stop.kind})]
    talk = [step for step in case.steps if step.kind.startswith("case.supplement_")]
    if talk and talk[-1].kind == "case.supplement_requested":
        return [Reason("supplementing", {"at": talk[-1].at})]
    if waits_until is not None:
        return [Reason("awaits_acceptance", {"at": first.at, "until": waits_until})]
    return [Reason("not_started", {"at": first.at, "kind": first.kind})]


def _counts(course: Course, suspensions: tuple[Suspension, ...], centre: Centre) -> list[Count]:
    last = course.last
    return [
        Count(name, due.moment, explain_deadline(due, last.index, course, suspensions, centre.working_time))
        for name, due in (("promised", last.promised), ("legal", last.legal))
        if due is not None
    ]


def _no_limit(item: str | None, known: bool, centre: Centre) -> list[Reason]:
    if known:
        return []
    if item is None:
        return [Reason("no_item")]
    return [Reason("no_limit" if item in centre.item_by_code else "unknown_item", {"item": item})]


def _of_course(
    case: Case, course: Course, suspensions: tuple[Suspension, ...], centre: Centre, now: datetime
) -> list[Reason]:
    last, stop = course.last, case.stop
    promised, legal = course.effective(last) if course.promised is not None else None, last.legal
    if stop is not None:
        due = promised or legal
        known = {"at": stop.at, "kind": stop.kind, "due": due.moment if due else None}
        if due is None:
            return [Reason("stopped", known)]
        return [Reason("stopped_in_time" if stop.at <= due.moment else "stopped_late", known)]
    reasons: list[Reason] = []
    for suspension in suspensions:
        if suspension.ended_by is None and (suspension.used_up is None or now <= suspension.used_up):
            ground = suspension.step.event.data.get("ground")
            known = {"at": suspension.step.at, "ground": ground, "until": suspension.used_up}
            reasons.append(Reason("paused" if suspension.used_up is None else "paused_until", known))
    for name, due, colour in (("promised", promised, "yellow"), ("legal", legal, "red")):
        if due is None:
            continue
        code = "due_ahead" if now <= due.moment else "due_passed"
        reasons.append(Reason(code, {"limit": name, "due": due.moment, "colour": colour}))
    first = promised or legal
    if first is not None and now <= first.moment:
        notice = _notice_at(first, centre)
        if notice is not None:
            reasons.append(Reason("notice_ahead" if now < notice else "notice_open", {"at": notice}))
    return reasons


def _notice_at(due: Due, centre: Centre) -> datetime | None:
    day = countable_before(due, centre.rules.time_limit.notice_before, centre.working_time)
    return None if day is None else centre.working_time.opening(day)
