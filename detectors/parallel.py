"""``parallel.overdue`` and ``parallel.agency_overdue``: several agencies handle one case (并联审批).

Licensing Law art. 26, 42: handled by one window, jointly or in one place, it takes 45 working days in all, and 15 more with
the approval of the government's head and the reason told. An agency holds the case while a stage runs that names it in
``data.agency``; sequential agencies begin when the one before has told them (Zhejiang, L17 art. 5).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from detectors.acceptance import Start
from detectors.case_type import case_type, item_of
from detectors.course import Course
from detectors.limits import Clock, Due, counted_days, in_runs, working_days
from detectors.own_limit import explain_own_due, find_own_due
from detectors.suspension import Excluded, Suspension
from detectors.verdict import Claim, overdue
from domain.cases import Case, Step
from domain.centre import Centre
from domain.rules.time import ParallelLimit

TOTAL, AGENCY = "parallel.overdue", "parallel.agency_overdue"
ARTICLE = "行政许可法 art. 26, 42(2)"
AGENCY_ARTICLE = "行政许可法 art. 26; 并联审批 (R32, L17 art. 5)"


@dataclass(frozen=True, slots=True)
class Share:
    """One uninterrupted time in which an agency holds the case; ``ended_by``: finish of its last stage, or the stop."""

    agency: str
    started: Step
    ended_by: Step | None


def find_shares(case: Case, start: Start) -> list[Share]:
    """In order of their beginning."""
    found: list[Share] = []
    holding: dict[str, tuple[Step, set[str]]] = {}
    for step in case.running[start.step.index :]:
        agency, stage = step.event.data.get("agency"), step.event.data.get("stage")
        if not isinstance(agency, str) or not agency or not isinstance(stage, str):
            continue
        if step.kind == "case.stage_started":
            holding.setdefault(agency, (step, set()))[1].add(stage)
        elif step.kind == "case.stage_finished" and agency in holding:
            first, stages = holding[agency]
            stages.discard(stage)
            if not stages:
                found.append(Share(agency, first, step))
                del holding[agency]
    found += [Share(agency, first, case.stop) for agency, (first, _) in holding.items()]
    return sorted(found, key=lambda share: share.started.index)


def judge_parallel(
    case: Case, start: Start, course: Course, suspensions: tuple[Suspension, ...], centre: Centre
) -> list[Claim]:
    """The total, unless the case's own legal limit ends no later and says it; and each agency's share."""
    limit = _limit(case, start, centre)
    if limit is None:
        return []
    due = _total_due(limit, case, start, course, suspensions, centre)
    stop = case.stop.at if case.stop is not None else None
    claims: list[Claim] = []
    legal = course.last.legal
    if due is not None and (legal is None or legal.moment > due.moment):
        claims += overdue(
            TOTAL, "red", due.moment, stop, provisional=due.provisional,
            explain=partial(_explain, due, case, start, suspensions, centre),
        )  # fmt: skip
    for share in find_shares(case, start):
        own = _agency_due(share, case, start, course, suspensions, centre)
        if own is not None:
            claims += overdue(
                AGENCY, "yellow", own.moment, share.ended_by.at if share.ended_by is not None else None,
                provisional=own.provisional, instance=share.started.instance,
                explain=partial(_explain_agency, own, share, case, suspensions, centre),
            )  # fmt: skip
    return claims


def describe_parallel(
    case: Case, start: Start, course: Course, suspensions: tuple[Suspension, ...], centre: Centre
) -> dict[str, Any] | None:
    """For screens: ``total_due`` and each agency's share (``agency``, ``since``, ``until``, ``due``, ``days`` once ended)."""
    limit = _limit(case, start, centre)
    if limit is None:
        return None
    total = _total_due(limit, case, start, course, suspensions, centre)
    agencies = []
    for share in find_shares(case, start):
        own = _agency_due(share, case, start, course, suspensions, centre)
        ended = share.ended_by
        agencies.append(
            {
                "agency": share.agency[:80],
                "since": share.started.at,
                "until": ended.at if ended is not None else None,
                "due": own.moment if own is not None else None,
                "days": None if ended is None else _days(share, case, suspensions, centre),
            }
        )
    return {"total_due": total.moment if total is not None else None, "agencies": agencies}


def _limit(case: Case, start: Start, centre: Centre) -> ParallelLimit | None:
    settings = centre.rules.time
    if settings is None or case_type(case, start, centre) != "parallel":
        return None
    return settings.parallel


def _total_due(
    limit: ParallelLimit,
    case: Case,
    start: Start,
    course: Course,
    suspensions: tuple[Suspension, ...],
    centre: Centre,
) -> Due | None:
    clock = Clock(start.step.at, working_days(limit.days))
    return find_own_due(
        clock, start.step, case, course, suspensions, centre.working_time, most=limit.extension
    )


def _agency_due(
    share: Share,
    case: Case,
    start: Start,
    course: Course,
    suspensions: tuple[Suspension, ...],
    centre: Centre,
) -> Due | None:
    item = item_of(case, start, centre)
    days = (item.agencies or {}).get(share.agency) if item is not None else None
    if days is None:
        return None
    clock = Clock(share.started.at, working_days(days))
    return find_own_due(clock, share.started, case, course, suspensions, centre.working_time)


def _days(
    share: Share, case: Case, suspensions: tuple[Suspension, ...], centre: Centre, last: int | None = None
) -> int:
    """Working days an agency had the case, as every limit counts them: first day out, excluded days out."""
    calendar = centre.working_time
    first = calendar.local_date(share.started.at)
    end = calendar.local_date(share.ended_by.at) if share.ended_by is not None else last
    assert end is not None
    end = end if last is None else min(end, last)
    runs = Excluded(suspensions, calendar, calendar.deadline).runs(len(case.running))
    return len([day for day in calendar.working_days(first, max(first, end)) if not in_runs(day, runs)])


def _explain(
    due: Due, case: Case, start: Start, suspensions: tuple[Suspension, ...], centre: Centre
) -> dict[str, Any]:
    calendar = centre.working_time
    row = explain_own_due(due, start.step, case, suspensions, calendar)
    item = item_of(case, start, centre)
    limits = (item.agencies or {}) if item is not None else {}
    row["shares"] = [
        {
            "agency": share.agency[:80],
            "from": calendar.local(share.started.at).isoformat(),
            "to": None if share.ended_by is None else calendar.local(share.ended_by.at).isoformat(),
            "days_of_the_total": _days(share, case, suspensions, centre, due.ordinal),
            "limit": limits.get(share.agency),
        }
        for share in find_shares(case, start)
        if share.started.at <= due.moment
    ]
    row["total_days"] = len(counted_days(due, calendar))
    row["articles"] = f"{ARTICLE}; {row['articles']}"
    return row


def _explain_agency(
    due: Due, share: Share, case: Case, suspensions: tuple[Suspension, ...], centre: Centre
) -> dict[str, Any]:
    row = explain_own_due(due, share.started, case, suspensions, centre.working_time)
    row["agency"] = share.agency[:80]
    row["articles"] = f"{AGENCY_ARTICLE}; {row['articles']}"
    return row
