"""What became of each message is in the evidence chain: handed over, received, given up, acknowledged."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from alerts import outbox
from alerts.acknowledge import acknowledge
from domain.chain import Checker
from store import chain
from tests.alerts.conftest import LINKS, NOW, Desk, make_finding

pytestmark = pytest.mark.postgres
LATER = NOW + timedelta(minutes=5)


def kept(desk: Desk) -> list[tuple[str, dict[str, Any]]]:
    checker = Checker()
    rows = list(chain.read(desk.connection, "530502"))
    assert [broken for row in rows if (broken := checker.take(row)) is not None] == []
    return [(row.kind, json.loads(row.body or "")) for row in rows]


def take(desk: Desk) -> list[outbox.Leased]:
    return outbox.lease(desk.connection, channel="http", limit=10, by="me", seconds=30)


def test_each_end_of_a_message_is_one_row_and_no_row_has_the_number(desk: Desk) -> None:
    desk.issue(make_finding(severity="red"))
    sent, received, refused, given_up = take(desk)
    assert outbox.confirm(desk.connection, sent, provider_id="g1", at=LATER, delivered=False)
    assert outbox.confirm(desk.connection, received, provider_id="g2", at=LATER, delivered=True)
    assert outbox.bury(desk.connection, refused, reason="refused", error="no such number", at=LATER)
    assert outbox.try_later(desk.connection, given_up, error="HTTP 500", seconds=25 * 3600, at=LATER)
    assert not outbox.confirm(desk.connection, refused, provider_id="g3", at=LATER, delivered=True)
    rows = kept(desk)
    assert [kind for kind, _ in rows] == ["message.sent", "message.delivered", "message.dead", "message.dead"]
    assert [body["payload"]["person"] for _, body in rows] == ["p1", "p2", "p3", "p4"]
    assert rows[0][1]["payload"]["gateway"] == "g1"
    assert [body["payload"].get("reason") for _, body in rows[2:]] == ["refused", "gave_up"]
    assert "1380000000" not in json.dumps(rows)


def test_a_passing_failure_is_no_end(desk: Desk) -> None:
    desk.issue(make_finding())
    outbox.try_later(desk.connection, take(desk)[0], error="HTTP 500", seconds=1, at=LATER)
    assert kept(desk) == []


def test_what_nobody_sent_in_its_time_is_kept(desk: Desk) -> None:
    desk.issue(make_finding())
    desk.connection.execute("update outbox set give_up_at = now() - interval '1 second'")
    assert outbox.bury_overdue(desk.connection, LATER) == 2
    assert [(kind, body["payload"]["reason"]) for kind, body in kept(desk)] == [
        ("message.dead", "gave_up")
    ] * 2


def test_an_acknowledgement_by_link_is_an_act_and_moves_the_life(desk: Desk) -> None:
    desk.issue(make_finding())
    acknowledge(desk.connection, LINKS.token("f1:p1:opened"), NOW)
    acknowledge(desk.connection, LINKS.token("f1:p2:opened"), LATER)
    rows = kept(desk)
    assert [(kind, body["payload"]["person"]) for kind, body in rows] == [
        ("act.acknowledged", "p1"), ("act.acknowledged", "p2"),
    ]  # fmt: skip
    assert desk.connection.execute("select life from finding").fetchall() == [("acknowledged",)]
