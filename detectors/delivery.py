"""``delivery.overdue``: the certificate is not handed over within its limit after a granting decision.

Licensing Law art. 44. The limit runs only from a granting decision that is the stop (rule table, below).
"""

from __future__ import annotations

from functools import partial
from typing import Any

from detectors.limits import Clock, Due, explain_due, find_due, working_days
from detectors.verdict import Claim, overdue
from domain.cases import Case, Step
from domain.centre import Centre

RULE = "delivery.overdue"
ARTICLE = "行政许可法 art. 44"


def judge_delivery(case: Case, centre: Centre) -> list[Claim]:
    """The certificate was due; a delivery before the decision counts."""
    decision = case.stop
    if decision is None or decision.kind != "case.decided" or decision.event.data.get("result") != "granted":
        return []
    item = centre.item_by_code.get(case.item_at(decision) or "")
    if item is None or item.delivery_limit is None:
        return []
    due = find_due(Clock(decision.at, working_days(item.delivery_limit)), centre.working_time)
    delivered = next((step for step in case.steps if step.kind == "case.delivered"), None)
    if due is None:
        return []
    return overdue(
        RULE,
        "yellow",
        due.moment,
        delivered.at if delivered is not None else None,
        provisional=due.provisional,
        explain=partial(_explain, decision, due, centre),
    )


def _explain(decision: Step, due: Due, centre: Centre) -> dict[str, Any]:
    row = explain_due(due, centre.working_time)
    row["decision"] = {"event_id": decision.event.event_id}
    row["articles"] = f"{ARTICLE}; {row['articles']}"
    return row
