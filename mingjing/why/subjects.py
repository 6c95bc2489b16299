"""Why there is a finding about a subject that is no case (``complaint:17``, ``person:p1``), and why there is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from detectors.families import FAMILIES
from detectors.family import Family
from detectors.verdict import Verdict
from domain.centre import Centre
from domain.events import Event
from domain.findings import Finding
from mingjing.why.reasons import CaseAnswer, Reason

#: Kinds of subjects that no event names: what is said of them comes out of the running system.
WATCHED = frozenset(("calendar", "rules", "camera"))


def family_of(subject: str, families: Sequence[Family] = FAMILIES) -> Family | None:
    """The family that judges a subject; None where its text names none."""
    kind = subject.partition(":")[0]
    return next((family for family in families if family.subject == kind), None)


def answer_subject(subject: str, events: Sequence[Event], centre: Centre, now: datetime) -> CaseAnswer:
    """Judges a subject and says why: what speaks of it, how it stands, when something may change.

    Args:
        events: all that speak of it, in order of arrival.
    """
    family = family_of(subject)
    if family is None:
        return CaseAnswer(subject, now, (), (), (Reason("subject_unknown"),))
    if not family.wanted(centre):
        return CaseAnswer(subject, now, (), (), (Reason("families_off", {"families": family.name}),))
    verdict = family.ask(subject.partition(":")[2], events, centre, now)
    return CaseAnswer(
        subject, now, verdict.findings, (), tuple(_reasons(events, verdict, verdict.findings)), verdict.status
    )


def _reasons(events: Sequence[Event], verdict: Verdict, findings: Sequence[Finding]) -> list[Reason]:
    if not events:
        return [Reason("subject_without_events")]
    last = max(events, key=lambda event: event.occurred_at)
    reasons = [Reason("subject_events", {"n": len(events), "kind": last.kind, "at": last.occurred_at})]
    reasons += status_reasons(verdict.status)
    if verdict.look_at is not None:
        reasons.append(Reason("subject_ahead", {"at": verdict.look_at}))
    elif not findings:
        reasons.append(Reason("subject_over"))
    reasons += [
        Reason("shadow", {"colour": finding.severity, "rule": finding.rule})
        for finding in findings
        if finding.shadow
    ]
    return reasons


def status_reasons(status: Mapping[str, Any]) -> list[Reason]:
    """One sentence for all that the judge says of how it stands."""
    said = [f"{key}={value}" for key, value in status.items() if isinstance(value, str | int | float | bool)]
    return [Reason("subject_status", {"status": ", ".join(said)})] if said else []


__all__ = ["WATCHED", "answer_subject", "family_of", "status_reasons"]
