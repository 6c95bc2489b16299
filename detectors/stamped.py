"""Trails that were stamped and not walked: ``truthfulness.stamped_together`` and ``truthfulness.zero_stages``.

A feeder known from practice makes up acceptance, review and closing, all with the moment of closing, where no flow exists
(P4); the national standard has a missing end time filled in with the start (N1). Domain reference, section 8 row 8.

Readings: receipt and acceptance in one second are one act at the counter, and so are start and end of one stage; an
immediate case (即办件) is done in one go by its nature. What the centre file calls immediate counts, not what the
event says.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from detectors.late_entry import step_rows
from detectors.verdict import Claim, happened
from domain.cases import Case, Step
from domain.centre import Centre

TOGETHER, ZERO = "truthfulness.stamped_together", "truthfulness.zero_stages"
ARTICLES = "真实 (domain reference 8 row 8: P4, N1)"
#: The applicant's acts, and what only happens with the certificate in hand.
NO_ACTS = frozenset(("case.received", "case.supplement_received", "case.delivered", "case.withdrawn"))
ENDS = frozenset(("case.decided", "case.closed"))


def is_immediate(case: Case, centre: Centre) -> bool:
    """Whether the centre file says that the case's item is done while the applicant waits."""
    item = centre.item_by_code.get(case.item_at(case.steps[-1]) or "")
    return item is not None and item.case_type == "immediate"


def acts_of(case: Case) -> list[Step]:
    """The steps that somebody of the centre did; a stage that begins and ends in one second is one act, so is an end
    that is told twice (decided and closed)."""
    acts: list[Step] = []
    started: dict[str, datetime] = {}
    ended: datetime | None = None
    for step in case.steps:
        if step.kind in NO_ACTS:
            continue
        second = _second(step.at)
        if step.kind == "case.stage_started":
            started[str(step.event.data["stage"])] = second
        elif step.kind == "case.stage_finished" and started.get(str(step.event.data["stage"])) == second:
            continue
        elif step.kind in ENDS:
            if ended == second:
                continue
            ended = second
        acts.append(step)
    return acts


def judge_stamped(case: Case, centre: Centre) -> list[Claim]:
    """Several acts in one second, or a whole course within minutes; one finding a case, the first sign stands."""
    settings = centre.rules.truthfulness
    if settings is None or is_immediate(case, centre):
        return []
    claims: list[Claim] = []
    acts = acts_of(case)
    group, sign = _same_second(acts, settings.same_second), "same_second"
    if not group and settings.whole_course is not None:
        group, sign = _whole_course(acts, timedelta(minutes=settings.whole_course)), "whole_course"
    if group:
        claims.append(
            happened(TOGETHER, "notice", group[-1].at, partial(_explain, sign, group, case, centre))
        )
    zero, walked = stage_ends(case)
    enough = len(zero) >= settings.zero_share * (len(zero) + len(walked))
    if settings.zero_stages is not None and len(zero) >= settings.zero_stages and enough:
        at = zero[settings.zero_stages - 1].at
        claims.append(happened(ZERO, "notice", at, partial(_explain, "zero_stages", zero, case, centre)))
    return claims


def stage_ends(case: Case) -> tuple[list[Step], list[Step]]:
    """The ends of stages that fall into the second of their beginning, and those that do not.

    Of a stage without a beginning nobody knows how long it took.
    """
    zero: list[Step] = []
    walked: list[Step] = []
    started: dict[str, datetime] = {}
    for step in case.steps:
        if step.kind == "case.stage_started":
            started[str(step.event.data["stage"])] = _second(step.at)
        elif step.kind == "case.stage_finished":
            begun = started.pop(str(step.event.data["stage"]), None)
            if begun is not None:
                (zero if begun == _second(step.at) else walked).append(step)
    return zero, walked


def _same_second(acts: Sequence[Step], least: int | None) -> list[Step]:
    """The first run of acts within one second that is long enough (also across the change of a second)."""
    if least is None:
        return []
    end = 0
    for begin, first in enumerate(acts):
        while end < len(acts) and acts[end].at - first.at < timedelta(seconds=1):
            end += 1
        if end - begin >= least:
            return list(acts[begin:end])
    return []


def _whole_course(acts: Sequence[Step], within: timedelta) -> list[Step]:
    """All acts from the acceptance to the end, if there was a stage between and all of it took no time."""
    accepted = next((act for act in acts if act.kind == "case.accepted"), None)
    if accepted is None:
        return []
    end = next((act for act in acts if act.kind in ENDS and act.at >= accepted.at), None)
    if end is None or end.at - accepted.at > within:
        return []
    # In any order: whoever stamps does not mind it.
    course = [act for act in acts if abs(act.at - end.at) <= within]
    return course if any(act.kind.startswith("case.stage_") for act in course) else []


def _second(moment: datetime) -> datetime:
    return moment.replace(microsecond=0)


def _explain(sign: str, steps: Sequence[Step], case: Case, centre: Centre) -> dict[str, Any]:
    return {
        "sign": sign,
        "count": len(steps),
        "seconds": (steps[-1].at - steps[0].at).total_seconds(),
        "steps": step_rows(steps, centre),
        "articles": ARTICLES,
    }
