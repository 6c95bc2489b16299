"""The family ``rules.procedure``: steps out of order, left out or done twice, and answers without reason or receipt.

What the record itself shows is yellow; what may as well be a gap in the data is a notice for a person to judge. A fact of one
event is open and closed with it. L1 = 行政许可法, the Licensing Law.
"""

from __future__ import annotations

from typing import Any

from detectors.acceptance import Start
from detectors.course import Course
from detectors.extension_limits import has_text
from detectors.own_limit import at_once
from detectors.stage_order import judge_stage_order
from detectors.suspension import Suspension
from detectors.verdict import Claim
from domain.cases import Case, Step
from domain.centre import Centre, Item
from domain.findings import Severity

DECIDED_FIRST, SECOND_ACCEPTANCE = "procedure.decided_before_accepted", "procedure.second_acceptance"
RESUMED, SECOND_NOTICE = "procedure.resume_without_suspension", "procedure.second_supplement_notice"
NO_REASON_REFUSED, NO_REASON_DENIED = "procedure.refused_without_reason", "procedure.denied_without_reason"
NO_RECEIPT, REFUSED_COMPLETE = "procedure.no_receipt", "procedure.refused_though_complete"
ORDER_ARTICLE = "行政许可法 art. 32, 34, 42"
REASON_ARTICLE = "行政许可法 art. 38, 72(7)"
RECEIPT_ARTICLE = "行政许可法 art. 32 (dated written receipt)"
REFUSAL_ARTICLE = "行政许可法 art. 32, 72(1)"
NOTICE_ARTICLE = "行政许可法 art. 32(4), 72(4) (一次性告知)"
#: Lawful grounds of a refusal that have nothing to do with the materials (L1 art. 32(1), (2)): ``data.reason_code``.
OTHER_GROUNDS = frozenset(("not_required", "not_competent"))


def judge_procedure(
    case: Case,
    start: Start | None,
    course: Course | None,
    suspensions: tuple[Suspension, ...],
    centre: Centre,
) -> list[Claim]:
    """Every claim of the family."""
    settings = centre.rules.procedure
    if settings is None:
        return []
    claims = judge_stage_order(case, centre, settings)
    claims += _decided_first(case, start, centre)
    claims += _second_acceptances(case, centre)
    claims += _resumes(case, centre)
    claims += _without_reason(case, centre)
    claims += _second_notices(case, centre)
    claims += _refused_though_complete(case, centre)
    if settings.receipts:
        claims += _without_receipt(case, centre)
    return claims


def _decided_first(case: Case, start: Start | None, centre: Centre) -> list[Claim]:
    """A decision or closing before the acceptance (yellow), or a decision without any, where the law supposes none (notice).

    What is decided on the spot (art. 34) has no acceptance of its own. A case that only ever appears closed is for the
    rules on outside circulation to find.
    """
    stop = case.stop
    if stop is None or start is not None or stop.kind not in ("case.decided", "case.closed"):
        return []
    later = next((step for step in case.steps[stop.index :] if step.kind == "case.accepted"), None)
    item = centre.item_by_code.get(case.item_at(stop) or "")
    on_the_spot = item is not None and item.case_type == "immediate"
    if later is None and (stop.kind == "case.closed" or on_the_spot):
        return []
    accepted = None if later is None else centre.working_time.local(later.at).isoformat()
    severity: Severity = "notice" if later is None else "yellow"
    return [at_once(DECIDED_FIRST, severity, stop, centre, ORDER_ARTICLE, accepted_at=accepted)]


def _second_acceptances(case: Case, centre: Centre) -> list[Claim]:
    accepted = [step for step in case.steps if step.kind == "case.accepted"]
    claims: list[Claim] = []
    for step in accepted[1:]:
        first = accepted[0]
        moment = centre.working_time.local(first.at).isoformat()
        known = {"event_id": first.event.event_id, "at": moment}
        claims.append(at_once(SECOND_ACCEPTANCE, "notice", step, centre, ORDER_ARTICLE, first=known))
    return claims


def _resumes(case: Case, centre: Centre) -> list[Claim]:
    """A resume that ends nothing. One whose announced days are long over still ends its suspension."""
    claims: list[Claim] = []
    suspended = False
    for step in case.running:
        if step.kind == "case.suspended":
            suspended = True
        elif step.kind == "case.resumed":
            if not suspended:
                claims.append(at_once(RESUMED, "notice", step, centre, "行政许可法 art. 45"))
            suspended = False
    return claims


def _without_reason(case: Case, centre: Centre) -> list[Claim]:
    claims: list[Claim] = []
    for step in case.running:
        if has_text(step, "reason"):
            continue
        if step.kind == "case.refused":
            claims.append(at_once(NO_REASON_REFUSED, "yellow", step, centre, REASON_ARTICLE))
        elif step.kind == "case.decided" and step.event.data["result"] == "denied":
            claims.append(at_once(NO_REASON_DENIED, "yellow", step, centre, REASON_ARTICLE))
    return claims


def _without_receipt(case: Case, centre: Centre) -> list[Claim]:
    """The first acceptance, and the refusal that stops the case."""
    answers = [step for step in case.running if step.kind == "case.accepted"][:1]
    answers += [step for step in case.running if step.kind == "case.refused"]
    return [
        at_once(NO_RECEIPT, "notice", step, centre, RECEIPT_ARTICLE)
        for step in answers
        if not has_text(step, "receipt_no")
    ]


def _second_notices(case: Case, centre: Centre) -> list[Claim]:
    """What is missing has to be said once. A later notice that names nothing new only reminds.

    Yellow where it names something new; a notice where a list is missing.
    """
    claims: list[Claim] = []
    told: set[str] | None = None
    notices = 0
    for step in case.running:
        if step.kind == "case.accepted":
            break
        if step.kind != "case.supplement_requested":
            continue
        wanted = _materials(step)
        notices += 1
        if notices > 1:
            new = None if wanted is None or told is None else sorted(wanted - told)
            if new is None or new:
                severity: Severity = "notice" if new is None else "yellow"
                claims.append(
                    at_once(
                        SECOND_NOTICE, severity, step, centre, NOTICE_ARTICLE, number=notices, new=_short(new)
                    )
                )
        told = wanted if notices == 1 else None if told is None or wanted is None else told | wanted
    return claims


def _refused_though_complete(case: Case, centre: Centre) -> list[Claim]:
    """Everything on the item's list was handed in, and no other ground is named (``data.reason_code``).

    Yellow where the refusal says that something is missing; otherwise a notice.
    """
    stop = case.stop
    if stop is None or stop.kind != "case.refused":
        return []
    code = stop.event.data.get("reason_code")
    if isinstance(code, str) and code in OTHER_GROUNDS:
        return []
    item = centre.item_by_code.get(case.item_at(stop) or "")
    needed = _needed(item)
    handed_in: set[str] = set()
    for step in case.running:
        if step.kind in ("case.received", "case.supplement_received"):
            handed_in |= _materials(step) or set()
    if not needed or not needed <= handed_in:
        return []
    severity: Severity = "yellow" if code == "incomplete" else "notice"
    facts: dict[str, Any] = {"materials": _short(sorted(needed)), "reason": _text(stop, "reason")}
    return [at_once(REFUSED_COMPLETE, severity, stop, centre, REFUSAL_ARTICLE, **facts)]


def _needed(item: Item | None) -> set[str]:
    return set(item.materials or ()) if item is not None else set()


def _materials(step: Step) -> set[str] | None:
    """The names in ``data.materials``; None where there is no list."""
    listed = step.event.data.get("materials")
    if not isinstance(listed, list):
        return None
    return {name for name in listed if isinstance(name, str)}


def _text(step: Step, name: str) -> str | None:
    return step.event.data[name][:200] if has_text(step, name) else None


def _short(names: list[str] | None) -> list[str] | None:
    return None if names is None else [name[:80] for name in names[:20]]
