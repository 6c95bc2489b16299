"""Writing findings: what a judge says now is compared with what was said, and every difference is a step. Nothing is deleted."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

from domain.chain import Entry
from domain.findings import Finding, finding_to_json
from store.connection import Connection

#: ``amended``: other facts, the same card. ``reopened``: revoked or closed wrongly, and now open or closed again.
ChangeKind = Literal["opened", "closed", "reopened", "revoked", "amended"]

_COLUMNS = (
    "finding_id, rule, severity, centre, opened_at, case_id, item, window_id, closed_at, state, revoked_at,"
    " revoked_reason, due_at, provisional, explain"
)


@dataclass(frozen=True, slots=True)
class Change:
    """One difference: the finding as it is now, what happened to it, and what a step keeps about it."""

    kind: ChangeKind
    finding: Finding
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Grounds:
    """Why a finding no longer stands: the event that proved it wrong, or None when rules or calendar have changed."""

    event_id: str | None
    text_zh: str
    text_en: str

    @property
    def reason(self) -> str:
        return f"{self.text_zh}\n{self.text_en}"


def stored_findings(
    connection: Connection, centre: str, subjects: Mapping[str, datetime | None]
) -> dict[str, list[Finding]]:
    """What was said of each subject since its moment (None: ever), whatever became of it; for all subjects, also none."""
    rows = connection.execute(
        f"with u as (select * from unnest(%s::text[], %s::timestamptz[]) as u (s, since))"
        f" select subject, revoked_person, false, {_COLUMNS} from finding join u"
        " on subject = s and centre = %s and (since is null or opened_at >= since)"
        f" union all select subject, null, true, {_COLUMNS} from shadow_finding join u"
        " on subject = s and centre = %s and (since is null or opened_at >= since)",
        [list(subjects), list(subjects.values()), centre, centre],
    )
    found: dict[str, list[Finding]] = {subject: [] for subject in subjects}
    for subject, revoked_person, shadow, *values in rows:
        found[subject].append(replace(Finding(*values), revoked_person=revoked_person, shadow=shadow))
    return found


def oldest_open(connection: Connection, centre: str, subjects: Sequence[str]) -> dict[str, datetime]:
    """When the oldest open finding of each subject opened; subjects without one are left out."""
    rows = connection.execute(
        "select subject, min(opened_at) from (select subject, opened_at from finding"
        "   where centre = %(centre)s and subject = any(%(subjects)s) and state = 'open'"
        "   union all select subject, opened_at from shadow_finding"
        "   where centre = %(centre)s and subject = any(%(subjects)s) and state = 'open') as still group by subject",
        {"centre": centre, "subjects": list(subjects)},
    )
    return dict(rows.fetchall())


def compare(
    stored: Iterable[Finding], judged: Iterable[Finding], now: datetime, grounds: Grounds
) -> list[Change]:
    """What has to be written so that the store says what the judge says. Pure.

    A stored finding that the judge no longer makes is revoked with ``grounds``; one that opened after ``now`` is left
    alone, because a clock set back proves nothing. What a person revoked stays revoked.
    """
    before = {finding.finding_id: finding for finding in stored}
    changes: list[Change] = []
    for finding in judged:
        old = before.pop(finding.finding_id, None)
        if old is None:
            changes.append(Change("opened", finding))
            if finding.closed_at is not None:
                changes.append(Change("closed", finding, {"closed_at": finding.closed_at}))
        elif old.revoked_person is not None:
            continue  # a person has decided it
        elif old.state == "revoked":
            changes.append(Change("reopened", finding, {"was": "revoked", "revoked_at": old.revoked_at}))
        elif old.state == "open" and finding.state == "closed":
            changes.append(Change("closed", finding, {"closed_at": finding.closed_at}))
        elif old.state == "closed" and finding.state == "open":
            changes.append(Change("reopened", finding, {"was": "closed", "closed_at": old.closed_at}))
        else:
            differing = [name for name in _FACTS if _value(old, name) != _value(finding, name)]
            if differing:
                was = {name: getattr(old, name) for name in differing if name != "explain"}
                changes.append(Change("amended", finding, {"fields": differing, "was": was}))
    for old in before.values():
        if old.state != "revoked" and old.opened_at <= now:
            revoked = replace(old, state="revoked", revoked_at=now, revoked_reason=grounds.reason)
            detail = {
                "event_id": grounds.event_id,
                "zh": grounds.text_zh,
                "en": grounds.text_en,
                "was": old.state,
            }
            changes.append(Change("revoked", revoked, detail))
    return changes


_FACTS = tuple(
    each.name
    for each in fields(Finding)
    if each.name not in ("finding_id", "state", "revoked_at", "revoked_reason", "revoked_person")
)


def _value(finding: Finding, name: str) -> Any:
    value = getattr(finding, name)
    # What the judge explains in tuples and dates comes back from the database as lists and text.
    return json.loads(to_json(value)) if name == "explain" else value


def _plain(value: object) -> object:
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if isinstance(value, Mapping):
        return dict(value)
    return list(value)  # type: ignore[call-overload]


_ENCODER = json.JSONEncoder(ensure_ascii=False, default=_plain)


def to_json(value: object) -> str:
    """JSON for a jsonb column; moments as RFC 3339, mappings and sequences of any kind."""
    return _ENCODER.encode(value)


@dataclass(frozen=True, slots=True)
class Said:
    """What a judging changes about one subject; ``revoked_by``: the event that proved earlier findings wrong."""

    subject: str
    changes: Sequence[Change]
    revoked_by: str | None = None


def as_entries(said: Iterable[Said]) -> list[Entry]:
    """What the evidence chain keeps of changes, in their order: each finding as it is from then on, with all its grounds.

    What is not issued (``shadow``) is no evidence of anything.
    """
    return [
        Entry(
            f"finding.{change.kind}",
            each.subject,
            {"finding": finding_to_json(change.finding, _UTC), "detail": change.detail},
            change.finding.finding_id,
        )
        for each in said
        for change in each.changes
        if not change.finding.shadow
    ]


_UTC = ZoneInfo("UTC")


def write_changes(
    connection: Connection,
    subject: str,
    changes: Sequence[Change],
    now: datetime,
    *,
    revoked_by: str | None = None,
) -> None:
    """Writes findings and steps of one subject; see :func:`write_said`."""
    write_said(connection, [Said(subject, changes, revoked_by)], now)


def write_said(connection: Connection, said: Iterable[Said], now: datetime) -> None:
    """Writes findings and steps of many subjects in three statements; the caller's transaction also holds what follows
    from them (messages).

    Raises:
        psycopg.IntegrityError, psycopg.DataError, ValueError: something cannot be written; then nothing is.
    """
    said = list(said)
    shadows = [each for each in said if any(change.finding.shadow for change in each.changes)]
    if shadows:
        write_shadows(connection, shadows, now)
    opened: dict[str, dict[str, object]] = {}
    changed: dict[str, dict[str, object]] = {}
    steps: list[dict[str, object]] = []
    for each in said:
        for change in each.changes:
            finding = change.finding
            if finding.shadow:
                continue
            steps.append({"f": finding.finding_id, "s": change.kind, "d": change.detail})
            # Opened just now, and closed: one row, two steps.
            if change.kind == "opened" or finding.finding_id in opened:
                opened[finding.finding_id] = _row(finding, each.subject)
            else:
                by = each.revoked_by if change.kind == "revoked" else None
                changed[finding.finding_id] = _row(finding, by)
    if opened:
        connection.execute(
            f"insert into finding ({_COLUMNS}, subject, issued_at, updated_at)"
            f" select u.*, %s, %s from json_to_recordset(%s::json) as u ({_RECORD})",
            [now, now, to_json(list(opened.values()))],
        )
    if changed:
        # Sorted: two writers of the same findings then never wait for each other in a circle.
        connection.execute(
            "update finding set item = i, window_id = w, closed_at = e, state = t, revoked_at = v, revoked_reason = n,"
            " revoked_by = j, due_at = d, provisional = p, explain = x, updated_at = %s"
            f" from json_to_recordset(%s::json) as u ({_RECORD}) where finding_id = f",
            [now, to_json([row for _, row in sorted(changed.items())])],
        )
    if steps:
        connection.execute(
            "insert into finding_step (finding_id, at, step, detail) select f, %s, s, d from rows from"
            " (json_to_recordset(%s::json) as (f text, s text, d jsonb)) with ordinality as u (f, s, d, n) order by n",
            [now, to_json(steps)],
        )


def write_shadows(connection: Connection, said: Iterable[Said], now: datetime) -> None:
    """What families with ``shadow: true`` find: kept as it stands in a table of its own, without steps."""
    rows: dict[str, dict[str, object]] = {}
    for each in said:
        for change in each.changes:
            if change.finding.shadow:
                rows[change.finding.finding_id] = _row(change.finding, each.subject)
    if rows:
        connection.execute(
            f"insert into shadow_finding ({_COLUMNS}, subject, issued_at, updated_at)"
            f" select u.*, %s, %s from json_to_recordset(%s::json) as u ({_RECORD})"
            " on conflict (finding_id) do update set item = excluded.item, window_id = excluded.window_id,"
            " closed_at = excluded.closed_at, state = excluded.state, revoked_at = excluded.revoked_at,"
            " revoked_reason = excluded.revoked_reason, due_at = excluded.due_at, provisional = excluded.provisional,"
            " explain = excluded.explain, updated_at = excluded.updated_at",
            [now, now, to_json([row for _, row in sorted(rows.items())])],
        )


#: The columns of a finding, and one more text. One text of JSON, not sixteen arrays: the client's way of writing an array
#: costs more than all the rest.
_RECORD = (
    "f text, r text, s text, c text, o timestamptz, k text, i text, w text, e timestamptz, t text, v timestamptz,"
    " n text, d timestamptz, p bool, x jsonb, j text"
)


def _row(finding: Finding, text: str | None) -> dict[str, object]:
    return {
        "f": finding.finding_id, "r": finding.rule, "s": finding.severity, "c": finding.centre, "o": finding.opened_at,
        "k": finding.case, "i": finding.item, "w": finding.window, "e": finding.closed_at, "t": finding.state,
        "v": finding.revoked_at, "n": finding.revoked_reason, "d": finding.due_at, "p": finding.provisional,
        "x": finding.explain, "j": text,
    }  # fmt: skip
