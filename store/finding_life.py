"""Steps in the life of a finding: checked against the state at the moment of the click, written with the evidence chain in one
transaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, cast
from uuid import uuid4

from domain.centre import Centre
from domain.chain import Entry
from domain.errors import StepRefusedError, StoreError
from domain.finding_clocks import FindingSettings
from domain.finding_life import (
    INSPECTOR,
    MOST_TEXT,
    Act,
    Life,
    LifeStep,
    Pending,
    Request,
    appeal_until,
    live,
    pending,
    roles_of,
    take,
)
from domain.findings import Finding, FindingState, Severity, finding_id
from store import chain
from store.connection import Connection
from store.findings import Change, Said, as_entries, to_json, write_said
from store.reading import FindingRow
from store.reading import finding as read_finding
from store.reminders import mark_for_reminding
from store.roster import roles_at

MANUAL = "manual."

#: Tells people of changes, inside the transaction (see alerts.planner).
Tell = Callable[[Connection, Sequence[tuple[Finding, str]], datetime], Any]


def tell_nobody(_connection: Connection, _changes: Sequence[tuple[Finding, str]], _now: datetime) -> None:
    """Writes no messages."""


@dataclass(frozen=True, slots=True)
class FindingLife:
    """A finding, what was done about it, and what is awaited."""

    finding: FindingRow
    life: Life
    awaited: tuple[Pending, ...]
    appeal_until: datetime

    @property
    def is_manual(self) -> bool:
        return self.finding.rule.startswith(MANUAL)


def read_life(connection: Connection, centre: Centre, finding: str) -> FindingLife:
    """Where a finding stands.

    Raises:
        StoreError: there is none of that id in this centre.
    """
    row = read_finding(connection, finding)
    if row.centre != centre.centre.id:
        raise StoreError(f"finding {finding} is of centre {row.centre}")
    return lives_of(connection, centre, [row])[0]


def lives_of(connection: Connection, centre: Centre, rows: Sequence[FindingRow]) -> list[FindingLife]:
    """Where findings of a centre stand, in their order; one question for all of them."""
    acts: dict[str, list[Act]] = {row.finding_id: [] for row in rows}
    for finding, *act in connection.execute(
        "select finding_id, step_id, at, step, person, detail from finding_step where finding_id = any(%s)"
        " order by step_id",
        [list(acts)],
    ):
        acts[finding].append(Act(*act))
    settings, calendar = centre.findings or FindingSettings(), centre.working_time
    found = []
    for row in rows:
        life = live(acts[row.finding_id])
        issued = row.issued_at or row.opened_at
        cause, severity = cast("FindingState", row.state), cast("Severity", row.severity)
        awaited = pending(life, issued, severity, cause, settings, calendar)
        found.append(FindingLife(row, life, tuple(awaited), appeal_until(issued, settings, calendar)))
    return found


def open_lives(
    connection: Connection,
    centre: Centre,
    *,
    life: str | None = None,
    late_at: datetime | None = None,
    limit: int = 200,
) -> list[FindingLife]:
    """Findings about which something is still to be done, the oldest first.

    Args:
        life: only those in this state.
        late_at: only those of which something was overdue at this moment.
    """
    found: list[FindingLife] = []
    after: tuple[Any, str] = ("-infinity", "")
    while len(found) < limit:
        rows = connection.execute(
            "select finding_id, issued_at from finding where centre = %(centre)s and (life = %(life)s or (%(life)s::text is null"
            " and life not in ('revoked', 'closed') and state <> 'revoked')) and severity = any(%(severities)s)"
            " and (issued_at, finding_id) > (%(at)s::timestamptz, %(id)s) order by issued_at, finding_id limit %(limit)s",
            {
                "centre": centre.centre.id, "life": life, "limit": limit, "at": after[0], "id": after[1],
                "severities": sorted((centre.findings or FindingSettings()).answers_for),
            },
        ).fetchall()  # fmt: skip
        lives = lives_of(connection, centre, [read_finding(connection, finding) for finding, _ in rows])
        found += [
            each
            for each in lives
            if late_at is None or any(pending.is_late(late_at) for pending in each.awaited)
        ]
        if len(rows) < limit:
            break
        after = (rows[-1][1], rows[-1][0])
    return found[:limit]


def take_step(
    connection: Connection,
    centre: Centre,
    finding: str,
    step: LifeStep,
    *,
    person: str,
    now: datetime,
    text: str = "",
    saw: int | None = None,
    tell: Tell = tell_nobody,
) -> FindingLife:
    """Does one step and returns where the finding stands then.

    Args:
        saw: number of the newest act the person knew of (:attr:`Life.number`).

    Raises:
        StepRefusedError: it may not be done, or not by this person, or not any more; nothing is written.
        StoreError: there is no such finding.
    """
    with connection.transaction():
        # Before anything is read: whoever comes at the same moment waits, and then sees what was done; but not whoever only refers
        # to it (a message that goes on by its next channel), who may hold what a revocation asks for.
        connection.execute("select 1 from finding where finding_id = %s for no key update", [finding])
        before = read_life(connection, centre, finding)
        row = before.finding
        roles = roles_at(connection, centre, row.window, person, now)
        request = Request(
            step, person, frozenset(roles), now, text, saw, cast("FindingState", row.state),
            before.is_manual, before.appeal_until,
        )  # fmt: skip
        state = take(before.life, request)
        wanted = "uphold" if step == "revoke" else step  # both decide an appeal
        awaited = next((each for each in before.awaited if each.step == wanted), None)
        detail: dict[str, Any] = {
            "text": text.strip(),
            "was": before.life.state,
            "roles": sorted(request.roles),
        }
        acting = {role: [step.to_json() for step in why] for role, why in roles.items() if why}
        if acting:
            detail["acting"] = acting  # in whose place, and by which event
        if awaited is not None and awaited.due_at is not None:
            detail |= {"due_at": awaited.due_at.isoformat(), "late": awaited.is_late(now)}
        connection.execute(
            "insert into finding_step (finding_id, at, step, person, detail) values (%s, %s, %s, %s, %s::jsonb)",
            [finding, now, state, person, to_json(detail)],
        )
        connection.execute(
            "update finding set life = %s, updated_at = %s where finding_id = %s", [state, now, finding]
        )
        if step == "acknowledge":
            connection.execute(
                "update finding set acknowledged_at = %s, acknowledged_by = %s"
                " where finding_id = %s and acknowledged_at is null",
                [now, person, finding],
            )
        if step == "revoke":
            connection.execute(
                "update finding set state = 'revoked', revoked_at = %s, revoked_reason = %s, revoked_person = %s"
                " where finding_id = %s",
                [now, text.strip(), person, finding],
            )
            tell(connection, [(replace(finding_of(row), state="revoked", revoked_at=now), "revoked")], now)
        if step == "close" and row.state == "open":  # a manual one
            connection.execute(
                "update finding set state = 'closed', closed_at = %s where finding_id = %s", [now, finding]
            )
        _look_again(connection, centre, finding)
        connection.execute("select pg_notify('mingjing', 'finding')")
        done = {"step": state, "person": person, "detail": detail}
        chain.append(connection, row.centre, [Entry(f"act.{state}", row.subject, done, finding)], now)
        return read_life(connection, centre, finding)


def open_manual(
    connection: Connection,
    centre: Centre,
    *,
    rule: str,
    severity: Severity,
    person: str,
    text: str,
    now: datetime,
    case: str | None = None,
    window: str | None = None,
    tell: Tell = tell_nobody,
) -> FindingLife:
    """A finding that an inspector makes; it has the same life, chain and messages as those of the rules.

    Raises:
        StepRefusedError: not an inspector, no rule of the manual kind, no text, or neither case nor window.
    """
    if not INSPECTOR & roles_of(centre, None, person):
        raise StepRefusedError("role", f"findings are opened by inspectors; {person} is none here")
    if not rule.startswith(MANUAL) or rule == MANUAL:
        raise StepRefusedError("rule", f"the rule of a manual finding begins with '{MANUAL}', not '{rule}'")
    if not text.strip() or len(text) > MOST_TEXT:
        raise StepRefusedError("text", f"a finding needs a text of at most {MOST_TEXT} characters")
    if case is None and window is None:
        raise StepRefusedError("subject", "a finding is about a case or a window")
    if window is not None and window not in centre.window_ids:
        raise StepRefusedError("subject", f"there is no window {window} in the centre file")
    code = centre.centre.id
    item = None
    with connection.transaction():
        if case is not None:
            known = connection.execute(
                "select item, window_id from case_state where centre = %s and case_id = %s", [code, case]
            ).fetchone()
            if known is None:
                raise StepRefusedError("subject", f"nothing is known of case {case}")
            item, window = known[0], window or known[1]
        # Not the case's own subject: what a rule does not say, a rule would take back.
        subject = f"manual:{case or window}"
        found = Finding(
            finding_id(code, subject, rule, uuid4().hex, now, None), rule, severity, code, now, case, item, window,
            explain={"by": person, "text": text.strip()},
        )  # fmt: skip
        said = [Said(subject, [Change("opened", found, {"by": person})])]
        write_said(connection, said, now)
        tell(connection, [(found, "opened")], now)
        _look_again(connection, centre, found.finding_id)
        connection.execute("select pg_notify('mingjing', 'finding')")
        chain.append(connection, code, as_entries(said), now)
        return read_life(connection, centre, found.finding_id)


def _look_again(connection: Connection, centre: Centre, finding: str) -> None:
    """The clocks of the next step have begun."""
    if centre.findings is not None:
        mark_for_reminding(connection, [finding])


def finding_of(row: FindingRow) -> Finding:
    """A stored finding as the rules and the messages know one."""
    return Finding(
        row.finding_id, row.rule, cast("Severity", row.severity), row.centre, row.opened_at, row.case, row.item, row.window,
        row.closed_at, cast("FindingState", row.state), row.revoked_at, row.revoked_reason, row.due_at, row.provisional,
        row.explain,
    )  # fmt: skip


__all__ = [
    "MANUAL",
    "FindingLife",
    "Tell",
    "finding_of",
    "lives_of",
    "open_lives",
    "open_manual",
    "read_life",
    "take_step",
    "tell_nobody",
]
