"""What a rule says: a claim with its moments; and what a judge answers: findings and when to look again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from domain.events import Event
from domain.findings import Finding, Severity, finding_id, in_shadow

#: "A finding is open only when ``now`` is later" (rule 4): the first moment that is later.
TICK = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Claim:
    """A finding that is so from some moment on, whether or not that moment has come.

    ``seen_from``: first ``now`` at which it is said. ``end_seen_from``: first ``now`` at which it is said to be closed.
    ``explain`` is called only if the finding is made. ``shadow``: the finding is counted, and not issued.
    """

    rule: str
    severity: Severity
    opened_at: datetime
    seen_from: datetime
    due_at: datetime | None
    closed_at: datetime | None = None
    end_seen_from: datetime | None = None
    provisional: bool = False
    instance: str = ""
    explain: Callable[[], dict[str, Any]] = dict
    shadow: bool = False


def overdue(
    rule: str,
    severity: Severity,
    due_at: datetime,
    ended_at: datetime | None,
    *,
    provisional: bool,
    explain: Callable[[], dict[str, Any]],
    not_before: datetime | None = None,
    instance: str = "",
) -> list[Claim]:
    """The claim that a deadline passed undone, or nothing if it was done in time (at the very moment is in time).

    Args:
        not_before: a deadline before it opens at it, with ``due_at`` unchanged (rule 6, end).
    """
    if ended_at is not None and ended_at <= due_at:
        return []
    opened = due_at if not_before is None else max(due_at, not_before)
    seen = max(due_at + TICK, opened)
    return [Claim(rule, severity, opened, seen, due_at, ended_at, ended_at, provisional, instance, explain)]


def happened(
    rule: str,
    severity: Severity,
    at: datetime,
    explain: Callable[[], dict[str, Any]],
    *,
    seen_from: datetime | None = None,
    instance: str = "",
) -> Claim:
    """The claim about something that does not go on: open and closed at once, like ``extension.late``.

    Args:
        at: aware, UTC.
        seen_from: first moment at which it can be said, if that is later.
    """
    seen = at if seen_from is None else max(at, seen_from)
    return Claim(rule, severity, at, seen, None, at, seen, instance=instance, explain=explain)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a judge answers.

    ``look_at``: the next moment at which this answer can change without a new event; None = never.
    ``status``: JSON-ready summary for screens. ``ineffective``: events that cannot be right, each with code and reason.
    """

    findings: tuple[Finding, ...]
    look_at: datetime | None
    status: Mapping[str, Any] = field(default_factory=dict)
    ineffective: tuple[tuple[Event, str, str], ...] = ()


def as_shadow(claims: Iterable[Claim]) -> list[Claim]:
    """The claims of a family with ``shadow: true``. Severity, moments and explanation stay as they would be."""
    return [replace(claim, shadow=True) for claim in claims]


def cast_shadow(verdict: Verdict) -> Verdict:
    """The same for a family that answers with findings."""
    return replace(verdict, findings=tuple(map(in_shadow, verdict.findings)))


def settle(
    claims: Iterable[Claim],
    now: datetime,
    *,
    centre: str,
    subject: str,
    case: str | None = None,
    item: str | None = None,
    window_at: Callable[[datetime], str | None] = lambda _: None,
) -> tuple[list[Finding], list[datetime]]:
    """Turns claims into the findings of a moment, and the moments still to come."""
    findings: list[Finding] = []
    ahead: list[datetime] = []
    for claim in claims:
        if now < claim.seen_from:
            ahead.append(claim.seen_from)
            continue
        closed = claim.closed_at
        if claim.end_seen_from is not None and now < claim.end_seen_from:
            ahead.append(claim.end_seen_from)
            closed = None
        finding = Finding(
            finding_id=finding_id(centre, subject, claim.rule, claim.instance, claim.opened_at, claim.due_at),
            rule=claim.rule,
            severity=claim.severity,
            centre=centre,
            case=case,
            item=item,
            window=window_at(claim.opened_at),
            opened_at=claim.opened_at,
            closed_at=closed,
            state="open" if closed is None else "closed",
            due_at=claim.due_at,
            provisional=claim.provisional,
            explain=claim.explain(),
        )
        findings.append(in_shadow(finding) if claim.shadow else finding)
    return findings, ahead
