"""Somebody acts, and it stops: also what is written already and has not left yet. Complaint groups 6, 9; row 12 of the table."""

from __future__ import annotations

from typing import Any

from alerts.leases import lease
from tests.alerts.rounds.conftest import Board


def taken(board: Board) -> set[str | None]:
    """The findings whose messages a sender takes."""
    return {
        each.finding_id for each in lease(board.connection, channel="http", limit=50, by="me", seconds=30)
    }


def ready(board: Board, number: int, template: str, until: str = "acknowledged", **columns: Any) -> str:
    finding = board.finding(number)
    held = board.held(finding, step=template, template=template, state="ready", gather=None, reason=None)
    board.connection.execute(
        "update outbox set params = params || jsonb_build_object('until', %s::text), next_try_at = now(),"
        " give_up_at = now() + interval '1 day' where message_id = %s",
        [until, held],
    )
    board.set(finding, **columns)
    return finding.finding_id


#: What ends it, what was done, and why the message does not leave.
ENDS: list[tuple[str, dict[str, Any], str | None]] = [
    ("acknowledged", {"life": "acknowledged"}, "acknowledged"),
    ("answered", {"life": "answered"}, "acknowledged"),
    ("acknowledged", {"state": "closed"}, "over"),
    ("answered", {"state": "closed"}, None),  # the answer is owed all the same
    ("acknowledged", {"state": "revoked"}, "revoked"),
    ("answered", {"life": "acknowledged"}, None),
    ("acknowledged", {}, None),
]


def test_a_reminder_that_has_not_left_when_somebody_acts_never_leaves(board: Board) -> None:
    wanted: dict[str, str | None] = {}
    for template in ("finding.again", "finding.escalated"):
        for until, columns, reason in ENDS:
            wanted[ready(board, len(wanted), template, until, **columns)] = reason
    assert taken(board) == {finding for finding, reason in wanted.items() if reason is None}
    assert dict(board.rows("finding_id, reason")) == wanted
    assert {state for state, reason in board.rows("state, reason") if reason} == {"skipped"}


def test_a_card_leaves_although_somebody_else_has_seen_it(board: Board) -> None:
    card = ready(board, 1, "finding.yellow", life="acknowledged")
    assert taken(board) == {card}


def test_a_digest_is_of_no_finding_and_leaves(board: Board) -> None:
    ready(board, 1, "digest.group")
    board.connection.execute("update outbox set finding_id = null")
    assert taken(board) == {None}
