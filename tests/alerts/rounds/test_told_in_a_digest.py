"""Who was told when holds for each finding, also where it was told in a message with others; and it is taken back there."""

from __future__ import annotations

from datetime import timedelta

from alerts import outbox
from alerts.hooks.log.fake import FakeHook
from alerts.planner import Planner
from alerts.rounds.release import Release
from alerts.sender import Sender
from domain.clock import FakeClock
from mingjing.trace import whole_way
from tests.alerts.conftest import LINKS, QUICK
from tests.alerts.rounds.conftest import Board


def send(board: Board, hook: FakeHook) -> None:
    sender = Sender(board.dsn, {"http": hook}, FakeClock(board.now), links=LINKS, settings=QUICK)
    while sender.step():
        pass
    sender.close()


def test_the_digest_stands_with_each_of_its_findings_and_in_the_chain(board: Board) -> None:
    for number in (1, 2):
        board.held(board.finding(number))
    board.clock.advance(60)
    with board.connection.transaction():
        Release(board.centre, "http://wall.example/desk")(board.connection, board.now)
    hook = FakeHook()
    send(board, hook)
    [text] = [message.text for message in hook.sent]
    assert text.startswith("【明镜】示例中心监察发现2项：黄牌2。重点：A07 不动产登记超承诺时限2件。")
    for finding in ("f1", "f2"):
        rows = outbox.messages_of(board.connection, [finding])
        assert [(row["template"], row["state"]) for row in rows] == [
            ("finding.yellow", "gathered"),
            ("digest.group", "sent"),
        ]
        assert rows[0]["digest_id"] == rows[1]["message_id"]
        assert [stop.facts["template"] for stop in whole_way(board.connection, finding) if stop.where == "message"] == [
            "finding.yellow", "digest.group",
        ]  # fmt: skip
    [body] = board.connection.execute(
        "select body::json -> 'payload' -> 'params' ->> 'told' from evidence where kind = 'message.sent'"
    ).fetchone() or [None]
    assert body == '["f1:p3:opened","f2:p3:opened"]'


def test_what_was_told_with_others_is_taken_back_from_who_was_told(board: Board) -> None:
    findings = [board.finding(number) for number in (1, 2)]
    for finding in findings:
        board.held(finding)
    board.clock.advance(60)
    with board.connection.transaction():
        Release(board.centre)(board.connection, board.now)
    planner = Planner(board.centre, LINKS, correction_hold=timedelta(0))
    board.set(findings[0], state="revoked")
    planner(board.connection, [(board.finding(1, state="revoked"), "revoked")], board.now)
    assert board.rows(
        "finding_id, person", "template = 'finding.correction' and state in ('ready', 'held')"
    ) == [("f1", "p3")]
