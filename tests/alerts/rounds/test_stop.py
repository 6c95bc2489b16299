"""Somebody acts, and it stops: also what is written already and has not left yet. Complaint groups 6, 9; row 12 of the table."""

from __future__ import annotations

from typing import Any

import pytest

from alerts.leases import lease
from tests.alerts.rounds.conftest import Board


def taken(board: Board) -> list[str]:
    return [
        each.idempotency_key for each in lease(board.connection, channel="http", limit=9, by="me", seconds=30)
    ]


def ready(board: Board, template: str, until: str = "acknowledged", **columns: Any) -> None:
    finding = board.finding()
    board.held(finding, step=template, template=template, state="ready", gather=None, reason=None)
    board.connection.execute(
        "update outbox set params = params || jsonb_build_object('until', %s::text), next_try_at = now(),"
        " give_up_at = now() + interval '1 day'",
        [until],
    )
    board.set(finding, **columns)


@pytest.mark.parametrize("template", ["finding.again", "finding.escalated"])
@pytest.mark.parametrize(
    ("until", "columns", "reason"),
    [
        ("acknowledged", {"life": "acknowledged"}, "acknowledged"),
        ("answered", {"life": "answered"}, "acknowledged"),
        ("acknowledged", {"state": "closed"}, "over"),
        ("acknowledged", {"state": "revoked"}, "revoked"),
        ("answered", {"life": "acknowledged"}, None),
        ("acknowledged", {}, None),
    ],
)
def test_a_reminder_that_has_not_left_when_somebody_acts_never_leaves(
    board: Board, template: str, until: str, columns: dict[str, Any], reason: str | None
) -> None:
    ready(board, template, until, **columns)
    assert len(taken(board)) == (reason is None)
    assert board.rows("state, reason") == [("leased" if reason is None else "skipped", reason)]


def test_a_card_leaves_although_somebody_else_has_seen_it(board: Board) -> None:
    ready(board, "finding.yellow", life="acknowledged")
    assert len(taken(board)) == 1


def test_a_digest_is_of_no_finding_and_leaves(board: Board) -> None:
    ready(board, "digest.group")
    board.connection.execute("update outbox set finding_id = null")
    assert len(taken(board)) == 1
