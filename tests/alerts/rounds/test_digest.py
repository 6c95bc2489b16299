"""The digest of the day: once for each person and day, on the working calendar, of the windows that are his. Row 21 of the table."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest

from alerts.messages import message_values, render_text
from alerts.planner import Planner
from alerts.rounds.digest import Daily
from domain.centre import Centre
from tests.alerts.conftest import LINKS, NOW, make_centre
from tests.alerts.rounds.conftest import Board

DIGEST = {"at": "17:30"}


@pytest.fixture
def board(board: Board) -> Board:
    board.centre = make_centre(digest=DIGEST)
    return board


def make(centre: Centre) -> Daily:
    return Daily(centre, Planner(centre, LINKS).addresses, "http://wall.example/desk")


def turn(board: Board, minutes: float = 0, daily: Daily | None = None) -> int:
    board.clock.advance(minutes * 60)
    with board.connection.transaction():
        return (daily or make(board.centre))(board.connection, board.now)


def daily_rows(board: Board) -> list[Any]:
    return board.rows("person, state, params", "template = 'digest.daily'")


def texts(board: Board) -> dict[str, str]:
    return {
        person: render_text(
            "digest.daily", message_values("digest.daily", params, "zh-CN", link=None, now=NOW), "zh-CN"
        )
        for person, state, params in daily_rows(board)
        if state == "ready"
    }


def yesterday(board: Board) -> None:
    """There was one the day before."""
    board.clock.set(NOW - timedelta(days=1))
    turn(board)
    board.connection.execute("delete from outbox where template = 'digest.daily' and state = 'ready'")
    board.clock.set(NOW)


def issued(board: Board, number: int, hours_ago: float, **changes: Any) -> None:
    """A finding that the system issued so long ago."""
    columns = {key: changes.pop(key) for key in ("life", "closed_at", "revoked_at") if key in changes}
    finding = board.finding(number, **changes)
    board.set(finding, issued_at=board.now - timedelta(hours=hours_ago), **columns)


def test_each_leader_hears_of_his_own_windows(board: Board) -> None:
    issued(board, 1, 2, severity="red", rule="time_limit.legal")
    issued(board, 2, 3)
    issued(board, 3, 1, window="A08")  # the leader of A08 is p1
    issued(board, 4, 30, severity="yellow")  # yesterday's, not answered, overdue since
    issued(board, 5, 40, state="closed", closed_at=NOW - timedelta(hours=1), life="answered")
    issued(board, 6, 3, state="revoked", revoked_at=NOW - timedelta(hours=2))
    assert turn(board) == 2
    assert texts(board)["p3"] == (
        "【明镜】示例中心监察日报：11月19日17:30至11月20日17:30新增红牌1、黄牌2；黄红牌结束1、撤销1；待反馈3，其中逾期1。"
        "重点：A07 不动产登记超法定时限；A07 不动产登记超承诺时限。详见http://wall.example/desk"
    )
    assert (
        "新增黄牌1；黄红牌结束0、撤销0；待反馈1，其中逾期0。重点：A08 公积金超承诺时限。"
        in texts(board)["p1"]
    )


def test_it_is_made_once_also_by_a_loop_that_starts_again(board: Board) -> None:
    issued(board, 1, 2)
    daily = make(board.centre)
    assert turn(board, daily=daily) == 1
    assert turn(board, 1, daily) == 0
    assert turn(board, 1) == 0
    assert len(daily_rows(board)) == 2  # and that p1 has nothing to hear of


def test_nothing_to_tell_is_no_message_but_a_decision(board: Board) -> None:
    assert turn(board) == 0
    assert {(person, state) for person, state, _ in daily_rows(board)} == {
        ("p3", "skipped"),
        ("p1", "skipped"),
    }
    assert board.rows("reason") == ["no_news"] * 2


def test_who_wants_to_hear_that_nothing_has_happened_does(board: Board) -> None:
    board.centre = make_centre(digest=DIGEST | {"also_empty": True})
    assert turn(board) == 2
    assert "新增无；黄红牌结束0、撤销0；待反馈0，其中逾期0。" in texts(board)["p3"]


def test_not_before_its_moment_and_on_working_days_only(board: Board) -> None:
    daily = make(board.centre)
    assert daily.next_at(NOW - timedelta(minutes=1)) == NOW - timedelta(
        minutes=1
    )  # yesterday's may be missing
    issued(board, 1, 2)
    turn(board, daily=daily)
    assert daily.next_at(NOW) == NOW + timedelta(days=3)
    issued(board, 2, -30)  # on Saturday
    assert turn(board, 60 * 24, daily) == 0
    assert turn(board, 60 * 48, daily) == 1
    assert "11月20日17:30至11月23日17:30新增黄牌1" in texts(board)["p3"]


def render(params: dict[str, Any]) -> str:
    return render_text(
        "digest.daily", message_values("digest.daily", params, "zh-CN", link=None, now=NOW), "zh-CN"
    )


def test_where_nothing_ran_at_its_moment_it_comes_late_once_and_not_at_night(board: Board) -> None:
    board.centre = make_centre(
        digest={"at": "17:30", "days": ["working", "rest"]}, quiet={"hours": ["21:00-07:00"]}
    )
    yesterday(board)
    issued(board, 1, 2)
    assert turn(board, 60 * 5) == 0  # 22:30
    daily = make(board.centre)
    assert daily.next_at(board.now) == NOW + timedelta(hours=13.5)
    assert turn(board, 60 * 8.5, daily) == 1
    assert turn(board, 1) == 0
    assert "11月19日17:30至11月20日17:30新增黄牌1" in texts(board)["p3"]


def test_who_is_new_to_it_gets_none_of_yesterday(board: Board) -> None:
    """It was put into the centre file this morning."""
    issued(board, 1, 2)
    assert turn(board, 60) == 0
    assert daily_rows(board) == []


def test_after_days_without_one_the_next_tells_of_everything_since_the_last(board: Board) -> None:
    issued(board, 1, 2)
    assert turn(board) == 1
    issued(board, 2, -1)
    board.clock.advance(86400 * 7 + 3600)  # the whole of the next week
    assert turn(board) == 1
    params = [params for person, _, params in daily_rows(board) if person == "p3"][-1]
    assert params["since"] == "2026-11-20T17:30:00+08:00"
    assert params["counts"]["yellow"] == 1


def test_what_is_too_old_is_left_to_the_next(board: Board) -> None:
    issued(board, 1, 2)
    assert turn(board, 60 * 25) == 0
    assert daily_rows(board) == []
    assert make(board.centre).next_at(board.now) == NOW + timedelta(days=3)


def test_two_loops_at_once_make_one(board: Board) -> None:
    issued(board, 1, 2)
    with psycopg.connect(board.dsn) as other:
        assert make(board.centre)(other, board.now) == 1
        other.commit()
        assert turn(board) == 0
    assert len(texts(board)) == 1


def test_what_waited_for_the_day_is_told_in_it(board: Board) -> None:
    finding = board.finding()
    board.set(finding, issued_at=board.now - timedelta(days=9), life="answered")
    board.held(finding, reason="daily", gather="daily")
    assert turn(board) == 1
    [(state, digest)] = board.rows("state, digest_id", "finding_id = 'f1'")
    assert (state, [digest]) == (
        "gathered",
        board.rows("message_id", "template = 'digest.daily' and person = 'p3'"),
    )
    assert daily_rows(board)[0][2]["told"] == ["f1:p3:opened"]


def test_of_some_rules_only(board: Board) -> None:
    board.centre = make_centre(digest=DIGEST | {"rules": ["absence.*"]})
    issued(board, 1, 2)
    issued(board, 2, 2, rule="absence.yellow")
    assert turn(board) == 1
    assert "新增黄牌1；" in texts(board)["p3"]
    assert "超承诺时限" not in texts(board)["p3"]


def test_who_answers_for_the_whole_centre_hears_of_what_has_no_window_too(board: Board) -> None:
    board.centre = make_centre(digest=DIGEST | {"to": ["inspectors", "p2"]})
    issued(board, 1, 2, window=None, rule="source.silent", severity="notice")
    issued(board, 2, 2)
    assert turn(board) == 2
    assert all("新增黄牌1、预警1；" in text for text in texts(board).values())


def test_without_an_address_the_reason_stands_there(board: Board) -> None:
    board.centre = make_centre(digest=DIGEST | {"to": ["p5"]})
    issued(board, 1, 2)
    assert turn(board) == 0
    assert board.rows("person, state, reason") == [("p5", "skipped", "no_phone")]


def test_no_digest_no_moment(board: Board) -> None:
    daily = make(make_centre())
    assert daily.next_at(datetime.now(NOW.tzinfo)) is None
    assert turn(board, daily=daily) == 0
