"""Where the clock starts, and ``acceptance.overdue`` (rule 7).

Licensing Law art. 32: whoever does not say within five working days what is missing has accepted the application on
the day the material came in.

Readings: an answer stands after the receipt in the order of rule 10; once the case has started, later receipts start
nothing; a second ``case.received`` is ignored, every ``case.supplement_received`` is a receipt.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from detectors.limits import Clock, Due, explain_due, find_due, working_days
from detectors.verdict import TICK, Claim, overdue
from domain.cases import STOPS, Case, Step
from domain.centre import Centre

RULE = "acceptance.overdue"
ARTICLE = "行政许可法 art. 32(4)"


@dataclass(frozen=True, slots=True)
class Start:
    """The start of a case.

    ``step``: the acceptance, or the receipt it counts from. ``deemed``: the deadline of rule 7 that passed unanswered.
    ``accepted``: the first acceptance that came, for closing ``acceptance.overdue``.
    """

    step: Step
    deemed: Due | None = None
    accepted: Step | None = None


def find_start(case: Case, centre: Centre, now: datetime) -> tuple[Start | None, datetime | None]:
    """The start of the case as of ``now``, and the moment at which an unanswered receipt will make one.

    Returns:
        (start, None) if it has started; (None, moment) if a receipt waits for its answer; (None, None) otherwise.
    """
    waiting: list[tuple[Step, Due]] = []
    received = False
    for step in case.running:
        if waiting and waiting[0][1].moment < step.at:
            break
        if step.kind == "case.accepted":
            return Start(step, accepted=step), None
        if step.kind in STOPS:
            return None, None
        if step.kind == "case.supplement_requested":
            waiting.clear()
        elif step.kind == "case.supplement_received" or (step.kind == "case.received" and not received):
            received = received or step.kind == "case.received"
            due = _acceptance_due(case, step, centre)
            if due is not None:
                waiting.append((step, due))
    if not waiting:
        return None, None
    receipt, due = waiting[0]
    if now <= due.moment:
        return None, due.moment + TICK
    accepted = next((s for s in case.running[receipt.index :] if s.kind == "case.accepted"), None)
    return Start(receipt, due, accepted), None


def _acceptance_due(case: Case, receipt: Step, centre: Centre) -> Due | None:
    item = centre.item_by_code.get(case.item_at(receipt) or "")
    if item is None or item.supplement_limit is None:
        return None
    # Suspensions do not lengthen this limit.
    return find_due(Clock(receipt.at, working_days(item.supplement_limit)), centre.working_time)


def judge_acceptance(case: Case, start: Start, centre: Centre) -> list[Claim]:
    """``acceptance.overdue``: material came in and nobody said anything within the limit."""
    if start.deemed is None:
        return []
    ended = start.accepted or case.stop
    return overdue(
        RULE,
        "yellow",
        start.deemed.moment,
        ended.at if ended is not None else None,
        provisional=start.deemed.provisional,
        explain=partial(_explain, start, centre),
    )


def _explain(start: Start, centre: Centre) -> dict[str, Any]:
    assert start.deemed is not None
    row = explain_due(start.deemed, centre.working_time)
    row["receipt"] = {"kind": start.step.kind, "event_id": start.step.event.event_id}
    row["articles"] = f"{ARTICLE}; {row['articles']}"
    return row
