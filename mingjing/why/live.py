"""Answers out of a running system's database: what is stored, and what only a live system knows of why there is no card."""

from __future__ import annotations

import getpass
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import cast

from domain.centre import Centre
from domain.centres import Centres
from domain.chain import Entry
from domain.findings import Finding, FindingState, Severity
from mingjing.why.reasons import CaseAnswer, Reason, answer_case
from mingjing.why.subjects import WATCHED, answer_subject, status_reasons
from store import chain, judging, reading
from store.connection import Connection
from store.reading import FindingRow
from store.subjects import events_of_subjects
from streams.holding import reason_to_hold
from streams.rule_settings import centre_under


@dataclass(frozen=True, slots=True)
class Found:
    """What an id names: a case with its answer, or a finding that is of no case."""

    centre: Centre
    answer: CaseAnswer
    more: tuple[Reason, ...] = ()
    is_case: bool = True


def ask_store(
    connection: Connection, centres: Centres, wanted: str, now: datetime, *, by: str | None = None
) -> list[Found]:
    """What is known under a case number (of several centres, perhaps) or a finding id; the look is kept as evidence."""
    places = connection.execute(
        "select centre, case_id from case_state where case_id = %(id)s union"
        " select centre, case_id from finding where finding_id = %(id)s order by 1",
        {"id": wanted},
    ).fetchall()
    found = []
    if not places and ":" in wanted:
        return _subjects(connection, centres, wanted, now, by=by)
    for code, case in places:
        centre = centres.get(code)
        if centre is None:
            continue
        found.append(
            _case(connection, centre, case, now)
            if case is not None
            else _finding_alone(connection, centre, wanted, now)
        )
        look = {"person": by or getpass.getuser(), "what": f"why {wanted}"}
        subject = f"case:{case}" if case is not None else ""
        finding_id = None if wanted == case else wanted
        chain.append(connection, code, [Entry("evidence.looked", subject, look, finding_id)], now)
    return found


def _subjects(
    connection: Connection, centres: Centres, wanted: str, now: datetime, *, by: str | None
) -> list[Found]:
    """What is known of a subject that is no case, in each centre that knows it."""
    rows = connection.execute(
        "select centre, status, failures, coalesce(look_at = '-infinity', false), nullif(look_at, '-infinity'), lost_until"
        " from subject_state where subject = %s order by centre",
        [wanted],
    ).fetchall()
    found = []
    for code, status, failures, due, look_at, lost in rows:
        centre = centres.get(code)
        if centre is None:
            continue
        stored = _stored_of(connection, code, wanted)
        if wanted.partition(":")[0] in WATCHED:
            reasons = [
                *status_reasons(status),
                *([Reason("subject_ahead", {"at": look_at})] if look_at else []),
            ]
            answer = CaseAnswer(wanted, now, (), (), tuple(reasons) or (Reason("subject_over"),), status)
        else:
            events = events_of_subjects(connection, code, {wanted: None})[wanted]
            answer = answer_subject(wanted, [each.event for each in events], centre, now)
        more = [
            *_revoked(connection, stored),
            *_not_told(connection, [f for f in stored if f.state != "revoked"]),
        ]
        if lost is not None:
            more.append(Reason("subject_lost", {"at": lost}))
        if failures:
            more.append(Reason("failed", {"n": failures, "at": look_at}))
        elif due:
            more.append(Reason("due_now"))
        found.append(Found(centre, replace(answer, findings=tuple(stored)), tuple(more)))
        look = {"person": by or getpass.getuser(), "what": f"why {wanted}"}
        chain.append(connection, code, [Entry("evidence.looked", wanted, look, None)], now)
    return found


def _stored_of(connection: Connection, code: str, subject: str) -> list[Finding]:
    ids = connection.execute(
        "select finding_id from finding where centre = %s and subject = %s order by opened_at, finding_id",
        [code, subject],
    )
    return [as_finding(reading.finding(connection, found)) for (found,) in ids.fetchall()]


def centre_of_case(connection: Connection, centre: Centre, case: str) -> Centre:
    """The centre with the limits in force at the case's start (rule 9)."""
    row = connection.execute(
        "select settings_id from case_state where centre = %s and case_id = %s", [centre.centre.id, case]
    ).fetchone()
    if row is None or row[0] is None:
        return centre
    return centre_under(centre, judging.load_settings(connection, row[0]))


def _case(connection: Connection, current: Centre, case: str, now: datetime) -> Found:
    code = current.centre.id
    centre = centre_of_case(connection, current, case)
    events = [arrival.event for arrival in judging.events_of_cases(connection, code, [case])[case]]
    answer = answer_case(case, events, centre, now)
    stored = stored_of_case(connection, code, case)
    standing = tuple(finding for finding in stored if finding.state != "revoked" or finding.shadow)
    more = [
        *_state(connection, code, case, now),
        *_revoked(connection, stored),
        *_not_told(connection, standing),
    ]
    return Found(centre, replace(answer, findings=tuple(stored)), tuple(more))


def stored_of_case(connection: Connection, code: str, case: str) -> list[Finding]:
    """All findings that name a case, manual ones too, whatever became of them."""
    ids = connection.execute(
        "select finding_id from finding where centre = %s and (subject = 'case:' || %s or subject = 'manual:' || %s)"
        " order by opened_at, finding_id",
        [code, case, case],
    )
    return [as_finding(reading.finding(connection, found)) for (found,) in ids.fetchall()]


def _finding_alone(connection: Connection, centre: Centre, finding: str, now: datetime) -> Found:
    found = as_finding(reading.finding(connection, finding))
    return Found(centre, CaseAnswer(finding, now, (found,), (), ()), is_case=False)


def _state(connection: Connection, code: str, case: str, now: datetime) -> Iterator[Reason]:
    held = reason_to_hold(connection)
    if held is not None:
        yield Reason("held", {"reason": held})
    row = connection.execute(
        "select look_at <= %s, failures, nullif(look_at, '-infinity') from case_state where centre = %s and case_id = %s",
        [now, code, case],
    ).fetchone()
    if row is not None and row[1]:
        yield Reason("failed", {"n": row[1], "at": row[2]})
    elif row is not None and row[0]:
        yield Reason("due_now")


def _revoked(connection: Connection, stored: Sequence[Finding]) -> Iterator[Reason]:
    for finding in stored:
        if finding.state != "revoked":
            continue
        person = connection.execute(
            "select revoked_person from finding where finding_id = %s", [finding.finding_id]
        ).fetchone()
        values = {"colour": finding.severity, "rule": finding.rule, "at": finding.revoked_at}
        values |= {"reason": (finding.revoked_reason or "").replace("\n", " / ")}
        if person is not None and person[0] is not None:
            yield Reason("revoked_by_person", values | {"person": person[0]})
        else:
            yield Reason("revoked", values)


def _not_told(connection: Connection, findings: Sequence[Finding]) -> Iterator[Reason]:
    """Messages that were meant to be skipped, or died: inhibition as a person meets it."""
    by_id = {finding.finding_id: finding for finding in findings}
    rows = connection.execute(
        "select finding_id, person, coalesce(reason, last_error, state) from outbox where finding_id = any(%s)"
        " and state in ('skipped', 'dead') and not exists (select 1 from outbox o where o.finding_id = outbox.finding_id"
        "   and o.person = outbox.person and o.state not in ('skipped', 'dead')) order by message_id limit 50",
        [list(by_id)],
    )
    for identity, person, reason in rows:
        finding = by_id[identity]
        yield Reason(
            "not_told",
            {"colour": finding.severity, "rule": finding.rule, "person": person, "reason": reason},
        )


def as_finding(row: FindingRow) -> Finding:
    """A row of the store as the rules made it."""
    return Finding(
        row.finding_id, row.rule, cast("Severity", row.severity), row.centre, row.opened_at, row.case, row.item, row.window,
        row.closed_at, cast("FindingState", row.state), row.revoked_at, row.revoked_reason, row.due_at, row.provisional,
        row.explain,
    )  # fmt: skip
