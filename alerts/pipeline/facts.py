"""What the stages need to know, loaded for a whole batch in a few statements, however many drafts there are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any

from alerts import silences
from alerts.matcher import matches
from alerts.pipeline.draft import Draft
from alerts.pipeline.leaving import Leaving, number_of
from alerts.silence import Silence
from domain.centre import Centre
from domain.findings import Finding
from domain.messages import MANUAL, Inhibition
from domain.rule_names import NAMES
from store import Connection

#: A batch may be written in the name of a moment that has just passed.
_SLACK = timedelta(minutes=1)
_FINDING = (
    "finding_id", "rule", "severity", "centre", "opened_at", "case_id", "item", "window_id", "closed_at", "state", "due_at",
    "provisional", "explain",
)  # fmt: skip
_ABOUT = """centre = %(centre)s and state = 'open'
    and (%(any)s or subject = any(%(subjects)s) or window_id = any(%(windows)s))"""


@dataclass(frozen=True, slots=True)
class Facts:
    """
    Args:
        open_findings: those that may inhibit one of the batch.
        silences: those whose span holds the moment.
        leaving: messages of the people and numbers of the batch that are in the outbox already.
    """

    open_findings: tuple[Finding, ...] = ()
    silences: tuple[Silence, ...] = ()
    leaving: tuple[Leaving, ...] = ()


def load_facts(connection: Connection, centre: Centre, drafts: Sequence[Draft], now: datetime) -> Facts:
    """The facts for drafts of one centre. Raises psycopg.Error."""
    wanted = [draft for draft in drafts if not draft.skipped]
    if not wanted:
        return Facts()
    return Facts(
        _inhibiting(connection, centre, wanted),
        tuple(silences.active(connection, centre.centre.id, now)),
        _leaving(connection, centre, wanted, now),
    )


def _inhibiting(connection: Connection, centre: Centre, drafts: Iterable[Draft]) -> tuple[Finding, ...]:
    """Open findings like the sources of those rules that could apply, about the same things."""
    findings = list({draft.finding.finding_id: draft.finding for draft in drafts}.values())
    rules = [
        rule
        for rule in centre.messages.inhibit
        if any(matches(rule.target, finding, centre) for finding in findings)
    ]
    if not rules:
        return ()
    patterns = [pattern for rule in rules for pattern in rule.source.rule or ["*"]]
    values = _about(centre, rules, findings) | {
        "rules": sorted(name for name in NAMES if any(fnmatchcase(name, each) for each in patterns)),
        "manual": MANUAL if any(each.startswith((MANUAL, "*", "?", "[")) for each in patterns) else None,
    }
    rows = connection.execute(
        f"select {', '.join(_FINDING)} from finding where {_ABOUT}"
        " and (rule = any(%(rules)s) or starts_with(rule, %(manual)s))",
        values,
    ).fetchall()
    return tuple(_finding(row) for row in rows)


def freed_by(
    connection: Connection, centre: Centre, ended: Iterable[Finding]
) -> dict[str, tuple[Finding, ...]]:
    """Open findings of which nobody was told because another one, that has just ended, spoke for them: by that one's id."""
    sources = [
        finding
        for finding in ended
        if any(matches(rule.source, finding, centre) for rule in centre.messages.inhibit)
    ]
    if not sources:
        return {}
    rows = connection.execute(
        "select distinct on (f.finding_id, o.detail ->> 'inhibitor') o.detail ->> 'inhibitor',"
        f" {', '.join(f'f.{name}' for name in _FINDING)} from (select * from finding where {_ABOUT}) f"
        " join outbox o on o.finding_id = f.finding_id"
        " where o.state = 'skipped' and o.reason = 'inhibited' and o.detail ->> 'inhibitor' = any(%(sources)s)",
        _about(centre, centre.messages.inhibit, sources)
        | {"sources": sorted({each.finding_id for each in sources})},
    ).fetchall()
    found: dict[str, tuple[Finding, ...]] = {}
    for inhibitor, *row in rows:
        found[inhibitor] = (*found.get(inhibitor, ()), _finding(row))
    return found


def _about(centre: Centre, rules: Iterable[Inhibition], findings: Sequence[Finding]) -> dict[str, Any]:
    """For :data:`_ABOUT`: open findings that may have what the rules compare in common with these."""
    cases = sorted({each.case for each in findings if each.case})
    return {
        "centre": centre.centre.id,
        # A rule that compares neither case nor window may be about any finding of the centre.
        "any": any(not {"case", "window"}.intersection(rule.equal) for rule in rules),
        "subjects": [f"{kind}:{case}" for kind in ("case", "manual") for case in cases],
        "windows": sorted({each.window for each in findings if each.window}),
    }


def _leaving(
    connection: Connection, centre: Centre, drafts: Sequence[Draft], now: datetime
) -> tuple[Leaving, ...]:
    """What flood and budget count: of a person of this centre, and of a number, whoever has it and whichever centre rang it."""
    settings = centre.messages
    if settings.flood is None and settings.budget is None:
        return ()
    first = min(now, *(draft.leaves_at for draft in drafts))
    since = first - timedelta(minutes=0 if settings.flood is None else settings.flood.within) - _SLACK
    if settings.budget is not None:
        since = min(since, centre.working_time.day_start(centre.working_time.local_date(first)))
    phones = {draft.phone for draft in drafts}
    numbers = {number_of(phone) for phone in phones} - {None}
    # The same number may be written in several ways.
    phones |= {each.phone for each in centre.people if each.phone and number_of(each.phone) in numbers}
    rows = connection.execute(
        """
        select case when centre = %(centre)s then person else '' end, phone, date_trunc('minute', greatest(created_at, held_until)) as at,
               case when state = 'held' then case when centre = %(centre)s then '' else centre || '/' end || gather end as gather,
               count(*)
        from (
            select centre, person, phone, created_at, held_until, state, gather from outbox
            where phone = any(%(phones)s) and state not in ('skipped', 'gathered')
              and created_at >= %(since)s
            union all
            select centre, person, phone, created_at, held_until, state, gather from outbox
            where state = 'held' and held_until >= %(since)s and phone = any(%(phones)s)
              and created_at < %(since)s) as known
        group by 1, 2, 3, 4
        """,
        {"centre": centre.centre.id, "phones": sorted(phones), "since": since},
    ).fetchall()
    return tuple(Leaving(person, phone, at, number, gather) for person, phone, at, gather, number in rows)


def _finding(row: Sequence[object]) -> Finding:
    values: Mapping[str, object] = dict(zip(_FINDING, row, strict=True))
    names = {"case_id": "case", "window_id": "window"}
    return Finding(**{names.get(name, name): value for name, value in values.items()})  # type: ignore[arg-type]


__all__ = ["Facts", "freed_by", "load_facts"]
