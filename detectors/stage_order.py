"""``procedure.out_of_order`` and ``procedure.skipped_stage``: the stages (环节) of a case against the order of its item.

The order is the item's ``stage_order`` (by default the order of its ``stages``), else the centre's, for example that of
Guangdong's data standard of 2013 (N6): 承办, 审核, 批准. A stage's place is its first start, or its finish where only ends are
sent; going back to a stage is no breach. A case of which no listed stage is known was not observed: nothing is said of it.
"""

from __future__ import annotations

from detectors.own_limit import at_once
from detectors.verdict import Claim
from domain.cases import Case, Step
from domain.centre import Centre
from domain.rules.procedure import ProcedureSettings

OUT_OF_ORDER, SKIPPED = "procedure.out_of_order", "procedure.skipped_stage"
ARTICLE = "广东省网上办事大厅建设规范 2013 (N6); 行政许可法 art. 34"


def judge_stage_order(case: Case, centre: Centre, settings: ProcedureSettings) -> list[Claim]:
    """Out of order: a stage begins after one that should follow it (yellow, at its begin). Skipped: approved or closed
    without it (notice, at the stop)."""
    stop = case.stop
    last = case.running[-1]
    item = centre.item_by_code.get(case.item_at(last) or "")
    order = tuple(item.stage_order or ()) if item is not None else ()
    order = order or settings.order
    if len(order) < 2:
        return []
    first: dict[str, Step] = {}
    for step in case.running:
        if step.kind in ("case.stage_started", "case.stage_finished") and step.event.data["stage"] in order:
            first.setdefault(step.event.data["stage"], step)
    claims: list[Claim] = []
    for place, name in enumerate(order):
        begun = first.get(name)
        if begun is None:
            continue
        ahead = [n for n in order[place + 1 :] if n in first and first[n].at < begun.at]
        if ahead:
            after, listed = [n[:80] for n in ahead], [n[:80] for n in order]
            claims.append(
                at_once(
                    OUT_OF_ORDER, "yellow", begun, centre, ARTICLE, stage=name[:80], after=after, order=listed
                )
            )
    missing = [name[:80] for name in order if name not in first]
    approved = stop is not None and (
        stop.kind == "case.closed" or (stop.kind == "case.decided" and stop.event.data["result"] == "granted")
    )
    if stop is not None and approved and first and missing:
        claims.append(
            at_once(
                SKIPPED, "notice", stop, centre, ARTICLE, missing=missing, order=[name[:80] for name in order]
            )
        )
    return claims
