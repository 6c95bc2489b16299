"""What kind of case it is: as its acceptance says (``data.type``), otherwise as its item says."""

from __future__ import annotations

from detectors.acceptance import Start
from domain.cases import Case
from domain.centre import Centre, Item
from domain.rules.time import CaseType

#: Words and codes of GB/T 39046 (1 immediate, 2 commitment) and of Hunan's platform (P3).
WORDS: dict[str, CaseType] = {
    "immediate": "immediate", "即办件": "immediate", "1": "immediate",
    "commitment": "commitment", "承诺件": "commitment", "2": "commitment",
    "reported_up": "reported_up", "上报件": "reported_up",
    "parallel": "parallel", "并联审批件": "parallel", "并联件": "parallel",
}  # fmt: skip


def item_of(case: Case, start: Start, centre: Centre) -> Item | None:
    return centre.item_by_code.get(case.item_at(start.step) or "")


def case_type(case: Case, start: Start, centre: Centre) -> CaseType | None:
    accepted = start.step if start.step.kind == "case.accepted" else start.accepted
    said = accepted.event.data.get("type") if accepted is not None else None
    item = item_of(case, start, centre)
    known = WORDS.get(said) if isinstance(said, str) else None
    return known or (item.case_type if item is not None else None)
