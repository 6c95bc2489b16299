"""A finding (监察发现): what a rule says about a case, a window or a source, and on what grounds."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

Severity = Literal["notice", "yellow", "red"]
FindingState = Literal["open", "closed", "revoked"]

#: Worst last, so that ``max`` finds the worst.
SEVERITIES: tuple[Severity, ...] = ("notice", "yellow", "red")


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding as section 4 of the contract writes it. Moments are aware datetimes.

    ``finding_id`` is a function of centre, subject, rule and the deadline it rests on: a late event that moves the
    deadline gives another finding, and the card that stood on the old one is revoked.
    """

    finding_id: str
    rule: str
    severity: Severity
    centre: str
    opened_at: datetime
    case: str | None = None
    item: str | None = None
    window: str | None = None
    closed_at: datetime | None = None
    state: FindingState = "open"
    revoked_at: datetime | None = None
    revoked_reason: str | None = None
    due_at: datetime | None = None
    provisional: bool = False
    explain: Mapping[str, Any] = field(default_factory=dict)
    #: Counted, and not issued: its family runs with ``shadow: true``. No card, no message, no score knows it.
    shadow: bool = False
    #: The inspector who revoked it, where a person did: no judging opens it again.
    revoked_person: str | None = None


def finding_id(
    centre: str, subject: str, rule: str, instance: str, opened_at: datetime, due_at: datetime | None
) -> str:
    """The same grounds give the same id, in every run and whatever the order of arrival.

    Args:
        subject: the case, window, camera or source judged.
        instance: tells apart several findings of one rule (identity of the suspension, extension, stage start); else empty.
    """
    moments = (moment.astimezone(UTC).isoformat() if moment else "" for moment in (opened_at, due_at))
    grounds = "\x1f".join((centre, subject, rule, instance, *moments))
    return hashlib.blake2b(grounds.encode(), digest_size=12).hexdigest()


def in_shadow(finding: Finding) -> Finding:
    """The finding as a shadow rule makes it: everything as it would be, but not issued.

    Its id is another one: the day the rule is switched on opens cards, with their messages, and does not amend what nobody
    was told of.
    """
    if finding.shadow:
        return finding
    digest = hashlib.blake2b(f"shadow\x1f{finding.finding_id}".encode(), digest_size=12).hexdigest()
    return replace(finding, finding_id=digest, shadow=True)


def finding_to_json(finding: Finding, zone: ZoneInfo) -> dict[str, Any]:
    """The contract's object; moments as RFC 3339 with the centre's offset."""

    def moment(value: datetime | None) -> str | None:
        return None if value is None else value.astimezone(zone).isoformat()

    row: dict[str, Any] = {
        "finding_id": finding.finding_id,
        "rule": finding.rule,
        "severity": finding.severity,
        "case": finding.case,
        "item": finding.item,
        "window": finding.window,
        "centre": finding.centre,
        "opened_at": moment(finding.opened_at),
        "closed_at": moment(finding.closed_at),
        "state": finding.state,
        "due_at": moment(finding.due_at),
        "provisional": finding.provisional,
        "explain": dict(finding.explain),
    }
    if finding.shadow:
        row["shadow"] = True
    if finding.revoked_at is not None:
        row["revoked_at"] = moment(finding.revoked_at)
        row["revoked_reason"] = finding.revoked_reason
    return row
