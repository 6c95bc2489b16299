"""How far a case's data can be believed: a grade from A to D with its reasons (domain reference, section 8 row 8).

A: no sign speaks against it. B: one weak sign. C: a strong sign, or two weak ones. D: more. Weights are ours: strong is
what honest work does not leave behind, weak what it sometimes does.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from detectors import both_doors, entry_batches, late_entry, stamped, truthfulness
from domain.centre import Centre
from domain.findings import Finding

Grade = Literal["A", "B", "C", "D"]
#: Rule → weight. What is not here says nothing about the truth of the data.
WEIGHTS: dict[str, int] = {
    stamped.TOGETHER: 2,
    truthfulness.HANDLER: 2,
    entry_batches.RULE: 2,
    both_doors.CLOSED_FIRST: 2,
    both_doors.OUTSIDE: 1,
    both_doors.NO_TICKET: 1,
    both_doors.NO_CASE_TICKET: 1,
    both_doors.NO_CASE_CERTIFICATE: 1,
    late_entry.RULE: 1,
    late_entry.AHEAD: 1,
    stamped.ZERO: 1,
    truthfulness.AT_THE_END: 1,
    truthfulness.AGAIN: 1,
    truthfulness.NO_TRACE: 1,
}


@dataclass(frozen=True, slots=True)
class Confidence:
    """``reasons``: the rules that speak against the data, in the order of their names."""

    grade: Grade
    reasons: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {"grade": self.grade, "reasons": list(self.reasons)}


def grade(rules: Iterable[str]) -> Confidence:
    """The grade of a case by the rules that found something; each counts once, others say nothing.

    Findings of other subjects that touch the case (an entry batch) may be among them.
    """
    reasons = tuple(sorted({rule for rule in rules if rule in WEIGHTS}))
    points = sum(WEIGHTS[rule] for rule in reasons)
    grades: tuple[Grade, ...] = ("A", "B", "C")
    return Confidence(grades[points] if points < len(grades) else "D", reasons)


def describe_confidence(findings: Iterable[Finding], centre: Centre) -> dict[str, Any]:
    """``confidence`` of a case's status, out of its findings that are issued; nothing where the family does not speak."""
    settings = centre.rules.truthfulness
    if settings is None or settings.shadow:
        return {}
    return {"confidence": grade(f.rule for f in findings if not f.shadow).to_json()}
