"""Judging one case (办件): the rules of section 3 put together."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from detectors.acceptance import Start, find_start, judge_acceptance
from detectors.case_families import judge_without_steps, wanted_judges
from detectors.case_grade import describe_confidence
from detectors.course import Course, follow, judge_extensions
from detectors.delivery import judge_delivery
from detectors.handling_time import describe_handling_time
from detectors.hunan import PROFILE, ProfileCourse, follow_profile, judge_profile, judge_special_procedures
from detectors.stages import find_ineffective, judge_stages
from detectors.suspension import Suspension, find_suspensions, judge_suspensions
from detectors.time_limit import clocks_of, judge_time_limits
from detectors.verdict import TICK, Claim, Verdict, settle
from domain.cases import Case, fold_case
from domain.centre import Centre
from domain.events import Event


def judge_case(events: Iterable[Event], centre: Centre, now: datetime) -> Verdict:
    """All findings of one case at a moment. Pure; depends on the set of events only.

    Args:
        events: the events of one case, in order of arrival (of two with one identity the first stands).
        centre: limits, office hours and calendar in force at the case's start (rule 9).
        now: aware; events after it are not taken.

    Returns:
        Findings sorted by opening; ``look_at`` is never before the answer changes, and judging at any moment before it
        gives the same findings. ``status`` is described at :func:`describe`.
    """
    now = now.astimezone(UTC)
    case = fold_case(events, now)
    if not case.steps:
        return _judge_unentered(case, centre, now)
    calendar = centre.working_time
    suspensions = find_suspensions(case, calendar)
    start, waits_until = find_start(case, centre, now)
    course, profile = None, None
    claims: list[Claim] = []
    if start is not None:
        legal, promised = clocks_of(case, start, centre)
        course = follow(case, start.step, legal, promised, suspensions, calendar)
        claims += judge_acceptance(case, start, centre)
        profile = follow_profile(case, start, course, centre)
        if profile is None:
            claims += judge_time_limits(case, start, course, suspensions, centre)
        else:
            claims += judge_profile(case, profile, course, suspensions, centre)
        claims += judge_extensions(course, suspensions, calendar)
    claims += judge_stages(case, course, suspensions, centre)
    if centre.rules.time_limit.profile == PROFILE:
        claims += judge_special_procedures(suspensions, centre)
    else:
        claims += judge_suspensions(suspensions, calendar)
    claims += judge_delivery(case, centre)
    judges = list(wanted_judges(centre))
    for judge in judges:
        claims += judge(case, start, course, suspensions, centre)
    findings, ahead = settle(
        claims,
        now,
        centre=centre.centre.id,
        subject=f"case:{case.number}",
        case=case.number,
        item=case.item_at(start.step if start is not None else case.steps[0]),
        window_at=case.window_at,
    )
    ahead += [moment for moment in (waits_until, case.ahead) if moment is not None]
    # The status says "suspended" until the announced days are over.
    ahead += [
        s.used_up + TICK
        for s in suspensions
        if s.used_up is not None and s.ended_by is None and s.used_up >= now
    ]
    if judges and case.others_ahead is not None:
        ahead.append(case.others_ahead)
    findings.sort(key=lambda f: (f.opened_at, f.rule, f.due_at or f.opened_at, f.finding_id))
    return Verdict(
        tuple(findings),
        min(ahead, default=None),
        describe(case, start, course, suspensions, centre, now)
        | _beside(profile, course)
        | describe_handling_time(case, start, course, suspensions, centre, now)
        | describe_confidence(findings, centre),
        find_ineffective(case),
    )


def _judge_unentered(case: Case, centre: Centre, now: datetime) -> Verdict:
    """A number that tickets, certificates or fees name, and under which no case has been entered (yet)."""
    window = next((event.window for event in case.others if event.window is not None), None)
    findings, ahead = settle(
        judge_without_steps(case, centre),
        now,
        centre=centre.centre.id,
        subject=f"case:{case.number}",
        case=case.number,
        window_at=lambda _: window,
    )
    others = case.others_ahead if any(wanted_judges(centre)) else None
    ahead += [moment for moment in (case.ahead, others) if moment is not None]
    findings.sort(key=lambda f: (f.opened_at, f.rule, f.finding_id))
    return Verdict(tuple(findings), min(ahead, default=None), {"phase": "new"})


def _beside(profile: ProfileCourse | None, course: Course | None) -> dict[str, Any]:
    """The deadlines of a profile, and beside them (``statutory``) what the law's count says."""
    if profile is None or course is None:
        return {}
    promised, statutory = profile.effective(profile.last), course.effective(course.last)
    return {
        "promised_due": promised.due if promised is not None else None,
        "legal_due": profile.last.legal.due if profile.last.legal is not None else None,
        "statutory": {
            "promised_due": statutory.moment if statutory is not None else None,
            "legal_due": course.last.legal.moment if course.last.legal is not None else None,
        },
    }


def describe(
    case: Case,
    start: Start | None,
    course: Course | None,
    suspensions: tuple[Suspension, ...],
    centre: Centre,
    now: datetime,
) -> dict[str, Any]:
    """A summary for screens; moments are aware datetimes in UTC.

    Keys: ``phase`` (new, received, supplementing, accepted, suspended, stopped, delivered), ``item``, ``window``,
    ``started_at``, ``deemed``, ``stopped_at``, ``stopped_by``, ``promised_due``, ``legal_due`` (None = none, or unknown
    while suspended without end), ``provisional``, ``ground`` (of the open suspension), ``last_event_at``.
    """
    last = case.steps[-1]
    open_spans = [s for s in suspensions if s.ended_by is None and (s.used_up is None or now <= s.used_up)]
    promised = course.effective(course.last) if course is not None else None
    legal = course.last.legal if course is not None else None
    if case.stop is not None:
        phase = "delivered" if any(s.kind == "case.delivered" for s in case.steps) else "stopped"
    elif open_spans:
        phase = "suspended"
    elif start is not None:
        phase = "accepted"
    else:
        talk = [s.kind for s in case.steps if s.kind.startswith("case.supplement_")]
        phase = "supplementing" if talk and talk[-1] == "case.supplement_requested" else "received"
    return {
        "phase": phase,
        "item": case.item_at(start.step if start is not None else last),
        "window": case.window_at(now),
        "started_at": start.step.at if start is not None else None,
        "deemed": start is not None and start.deemed is not None,
        "stopped_at": case.stop.at if case.stop is not None else None,
        "stopped_by": case.stop.kind if case.stop is not None else None,
        "promised_due": promised.moment if promised is not None else None,
        "legal_due": legal.moment if legal is not None else None,
        "provisional": any(due is not None and due.provisional for due in (promised, legal)),
        "ground": open_spans[-1].step.event.data.get("ground") if open_spans else None,
        "last_event_at": last.at,
    }
