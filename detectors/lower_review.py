"""``lower_review.overdue``: the lower agency's review of a case that is decided above (上报件).

Licensing Law art. 43: within 20 days of acceptance. Judged only of items that say so (``lower_review``), for the end of the
review has to be sent: the finish of its stage, or ``case.reported_up``.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from detectors.acceptance import Start
from detectors.case_type import item_of
from detectors.course import Course
from detectors.limits import Clock, Due, working_days
from detectors.own_limit import explain_own_due, find_own_due
from detectors.suspension import Suspension
from detectors.verdict import Claim, overdue
from domain.cases import Case
from domain.centre import Centre
from domain.rules.time import TimeSettings

RULE = "lower_review.overdue"
ARTICLE = "行政许可法 art. 43"


def judge_lower_review(
    case: Case,
    start: Start,
    course: Course,
    suspensions: tuple[Suspension, ...],
    centre: Centre,
    settings: TimeSettings,
) -> list[Claim]:
    """Red after the limit, until the case was sent up or ends."""
    item = item_of(case, start, centre)
    if item is None or item.lower_review is None:
        return []
    days, stage = item.lower_review.days or settings.lower_review, item.lower_review.stage
    if days is None:
        return []
    clock = Clock(start.step.at, working_days(days))
    due = find_own_due(clock, start.step, case, course, suspensions, centre.working_time)
    if due is None:
        return []
    begin = start.step.at
    ends = [event.occurred_at for event in case.others if event.kind == "case.reported_up"]
    ends += [
        step.at
        for step in case.running
        if step.kind == "case.stage_finished" and stage is not None and step.event.data["stage"] == stage
    ]
    ends += [case.stop.at] if case.stop is not None else []
    ended = min((moment for moment in ends if moment >= begin), default=None)
    return overdue(
        RULE, "red", due.moment, ended, provisional=due.provisional,
        explain=partial(_explain, due, case, start, suspensions, centre),
    )  # fmt: skip


def _explain(
    due: Due, case: Case, start: Start, suspensions: tuple[Suspension, ...], centre: Centre
) -> dict[str, Any]:
    row = explain_own_due(due, start.step, case, suspensions, centre.working_time)
    row["articles"] = f"{ARTICLE}; {row['articles']}"
    return row
