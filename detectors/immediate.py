"""``immediate.overdue``: an immediate case (即办件) ends the same working day.

Founding document 1 (即来即办; S27): what needs no visit, expert or test is done on the spot. Accepted on a rest day or after
closing, it ends by the next working day's close. A suspended day is not charged.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from detectors.acceptance import Start
from detectors.case_type import case_type
from detectors.limits import iso
from detectors.suspension import Excluded, Suspension, explain_excluded
from detectors.verdict import Claim, overdue
from domain.cases import Case
from domain.centre import Centre

RULE = "immediate.overdue"
ARTICLE = "即来即办 (S27); 即办件 (P3, GB/T 39046)"


def judge_immediate(
    case: Case, start: Start, suspensions: tuple[Suspension, ...], centre: Centre
) -> list[Claim]:
    """Yellow from the close of the day on."""
    if case_type(case, start, centre) != "immediate":
        return []
    calendar, begin, upto = centre.working_time, start.step.at, len(case.running)
    first = calendar.local_date(begin)
    if begin < calendar.deadline(first):
        first -= 1
    runs = Excluded(suspensions, calendar, calendar.deadline).runs(upto)
    ordinal = calendar.nth_working(first, 1, runs)
    if ordinal is None:
        return []
    due: datetime = calendar.deadline(ordinal)

    def explain() -> dict[str, Any]:
        return {
            "start": calendar.local(begin).isoformat(),
            "started_by": {"kind": start.step.kind, "event_id": start.step.event.event_id},
            "due_day": iso(ordinal),
            "counted_days": [iso(ordinal)],
            "deadline": calendar.local(due).isoformat(),
            "excluded": explain_excluded(suspensions, first + 1, ordinal, upto, calendar, calendar.deadline),
            "calendar": calendar.version,
            "articles": ARTICLE,
        }

    stop = case.stop.at if case.stop is not None else None
    return overdue(
        RULE, "yellow", due, stop, provisional=calendar.provisional(first + 1, ordinal), explain=explain
    )
