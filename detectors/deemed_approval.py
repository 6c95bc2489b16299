"""Default approval (超时默认): an item whose limit passes undecided counts as approved, and its certificate is then due.

The Licensing Law has it for renewals (art. 50); cities have it for items of their own (domain reference 2b: Nankai 2003,
Dongguan, Yichun 2009, Xianju 2023), so the item has to say so. The overrun stays an overrun; the case goes on until it stops.

* ``deemed_approval.passed`` (notice): from the deadline on, until a decision, closing, refusal, withdrawal or delivery.
* ``deemed_approval.delivery`` (yellow): the certificate, ``delivery`` working days after it, until the same events. After a
  decision the ordinary delivery limit runs.
* ``deemed_approval.contradicted`` (notice, at once): denied or refused after it counted as approved.
"""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Any

from detectors.acceptance import Start
from detectors.case_type import item_of
from detectors.course import Course, explain_deadline
from detectors.hunan import PROFILE, follow_profile
from detectors.own_limit import Deadline, at_once, days_from, too_late
from detectors.suspension import Suspension
from detectors.verdict import TICK, Claim
from domain.cases import Case
from domain.centre import Centre

PASSED, DELIVERY, CONTRADICTED = (
    "deemed_approval.passed", "deemed_approval.delivery", "deemed_approval.contradicted",
)  # fmt: skip
ARTICLE = "超时默认 (2b: R16–R20); 行政许可法 art. 50"
DELIVERY_ARTICLE = "行政许可法 art. 44; 超时默认 (R16, R17)"


def deemed_at(
    case: Case, start: Start, course: Course, suspensions: tuple[Suspension, ...], centre: Centre
) -> Deadline | None:
    """The deadline whose passing counts as approval; None if the item has none or it is not known."""
    item = item_of(case, start, centre)
    if item is None or item.deemed_approval is None:
        return None
    legal = item.deemed_approval.limit == "legal"
    due = course.last.legal if legal else course.effective(course.last)
    profile = follow_profile(case, start, course, centre)

    def explain() -> dict[str, Any]:
        if due is None:
            return {"articles": ""}
        return explain_deadline(due, course.last.index, course, suspensions, centre.working_time)

    if profile is not None:
        mark = profile.last.legal if legal else profile.effective(profile.last)
        if mark is None:
            return None

        def both() -> dict[str, Any]:
            reached = centre.working_time.local(mark.due).isoformat()
            return {"profile": PROFILE, "deadline": reached, "statutory": explain(), "articles": ""}

        return Deadline(mark.due, mark.passed, mark.passed, bool(due and due.provisional), both)
    if due is None:
        return None
    # A deadline before the start opens at it, as those of the case do.
    opened = max(due.moment, start.step.at)
    return Deadline(due.moment, opened, max(due.moment + TICK, opened), due.provisional, explain)


def judge_deemed_approval(
    case: Case, start: Start, course: Course, suspensions: tuple[Suspension, ...], centre: Centre
) -> list[Claim]:
    """See the module."""
    deadline, item = deemed_at(case, start, course, suspensions, centre), item_of(case, start, centre)
    if deadline is None or item is None or item.deemed_approval is None:
        return []
    delivered = (step.at for step in case.steps if step.kind == "case.delivered")
    stop = case.stop
    ends: list[datetime] = [*delivered, *([stop.at] if stop is not None else [])]
    ended = min(ends, default=None)
    claims = too_late(PASSED, "notice", deadline, ended, ARTICLE, deemed=item.deemed_approval.limit)
    if not claims:
        return []
    days = item.deemed_approval.delivery or item.delivery_limit
    certificate = days_from(deadline.due, days, centre) if days is not None else None
    if certificate is not None:
        since = partial(centre.working_time.local, deadline.due)
        claims += too_late(
            DELIVERY, "yellow", certificate, ended, DELIVERY_ARTICLE, deemed_approved_at=since().isoformat()
        )
    against = stop is not None and (
        stop.kind == "case.refused" or (stop.kind == "case.decided" and stop.event.data["result"] == "denied")
    )
    if stop is not None and against:
        moment = centre.working_time.local(deadline.due).isoformat()
        claims.append(
            at_once(
                CONTRADICTED, "notice", stop, centre, ARTICLE, due_at=deadline.due, deemed_approved_at=moment
            )
        )
    return claims
