"""``licence.overdue``: the electronic licence (电子证照) is not issued within its days after closing.

Hunan 2018 (P1): 3 days after closing, yellow when over, no red. Issued = ``certificate.issued`` or ``case.delivered``.
"""

from __future__ import annotations

from detectors.own_limit import days_from, too_late
from detectors.verdict import Claim
from domain.cases import Case
from domain.centre import Centre
from domain.rules.time import TimeSettings

RULE = "licence.overdue"
ARTICLE = "湖南电子监察平台 2018 电子证照 (P1)"


def judge_licence(case: Case, centre: Centre, settings: TimeSettings) -> list[Claim]:
    """Only of items that end in such a licence, and of cases that were not refused, denied or withdrawn."""
    closed = next((step for step in case.steps if step.kind == "case.closed"), None)
    stop = case.stop
    if closed is None or stop is None or stop.kind in ("case.refused", "case.withdrawn"):
        return []
    if stop.kind == "case.decided" and stop.event.data["result"] == "denied":
        return []
    item = centre.item_by_code.get(case.item_at(closed) or "")
    own = item.licence if item is not None else None
    days = own if isinstance(own, int) and not isinstance(own, bool) else settings.licence if own else None
    deadline = days_from(closed.at, days, centre) if days is not None else None
    if deadline is None:
        return []
    issued = [step.at for step in case.steps if step.kind == "case.delivered"]
    issued += [event.occurred_at for event in case.others if event.kind == "certificate.issued"]
    fact = {"event_id": closed.event.event_id}
    return too_late(RULE, "yellow", deadline, min(issued, default=None), ARTICLE, closing=fact)
