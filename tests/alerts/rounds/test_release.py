"""What waits is let go when its moment has come, if it is still true: one by one, or many in one message."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from alerts import silences
from alerts.rounds.release import Release, Released
from alerts.silence import Wanted
from tests.alerts.conftest import NOW, make_centre
from tests.alerts.rounds.conftest import Board

DESK = "http://wall.example/desk"


def release(board: Board, minutes: float = 0, **given: Any) -> Released:
    board.clock.advance(minutes * 60)
    with board.connection.transaction():
        return Release(board.centre, DESK, **given)(board.connection, board.now)


def test_nothing_leaves_before_its_moment(board: Board) -> None:
    board.held(board.finding(), minutes=1)
    assert release(board) == Released()
    assert board.rows("state") == ["held"]
    assert Release(board.centre).next_at(board.connection) == NOW + timedelta(minutes=1)


def test_one_alone_leaves_as_itself_with_its_whole_time_before_it(board: Board) -> None:
    board.held(board.finding(), minutes=60 * 24 * 8, ack_token="t", ack_expires_at=NOW)
    assert release(board, 60 * 24 * 8).alone == 1
    [(state, reason, template, give_up, expires, params)] = board.rows(
        "state, reason, template, give_up_at > now() + interval '23 hours', ack_expires_at, params"
    )
    assert (state, reason, template, give_up) == ("ready", None, "finding.yellow", True)
    assert expires == board.now + timedelta(hours=72)
    assert params["ack_until"] == "2026-12-01T17:30:00+08:00"


def test_several_of_one_person_leave_as_one_and_say_which(board: Board) -> None:
    first = board.held(board.finding(1, severity="red"), minutes=1)
    board.clock.advance(30)
    other = board.held(board.finding(2), minutes=1)
    alone = board.held(board.finding(3), "p4", minutes=0.5)
    assert release(board, 0.5) == Released(alone=1, digests=1, gathered=2)
    [digest] = board.rows("message_id", "template = 'digest.group'")
    assert board.rows("message_id, state, digest_id", "template <> 'digest.group'") == [
        (first, "gathered", digest),
        (other, "gathered", digest),
        (alone, "ready", None),
    ]
    [(state, person, phone, channel, why, finding, params)] = board.rows(
        "state, person, phone, channel, why, finding_id, params", f"message_id = {digest}"
    )
    assert (state, person, phone, channel, why, finding) == (
        "ready", "p3", "13800000003", "http", "digest", None,
    )  # fmt: skip
    assert params["told"] == ["f1:p3:opened", "f2:p3:opened"]
    assert (params["counts"], params["total"]) == ({"notice": 0, "yellow": 1, "red": 1}, 2)
    assert [each["rule"] for each in params["worst"]] == ["time_limit.promised"] * 2
    assert params["worst"][0]["severity"] == "red"
    assert params["desk"] == DESK


def test_what_waits_under_another_name_or_channel_waits_by_itself(board: Board) -> None:
    for number, given in enumerate(
        (
            {},
            {"channel": "wecom"},
            {"gather": "flood", "reason": "flood"},
            {"gather": None, "reason": "quiet_hours"},
        )
    ):
        board.held(board.finding(number), **given)
    assert release(board, 1) == Released(alone=4)


def test_which_digest_it_is(board: Board) -> None:
    digests = {
        "flood": "digest.flood", "budget": "digest.flood", "quiet_hours": "digest.group", "silenced": "digest.group",
    }  # fmt: skip
    for place, gather in enumerate(digests):
        for number in (1, 2):
            board.held(board.finding(10 * place + number), f"p{place + 1}", gather=gather, reason=gather)
    release(board, 1)
    of_person = dict(board.rows("person, template", "state = 'ready'"))
    assert of_person == {f"p{place + 1}": template for place, template in enumerate(digests.values())}


def test_corrections_are_told_apart(board: Board) -> None:
    for number in (1, 2):
        given = {"template": "finding.correction", "gather": "group:corrections", "why": "revoked"}
        board.held(board.finding(number, state="revoked"), **given)
    release(board, 1)
    assert board.rows("template", "state = 'ready'") == ["digest.corrections"]


#: What has happened, what waits, and why it does not leave.
NO_LONGER_TRUE: list[tuple[dict[str, Any], dict[str, Any], str | None]] = [
    ({"state": "revoked"}, {}, "revoked"),
    ({"state": "closed"}, {"reason": "hold_for"}, "over"),
    ({"state": "closed", "severity": "notice"}, {}, "over"),
    ({"life": "acknowledged"}, {"why": "reminder"}, "acknowledged"),
    ({"life": "answered"}, {"why": "escalation"}, "acknowledged"),
    ({"state": "closed"}, {"why": "reminder"}, "over"),
    ({"state": "open"}, {"template": "finding.correction"}, "reopened"),
    # A card is told although its cause has ended, and although somebody else has seen it.
    ({"state": "closed"}, {"reason": "quiet_hours"}, None),
    ({"life": "acknowledged"}, {}, None),
]


def test_what_is_no_longer_true_is_skipped_with_its_reason(board: Board) -> None:
    for number, (columns, given, _) in enumerate(NO_LONGER_TRUE):
        finding = board.finding(number)
        board.held(finding, **{"gather": None, **given})
        board.set(finding, **columns)
    release(board, 1)
    assert board.rows("state, reason") == [
        ("ready" if reason is None else "skipped", reason) for _, _, reason in NO_LONGER_TRUE
    ]


def test_of_two_one_is_revoked_and_the_other_leaves_as_itself(board: Board) -> None:
    first, other = board.finding(1), board.finding(2)
    board.held(first)
    board.held(other)
    board.set(first, state="revoked")
    assert release(board, 1) == Released(alone=1, skipped=1)
    assert board.rows("state, template", "state = 'ready'") == [("ready", "finding.yellow")]


def test_what_is_silenced_again_waits_for_the_new_end_and_leaves_with_it(board: Board) -> None:
    board.held(board.finding(), reason="quiet_hours", gather=None)
    end = NOW + timedelta(hours=2)
    wanted = Wanted({"rule": ("*",)}, "装修", NOW, end)
    made = silences.create(board.connection, board.centre, wanted, author="p4", now=NOW)
    assert release(board, 1) == Released(waiting_on=1)
    assert board.rows("state, held_until, reason") == [("held", end, "silenced")]
    assert silences.kept(board.connection, "530502") == {made.silence_id: 1}
    silences.end(board.connection, board.centre, made.silence_id, by="p4", now=board.now)
    assert release(board, 0) == Released(alone=1)


def test_what_comes_due_in_the_quiet_hours_waits_for_the_morning(board: Board) -> None:
    board.centre = make_centre(quiet={"hours": ["21:00-07:00"], "rest_days": True})
    board.held(board.finding(1), minutes=60 * 4)  # 21:30
    board.held(board.finding(2, severity="red"), "p1", minutes=60 * 4, gather=None)
    assert release(board, 60 * 4) == Released(alone=1, waiting_on=1)
    assert board.rows("state, person, held_until", "state = 'held'") == [
        ("held", "p3", NOW + timedelta(days=2, hours=13.5))  # Monday 7:00
    ]


def test_the_rest_of_a_group_leaves_with_its_first_but_not_what_has_an_end_of_its_own(board: Board) -> None:
    for number, minutes in ((1, 1), (2, 1.5)):
        board.held(board.finding(number), minutes=minutes)
    for number, minutes in ((3, 1), (4, 600)):
        board.held(board.finding(number), "p4", minutes=minutes, reason="silenced", gather="silenced")
    assert release(board, 1) == Released(alone=1, digests=1, gathered=2)
    assert board.rows("finding_id", "state = 'held'") == ["f4"]


def test_daily_ones_are_left_to_the_digest_of_the_day(board: Board) -> None:
    board.held(board.finding(), reason="daily", gather="daily")
    without = board.centre
    board.centre = make_centre(digest={"at": "17:30"})
    assert release(board, 1) == Released()
    assert Release(board.centre).next_at(board.connection) is None
    board.centre = without  # the digest was taken out of the centre file
    assert release(board, 0) == Released(alone=1)


def test_another_loop_at_the_same_time_does_nothing(board: Board) -> None:
    for number in range(4):
        board.held(board.finding(number))
    board.clock.advance(60)
    with psycopg.connect(board.dsn) as other:
        first = Release(board.centre)(other, board.now)
        assert release(board) == Released()
        other.commit()
    assert (first.digests, first.gathered) == (1, 4)
    assert release(board) == Released()
    assert len(board.rows("template", "template = 'digest.group'")) == 1


def test_who_dies_in_the_middle_has_done_nothing_and_the_next_does_it_once(board: Board) -> None:
    for number in range(3):
        board.held(board.finding(number))
    board.clock.advance(60)
    with psycopg.connect(board.dsn) as dying:
        assert Release(board.centre)(dying, board.now).digests == 1
        dying.rollback()
    assert board.rows("state") == ["held"] * 3
    assert release(board) == Released(digests=1, gathered=3)


def test_a_row_that_is_being_withdrawn_is_left_alone(board: Board) -> None:
    number = board.held(board.finding(1), gather=None)
    board.held(board.finding(2), gather=None)
    board.clock.advance(60)
    with psycopg.connect(board.dsn) as other:
        other.execute("select 1 from outbox where message_id = %s for update", [number])
        assert release(board) == Released(alone=1)
    assert release(board) == Released(alone=1)


def test_five_thousand_that_waited_leave_in_a_moment(board: Board) -> None:
    """Twenty leaders' nights: 4,000 that leave in twenty messages, 1,000 that leave by themselves."""
    board.connection.execute(
        """
        insert into finding (finding_id, rule, severity, centre, window_id, subject, opened_at, state, issued_at, updated_at)
        select 'g' || n, 'absence.red', 'red', '530502', 'A07', 'window:A07', now(), 'open', now(), now()
        from generate_series(1, 5000) n
        """
    )
    board.connection.execute(
        """
        insert into outbox (idempotency_key, finding_id, centre, person, phone, channel, template, state, reason, why, gather,
                            held_until, created_at, next_try_at, give_up_at, params)
        select 'g' || n || ':p:opened', 'g' || n, '530502', 'p' || n %% 20, '138' || n %% 20, 'http', 'finding.red', 'held',
               'quiet_hours', 'opened', case when n <= 4000 then 'quiet_hours' end, %(now)s, %(now)s, now(), now(), '{"a": 1}'
        from generate_series(1, 5000) n
        """,
        {"now": NOW},
    )
    began = time.monotonic()
    done = release(board)
    assert time.monotonic() - began < 5.0
    assert (done.alone, done.digests, done.gathered, done.more) == (1000, 20, 4000, False)


def test_what_cannot_be_let_go_waits_and_stops_nobody(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row that cannot be judged, and a group that cannot be written."""
    bad = board.held(board.finding(1, severity="red"), gather=None)
    board.held(board.finding(2), gather=None)
    for number in (3, 4):
        board.held(board.finding(number), "p3")
    for number in (5, 6):
        board.held(board.finding(number), "p4")
    from alerts.rounds import release as module

    real = module.digest_params

    def params(rows: Any, centre: Any, *given: Any) -> dict[str, Any]:
        if rows[0]["person"] == "p3":
            raise KeyError("worst")
        return real(rows, centre, *given)

    monkeypatch.setattr(module, "digest_params", params)
    monkeypatch.setattr(
        module.Judge, "_timetable", lambda self, name, finding: {"yellow": Always()}[finding.severity]
    )
    done = release(board, 1)
    assert (done.alone, done.digests, done.gathered, done.failed) == (1, 1, 2, 3)
    later = board.now + timedelta(hours=1)
    assert board.rows("held_until", "state = 'held'") == [later] * 3
    letters = board.connection.execute(
        "select code, convert_from(raw, 'utf8') from dead_letter order by 2"
    ).fetchall()
    assert letters == [("release_failed", f"f{number}:p3:opened") for number in (1, 3, 4)]
    monkeypatch.undo()
    assert release(board, 60) == Released(alone=1, digests=1, gathered=2)
    assert board.rows("state", f"message_id = {bad}") == ["ready"]


class Always:
    def allowed(self, at: Any) -> Any:
        return at
