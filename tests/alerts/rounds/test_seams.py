"""Between the parts of the messages' machinery: where each owner is right by himself, and a person would be told wrongly all the same."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from alerts import leases, outbox, receipts, silences
from alerts.acknowledge import acknowledge
from alerts.hooks.base import Handed, Receipt, Reply
from alerts.next_channel import NextChannel
from alerts.planner import Planner
from alerts.replies import take_replies
from alerts.rounds.escalation import Escalation
from alerts.rounds.quiet import allowed_in
from alerts.rounds.release import Release
from alerts.silence import Wanted
from domain.errors import SendError
from domain.findings import Finding
from tests.alerts.conftest import LINKS, NOW, Desk, make_centre, make_finding, save_finding
from tests.alerts.rounds.conftest import Board
from tests.alerts.ways import PARAMS, Told, put, sender_of, story

pytestmark = pytest.mark.postgres

FOLLOW = NextChannel(LINKS.digest)
GONE = SendError("no such number", permanent=True)


def set_up(board: Board, **messages: Any) -> tuple[Planner, Escalation]:
    board.centre = make_centre(**{"group": None, "flood": None, **messages})
    planner = Planner(board.centre, LINKS, correction_hold=timedelta(0))
    return planner, Escalation(board.centre, planner)


def change(board: Board, planner: Planner, finding: Finding, kind: str) -> None:
    save_finding(board.connection, finding)
    with board.connection.transaction():
        planner(board.connection, [(finding, kind)], board.now)


# -- a digest that goes on


def test_a_digest_that_arrived_late_tells_what_its_follower_was_to_tell(desk: Desk) -> None:
    """Whoever read it has to hear of a revocation."""
    digest = put(desk, "digest.group:p2:1", finding=None, template="digest.group", ack=False)
    card = put(desk, state="gathered", fallback=[])
    desk.connection.execute("update outbox set digest_id = %s where message_id = %s", (digest, card))
    desk.connection.execute("update outbox set state = 'sent' where message_id = %s", (digest,))
    for fate in ("unknown", "delivered"):
        receipts.take(
            desk.connection, "sms", [Receipt(fate, idempotency_key="digest.group:p2:1")], NOW, follow=FOLLOW
        )  # type: ignore[arg-type]
    assert story(desk)[0][:2] == ("sms", "delivered")
    assert "f1" in outbox.told_recipients(desk.connection, ["f1"])


def test_what_arrived_late_calls_off_also_the_way_after_the_next(desk: Desk) -> None:
    put(desk, fallback=[["mail", "a@b.example"], ["wecom", "li.si"]], state="sent")
    receipts.take(
        desk.connection, "sms", [Receipt("undelivered", idempotency_key="f1:p2:opened")], NOW, follow=FOLLOW
    )
    sender_of(desk, mail=Told(GONE)).step()
    assert [row[:2] for row in story(desk)] == [("sms", "undelivered"), ("mail", "dead"), ("wecom", "ready")]
    receipts.take(
        desk.connection, "sms", [Receipt("delivered", idempotency_key="f1:p2:opened")], NOW, follow=FOLLOW
    )
    assert story(desk)[2] == ("wecom", "skipped", "already_told")


def test_a_correction_does_not_overtake_the_digest_it_corrects(desk: Desk) -> None:
    params = {
        "counts": {"yellow": 1},
        "total": 1,
        "worst": [],
        "since": NOW.isoformat(),
        "until": NOW.isoformat(),
    }
    digest = put(
        desk, "digest.group:p2:1", finding=None, template="digest.group", ack=False, fallback=[],
        params=PARAMS | {"centre_name": "示例中心"} | params,
    )  # fmt: skip
    card = put(desk, state="gathered", fallback=[])
    desk.connection.execute("update outbox set digest_id = %s where message_id = %s", (digest, card))
    # Its gateway is away; it waits for its next try.
    desk.connection.execute(
        "update outbox set attempts = 1, last_error = 'away', next_try_at = now() + interval '30 min' where message_id = %s",
        (digest,),
    )
    planner = Planner(desk.centre, LINKS, "sms", correction_hold=timedelta(0))
    revoked = make_finding(state="revoked", revoked_at=NOW)
    save_finding(desk.connection, revoked)
    planner(desk.connection, [(revoked, "revoked")], NOW)
    sms = Told(Handed("g"))
    sender = sender_of(desk, sms=sms)
    desk.drain(sender)
    assert sms.taken == []
    desk.connection.execute("update outbox set next_try_at = now() where message_id = %s", (digest,))
    desk.drain(sender)
    assert [message.template for message in sms.taken] == ["digest.group", "finding.correction"]


@pytest.mark.parametrize("state", ["ready", "held", "leased", "sent"])
def test_what_a_digest_that_is_still_to_leave_tells_is_taken_back(desk: Desk, state: str) -> None:
    """One that waits for the morning, by its next channel, leaves all the same."""
    digest = put(
        desk, "digest.group:p2:1", finding=None, template="digest.group", ack=False, fallback=[], state=state
    )
    if state == "leased":
        desk.connection.execute("update outbox set leased_until = clock_timestamp() + interval '1 min'")
    card = put(desk, state="gathered", fallback=[])
    desk.connection.execute("update outbox set digest_id = %s where message_id = %s", (digest, card))
    assert "f1" in outbox.told_recipients(desk.connection, ["f1"])
    put(desk, "f1:p2:revoked@1", template="finding.correction", ack=False)
    desk.connection.execute("update finding set state = 'revoked'")
    taken = leases.lease(desk.connection, channel="sms", limit=9, by="me", seconds=30)
    assert ("finding.correction" in [message.template for message in taken]) is (state == "sent")


def test_the_key_of_a_digest_is_never_used_again_after_a_restore(board: Board) -> None:
    """Numbers of rows begin again where the backup was made; a gateway would take another digest of the same key for the same."""
    keys = []
    for first in (1, 3):
        rows = [board.held(board.finding(number)) for number in (first, first + 1)]
        board.clock.advance(60)
        with board.connection.transaction():
            Release(board.centre)(board.connection, board.now)
        keys += board.rows("idempotency_key", "template = 'digest.group'")
        board.connection.execute("update outbox set digest_id = null")
        board.connection.execute("delete from outbox")  # as the backup had it
        board.connection.execute(f"alter table outbox alter column message_id restart with {rows[0]}")
    assert len(set(keys)) == 2


# -- what is no longer true, and what still is


@pytest.mark.parametrize(("life", "goes_on"), [("acknowledged", True), ("answered", False)])
def test_an_escalation_that_waits_for_an_answer_goes_on_after_an_acknowledgement(
    desk: Desk, life: str, goes_on: bool
) -> None:
    put(desk, "f1:p3:escalation:1", template="finding.escalated", params=PARAMS | {"until": "answered"})
    desk.connection.execute("update finding set life = %s, acknowledged_at = %s", (life, NOW))
    with desk.connection.transaction():
        desk.connection.execute("update outbox set state = 'dead'")
        followed = FOLLOW(desk.connection, desk.rows("message_id")[0], NOW)
    assert (followed == "mail") is goes_on


def test_that_a_finding_stands_after_all_goes_on_though_it_was_acknowledged_before(desk: Desk) -> None:
    put(desk, "f1:p2:reopened@1")
    desk.connection.execute(
        "update finding set life = 'acknowledged', acknowledged_at = %s", (NOW - timedelta(hours=1),)
    )
    desk.connection.execute("update outbox set state = 'dead', why = 'reopened'")
    assert FOLLOW(desk.connection, desk.rows("message_id")[0], NOW) == "mail"


def test_a_silence_ended_early_lets_go_of_what_had_to_last_first(board: Board) -> None:
    planner, _ = set_up(board, routes=[{"id": "r", "to": ["handler"], "hold_for": 3}])
    wanted = Wanted({"severity": ("yellow",)}, "割接", board.now, board.now + timedelta(hours=5))
    silence = silences.create(board.connection, board.centre, wanted, author="p4", now=board.now)
    finding = make_finding(opened_at=board.now)
    change(board, planner, finding, "opened")
    board.clock.advance(60)
    silences.end(board.connection, board.centre, silence.silence_id, by="p4", now=board.now)
    release = Release(board.centre)
    with board.connection.transaction():
        release(board.connection, board.now)
    assert board.rows("state, reason") == [("held", "hold_for")]
    board.clock.advance(120)
    with board.connection.transaction():
        release(board.connection, board.now)
    assert board.rows("state") == ["ready"]


@pytest.mark.parametrize(("life", "told"), [("acknowledged", True), ("answered", False)])
@pytest.mark.parametrize("state", ["held", "ready"])
def test_that_an_answer_is_late_is_not_said_once_it_is_given(
    board: Board, state: str, life: str, told: bool
) -> None:
    finding = board.finding(1)
    board.held(
        finding, "p1", step="late:answer", template="finding.reminder", why="late", gather=None, minutes=0, state=state,
        reason="quiet_hours" if state == "held" else None, give_up_at="infinity", params=Jsonb({"late": "answer"}),
    )  # fmt: skip
    board.set(finding, life=life)
    with board.connection.transaction():
        Release(board.centre)(board.connection, board.now)
    leased = leases.lease(board.connection, channel="http", limit=9, by="me", seconds=30)
    assert bool(leased) is told
    assert board.rows("reason") == [None if told else "over"]


# -- courses


ROUTE = {
    "id": "r",
    "to": ["handler"],
    "escalate": [{"after": 30, "to": ["leader"]}, {"after": 120, "to": ["inspectors"]}],
}


def test_the_time_of_a_finding_that_was_taken_back_is_not_held_against_whoever_hears_of_it_again(
    board: Board,
) -> None:
    planner, escalation = set_up(board, routes=[ROUTE])
    finding = make_finding(opened_at=board.now)
    change(board, planner, finding, "opened")
    board.clock.advance(10 * 60)
    revoked = make_finding(opened_at=finding.opened_at, state="revoked", revoked_at=board.now)
    change(board, planner, revoked, "revoked")
    board.clock.advance(15 * 60)
    change(board, planner, finding, "reopened")
    board.clock.advance(6 * 60)  # 31 minutes after the begin, 6 after the second message
    with board.connection.transaction():
        escalation(board.connection, board.now)
    assert board.rows("person", "why = 'escalation'") == []
    board.clock.advance(24 * 60)
    with board.connection.transaction():
        escalation(board.connection, board.now)
    assert board.rows("person", "why = 'escalation' and state = 'ready'") == ["p3"]


def test_where_nobody_can_be_told_all_steps_are_gone_through_until_somebody_is(board: Board) -> None:
    """A10 names a handler who is not in the file, and no leader."""
    planner, escalation = set_up(board, routes=[ROUTE])
    change(board, planner, make_finding(window="A10", opened_at=board.now), "opened")
    with board.connection.transaction():
        escalation(board.connection, board.now)
    assert board.rows("person", "state = 'ready'") == ["p4"]


def test_whoever_heard_of_a_correction_hears_that_the_finding_stands_after_all(board: Board) -> None:
    planner, escalation = set_up(board, routes=[ROUTE])
    finding = make_finding(opened_at=board.now)
    change(board, planner, finding, "opened")
    board.clock.advance(30 * 60)
    with board.connection.transaction():
        escalation(board.connection, board.now)
    board.connection.execute("update outbox set state = 'delivered' where state = 'ready'")
    board.clock.advance(60)
    revoked = make_finding(opened_at=finding.opened_at, state="revoked", revoked_at=board.now)
    change(board, planner, revoked, "revoked")
    assert board.rows("person", "template = 'finding.correction'") == ["p1", "p3"]
    board.connection.execute("update outbox set state = 'delivered' where state = 'ready'")
    board.clock.advance(60)
    change(board, planner, finding, "reopened")
    assert board.rows("person", "state = 'ready'") == ["p1", "p3"]


def test_a_step_that_a_worse_finding_spoke_for_is_made_up_for_when_that_one_ends(board: Board) -> None:
    planner, escalation = set_up(
        board, routes=[ROUTE | {"match": {"rule": ["time_limit.promised"]}, "id": "promised"}]
    )
    mild = make_finding(opened_at=board.now)
    change(board, planner, mild, "opened")
    worse = make_finding(2, rule="time_limit.legal", severity="red", case=mild.case, opened_at=board.now)
    board.clock.advance(10 * 60)
    change(board, planner, worse, "opened")
    board.clock.advance(20 * 60)
    with board.connection.transaction():
        escalation(board.connection, board.now)
    assert board.rows("person, state, reason", "why = 'escalation'") == [("p3", "skipped", "inhibited")]
    board.clock.advance(60)
    ended = make_finding(
        2, rule="time_limit.legal", severity="red", case=mild.case, state="closed", closed_at=board.now
    )
    change(board, planner, ended, "closed")
    assert board.rows("person, state", "finding_id = 'f1' and idempotency_key like '%:after:%'") == [
        ("p1", "skipped"), ("p3", "ready"),
    ]  # fmt: skip


# -- replies


@pytest.mark.parametrize("template", ["digest.flood", "finding.correction", "system.trouble"])
def test_a_word_sent_back_to_a_message_that_asks_for_none_acknowledges_no_other(
    desk: Desk, template: str
) -> None:
    put(desk, "f1:p2:opened", state="sent")
    put(desk, "other", finding=None, template=template, ack=False, state="sent")
    desk.connection.execute(
        "update outbox set handed_at = clock_timestamp() - interval '1 hour' where ack_token is not null"
    )
    desk.connection.execute("update outbox set handed_at = clock_timestamp() where ack_token is null")
    assert take_replies(desk.connection, "sms", [Reply("13800000002", "收到")], NOW) == ["kept"]
    assert desk.rows("acknowledged_at") == [None, None]


# -- two at once


def test_a_click_and_a_receipt_do_not_wait_for_one_another(desk: Desk) -> None:
    """A receipt holds the message and needs the finding to stay (its follower refers to it); a click the other way round."""
    put(desk)
    key = "f1:p2:opened"
    with psycopg.connect(desk.dsn) as clicking, clicking.transaction():
        # As far as a click gets before it asks for the message.
        from alerts.acknowledge import LOCK_FINDING

        clicking.execute(LOCK_FINDING, ("f1",))
        desk.connection.execute("set lock_timeout = '200ms'")
        desk.connection.execute("update outbox set state = 'sent'")
        receipts.take(
            desk.connection, "sms", [Receipt("undelivered", idempotency_key=key)], NOW, follow=FOLLOW
        )
    assert [row[:2] for row in story(desk)] == [("sms", "undelivered"), ("mail", "ready")]
    acknowledge(desk.connection, LINKS.token(key), NOW)


# -- the next channel at night


def test_the_next_channel_does_not_ring_at_night(board: Board) -> None:
    """The receipt of an evening's message comes late; a voice call at 22:30 about a yellow card helps nobody."""
    set_up(board, quiet={"hours": ["21:00-07:00"], "rest_days": False, "except": ["red"]})
    follow = NextChannel(LINKS.digest, allowed=allowed_in({"530502": board.centre}))
    night = board.now + timedelta(hours=5)
    for number, severity in ((1, "yellow"), (2, "red")):
        message = board.held(
            board.finding(number, severity=severity), state="sent", reason=None, gather=None,
            held_until=None, fallback=Jsonb([["voice", "13800000003"]]),
        )  # fmt: skip
        follow(board.connection, message, night)
    assert board.rows("state, reason", "follows is not null") == [("held", "quiet_hours"), ("ready", None)]
    board.clock.set(night + timedelta(hours=8, minutes=29))
    with board.connection.transaction():
        Release(board.centre)(board.connection, board.now)
    assert board.rows("state", "follows is not null") == ["held", "ready"]
    board.clock.set(night + timedelta(hours=8, minutes=31))
    with board.connection.transaction():
        Release(board.centre)(board.connection, board.now)
    assert board.rows("state", "follows is not null") == ["ready", "ready"]


# -- after a restore


def test_a_digest_made_again_after_a_restore_is_asked_for_before_it_is_sent(board: Board) -> None:
    """What waited when the backup was made may have been told, in a digest of the same key, before it was needed."""
    for number in (1, 2):
        board.held(board.finding(number))
    board.connection.execute(
        "insert into heartbeat (role, instance, at, real_at) values ('restore', '', %s, %s)",
        (board.now, board.now + timedelta(seconds=30)),
    )
    board.clock.advance(60)
    with board.connection.transaction():
        Release(board.centre)(board.connection, board.now)
    leased = leases.lease(board.connection, channel="http", limit=9, by="me", seconds=30)
    assert [(message.template, message.in_doubt) for message in leased] == [("digest.group", True)]
