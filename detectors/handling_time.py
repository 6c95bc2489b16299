"""The family ``rules.time``: clocks of a case beside its legal and promised limit, put together."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from detectors.acceptance import Start
from detectors.course import Course
from detectors.deemed_approval import deemed_at, judge_deemed_approval
from detectors.extension_limits import judge_extension_limits
from detectors.immediate import judge_immediate
from detectors.licence import judge_licence
from detectors.lower_review import judge_lower_review
from detectors.parallel import describe_parallel, judge_parallel
from detectors.pre_acceptance import judge_pre_acceptance
from detectors.suspension import Suspension
from detectors.time_limit import judge_warnings
from detectors.verdict import Claim
from domain.cases import Case
from domain.centre import Centre


def judge_handling_time(
    case: Case,
    start: Start | None,
    course: Course | None,
    suspensions: tuple[Suspension, ...],
    centre: Centre,
) -> list[Claim]:
    """Every claim of the family; those that need an acceptance only of a case that has started."""
    settings = centre.rules.time
    if settings is None:
        return []
    claims: list[Claim] = []
    if settings.pre_acceptance is not None:
        claims += judge_pre_acceptance(case, centre, settings.pre_acceptance)
    if start is not None and course is not None:
        stop = case.stop.at if case.stop is not None else None
        claims += judge_warnings(course, start.step.at, stop, suspensions, centre)
        claims += judge_parallel(case, start, course, suspensions, centre)
        claims += judge_lower_review(case, start, course, suspensions, centre, settings)
        claims += judge_extension_limits(case, start, course, centre, settings)
        claims += judge_deemed_approval(case, start, course, suspensions, centre)
        if settings.immediate:
            claims += judge_immediate(case, start, suspensions, centre)
    return claims + judge_licence(case, centre, settings)


def describe_handling_time(
    case: Case,
    start: Start | None,
    course: Course | None,
    suspensions: tuple[Suspension, ...],
    centre: Centre,
    now: datetime,
) -> dict[str, Any]:
    """What the family adds to a case's status: ``parallel`` (total and shares), ``deemed_approved_at``."""
    settings = centre.rules.time
    if settings is None or settings.shadow or start is None or course is None:
        return {}
    row: dict[str, Any] = {}
    parallel = describe_parallel(case, start, course, suspensions, centre)
    if parallel is not None:
        row["parallel"] = parallel
    deemed = deemed_at(case, start, course, suspensions, centre)
    if deemed is not None and now >= deemed.passed and (case.stop is None or case.stop.at >= deemed.passed):
        row["deemed_approved_at"] = deemed.due
    return row
