"""Leases, fences and what a revocation does to messages that wait. Real PostgreSQL."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

import psycopg
import pytest

from alerts import outbox
from alerts.outbox import Leased
from alerts.planner import Planner
from tests.alerts.conftest import LINKS, NOW, Desk, make_finding

pytestmark = pytest.mark.postgres


def take(desk: Desk, by: str = "me", limit: int = 10, seconds: float = 30) -> list[Leased]:
    return outbox.lease(desk.connection, channel="http", limit=limit, by=by, seconds=seconds)


def expire(desk: Desk) -> None:
    desk.connection.execute(
        "update outbox set leased_until = clock_timestamp() - interval '1 s' where state = 'leased'"
    )


def test_it_is_written_with_the_finding_or_not_at_all(desk: Desk) -> None:
    finding = make_finding()
    with desk.connection.transaction(force_rollback=True):
        assert desk.issue(finding) == 2
    assert desk.rows() == []
    assert desk.issue(finding) == 2
    assert desk.states() == {"ready": 2}


def test_the_same_change_twice_writes_its_messages_once(desk: Desk) -> None:
    assert [desk.issue(make_finding()), desk.issue(make_finding())] == [2, 0]
    assert desk.states() == {"ready": 2}


def test_reasons_for_not_sending_are_kept(desk: Desk) -> None:
    desk.issue(make_finding(1, opened_at=NOW - timedelta(days=3)))
    desk.issue(make_finding(2, severity="notice", state="closed"))
    desk.issue(make_finding(3, window="A08", severity="red"))
    assert desk.states() == {
        "skipped:stale": 1, "skipped:over": 1, "skipped:no_phone": 1, "skipped:same_phone": 1, "ready": 2,
    }  # fmt: skip
    assert take(desk, limit=50) != []
    assert "skipped" not in {state for state in desk.rows("state") if state == "leased"}


def test_the_transaction_wakes_those_who_listen(desk: Desk) -> None:
    with psycopg.connect(desk.dsn, autocommit=True) as listener:
        listener.execute("listen mingjing")
        desk.issue(make_finding())
        assert [note.payload for note in listener.notifies(timeout=5, stop_after=1)] == ["outbox"]


def test_two_senders_never_hold_the_same_message(desk: Desk) -> None:
    for number in range(10):
        desk.issue(make_finding(number))
    with psycopg.connect(desk.dsn) as other:  # its transaction stays open: the rows are locked
        first = outbox.lease(other, channel="http", limit=12, by="other", seconds=30)
        second = take(desk, limit=20)
        other.commit()
    assert len(first) == 12
    assert len(second) == 8
    assert not {m.message_id for m in first} & {m.message_id for m in second}
    assert take(desk) == []


def test_a_lease_that_ran_out_is_taken_again_and_in_doubt(desk: Desk) -> None:
    desk.issue(make_finding())
    assert [m.in_doubt for m in take(desk)] == [False, False]
    assert take(desk) == []
    expire(desk)
    assert [(m.in_doubt, m.attempts) for m in take(desk, "other")] == [(True, 2), (True, 2)]


@pytest.mark.parametrize("act", ["confirm", "later", "bury"])
def test_who_lost_the_lease_changes_nothing(desk: Desk, act: str) -> None:
    desk.issue(make_finding())
    mine = take(desk, "me", limit=1)[0]
    expire(desk)
    outbox.lease(
        desk.connection, channel="http", limit=10, by="me", seconds=30
    )  # even the same name: another try
    before = desk.rows()
    held = {
        "confirm": lambda: outbox.confirm(desk.connection, mine, provider_id="x", at=NOW, delivered=False),
        "later": lambda: outbox.try_later(desk.connection, mine, error="x", seconds=1),
        "bury": lambda: outbox.bury(desk.connection, mine, reason="x", error="x"),
    }[act]()
    assert held is False
    assert desk.rows() == before


def test_an_expired_lease_nobody_took_is_still_its_holders(desk: Desk) -> None:
    desk.issue(make_finding())
    mine = take(desk, limit=1)[0]
    expire(desk)
    assert outbox.confirm(desk.connection, mine, provider_id="x", at=NOW, delivered=False)


def test_a_message_past_its_own_deadline_dies_with_the_reason(desk: Desk) -> None:
    desk.issue(make_finding())
    mine = take(desk, limit=1)[0]
    outbox.try_later(desk.connection, mine, error="HTTP 500", seconds=25 * 3600)
    desk.connection.execute("update outbox set give_up_at = now() - interval '1 s' where state = 'ready'")
    assert take(desk) == []
    assert outbox.bury_overdue(desk.connection) == 1
    assert desk.states() == {"dead:gave_up": 2}


def test_the_dead_are_listed_and_rise_under_their_old_keys(desk: Desk) -> None:
    desk.issue(make_finding())
    mine = take(desk, limit=1)[0]
    outbox.bury(desk.connection, mine, reason="refused", error="HTTP 401")
    (dead,) = outbox.list_dead(desk.connection)
    assert (dead["reason"], dead["last_error"], dead["attempts"]) == ("refused", "HTTP 401", 1)
    assert dead["phone"] == "138****0001"
    assert outbox.revive(desk.connection, [mine.idempotency_key, "unknown"]) == [mine.idempotency_key]
    assert take(desk)[0].idempotency_key == mine.idempotency_key


def revoke(desk: Desk) -> None:
    finding = make_finding(state="revoked", revoked_at=NOW)
    desk.issue(finding, "revoked")


def test_a_revocation_before_the_send_withdraws_the_message_and_sends_nothing(desk: Desk) -> None:
    desk.issue(make_finding())
    revoke(desk)
    assert desk.states() == {"skipped:revoked": 2, "skipped:not_messaged": 1}


def test_a_revocation_after_the_send_corrects_those_who_were_told(desk: Desk) -> None:
    desk.issue(make_finding())
    outbox.confirm(desk.connection, take(desk, limit=1)[0], provider_id="x", at=NOW, delivered=False)
    revoke(desk)
    assert desk.states() == {"sent": 1, "skipped:revoked": 1, "ready": 1}
    assert desk.rows("person", "state = 'ready'") == ["p1"]
    revoke(desk)
    assert desk.states() == {"sent": 1, "skipped:revoked": 1, "ready": 1, "skipped:not_messaged": 1}


def test_a_correction_waits_while_its_card_is_being_sent(desk: Desk) -> None:
    desk.issue(make_finding())
    card = take(desk, limit=1)[0]
    revoke(desk)
    assert take(desk) == []
    outbox.confirm(desk.connection, card, provider_id="x", at=NOW, delivered=False)
    assert [m.template for m in take(desk)] == ["finding.correction"]


def test_a_card_that_failed_does_not_arrive_after_its_correction(desk: Desk) -> None:
    desk.issue(make_finding())
    card = take(desk, limit=1)[0]
    revoke(desk)
    outbox.try_later(desk.connection, card, error="HTTP 429", seconds=0)
    assert [m.template for m in take(desk, limit=5)] == ["finding.correction"]
    assert desk.states() == {"skipped:revoked": 2, "leased": 1}


@pytest.mark.parametrize("how", ["unclear", "unclear, then revoked", "its sender died"])
def test_a_revoked_card_that_may_have_arrived_is_asked_for_and_never_sent(desk: Desk, how: str) -> None:
    desk.issue(make_finding(window="A09"))
    card = take(desk)[0]
    if how != "unclear, then revoked":
        revoke(desk)
    if how == "its sender died":
        expire(desk)
    else:
        outbox.try_later(desk.connection, card, error=outbox.UNCLEAR + "no answer", seconds=0)
    if how == "unclear, then revoked":
        revoke(desk)
    again = next(message for message in take(desk) if message.message_id == card.message_id)
    assert (again.in_doubt, again.obsolete) == (True, True)
    # The gateway has it after all: what a phone shows counts as sent.
    assert outbox.confirm(desk.connection, again, provider_id="x", at=NOW, delivered=False)
    assert desk.rows("state", f"message_id = {card.message_id}") == ["sent"]


def test_a_revoked_card_the_gateway_does_not_have_leaves_the_queue(desk: Desk) -> None:
    desk.issue(make_finding(window="A09"))
    card = take(desk)[0]
    revoke(desk)
    outbox.try_later(desk.connection, card, error=outbox.UNCLEAR + "no answer", seconds=0)
    asked = next(message for message in take(desk) if message.obsolete)
    outbox.try_later(desk.connection, asked, error="not there", seconds=0)
    assert card.message_id not in {message.message_id for message in take(desk)}
    assert desk.rows("state, reason", f"message_id = {card.message_id}") == [("skipped", "revoked")]


def test_who_may_have_got_a_card_is_corrected_and_who_cannot_have_is_not(desk: Desk) -> None:
    desk.issue(make_finding())
    unclear, refused = take(desk)
    outbox.try_later(desk.connection, unclear, error=outbox.UNCLEAR + "no answer", seconds=60)
    outbox.try_later(desk.connection, refused, error="HTTP 429", seconds=60)
    revoke(desk)
    corrected = desk.rows("person", "state = 'ready' and template = 'finding.correction'")
    assert corrected == [unclear.idempotency_key.split(":")[1]]


def test_a_finding_that_opens_again_after_a_correction_is_told_again(desk: Desk) -> None:
    desk.issue(make_finding())
    for message in take(desk):
        outbox.confirm(desk.connection, message, provider_id="x", at=NOW, delivered=False)
    revoke(desk)
    for message in take(desk):
        outbox.confirm(desk.connection, message, provider_id="x", at=NOW, delivered=False)
    desk.issue(dataclasses.replace(make_finding(), state="open"), "reopened")
    assert sorted(m.template for m in take(desk)) == ["finding.yellow", "finding.yellow"]


def test_a_finding_whose_closing_was_wrong_is_not_told_again(desk: Desk) -> None:
    desk.issue(make_finding())
    outbox.confirm(desk.connection, take(desk, limit=1)[0], provider_id="x", at=NOW, delivered=False)
    desk.issue(make_finding(), "reopened")
    assert desk.states() == {"sent": 1, "ready": 1, "skipped:already_told": 2}


def test_a_correction_that_waits_is_withdrawn_when_the_finding_stands_after_all(desk: Desk) -> None:
    desk.issue(make_finding())
    for message in take(desk):
        outbox.confirm(desk.connection, message, provider_id="x", at=NOW, delivered=False)
    revoke(desk)
    desk.issue(make_finding(), "reopened")
    assert desk.states() == {"sent": 2, "skipped:reopened": 2, "skipped:already_told": 2}


def test_a_correction_that_may_have_arrived_is_followed_by_the_card(desk: Desk) -> None:
    desk.issue(make_finding(window="A09"))
    outbox.confirm(desk.connection, take(desk)[0], provider_id="x", at=NOW, delivered=False)
    revoke(desk)
    outbox.try_later(desk.connection, take(desk)[0], error=outbox.UNCLEAR + "cut", seconds=0)
    desk.issue(make_finding(window="A09"), "reopened")
    taken = take(desk)
    assert [(m.template, m.in_doubt, m.obsolete) for m in taken] == [
        ("finding.correction", True, True),
        ("finding.yellow", False, False),
    ]


def test_a_card_sent_again_waits_while_its_correction_is_being_sent(desk: Desk) -> None:
    desk.issue(make_finding(window="A09"))
    outbox.confirm(desk.connection, take(desk)[0], provider_id="x", at=NOW, delivered=False)
    revoke(desk)
    correction = take(desk)[0]
    desk.issue(make_finding(window="A09"), "reopened")
    assert take(desk) == []
    outbox.try_later(desk.connection, correction, error="HTTP 429", seconds=0)
    assert [m.template for m in take(desk)] == ["finding.yellow"]
    assert desk.states() == {"sent": 1, "skipped:reopened": 1, "leased": 1}


def test_a_finding_that_wavers_troubles_nobody(desk: Desk) -> None:
    """Revoked and found again within the hold: one card, no correction, no second card."""
    desk.planner = Planner(desk.centre, LINKS, correction_hold=timedelta(seconds=15))
    desk.issue(make_finding())
    for message in take(desk):
        outbox.confirm(desk.connection, message, provider_id="x", at=NOW, delivered=False)
    for _ in range(3):
        desk.clock.advance(60)
        desk.issue(make_finding(state="revoked", revoked_at=desk.clock.now()), "revoked")
        assert take(desk) == []
        desk.issue(make_finding(), "reopened")
    assert take(desk) == []
    assert desk.states()["sent"] == 2
    desk.issue(make_finding(state="revoked", revoked_at=desk.clock.now() + timedelta(seconds=1)), "revoked")
    desk.connection.execute("update outbox set next_try_at = next_try_at - interval '15 s'")
    assert [m.template for m in take(desk)] == ["finding.correction"] * 2
