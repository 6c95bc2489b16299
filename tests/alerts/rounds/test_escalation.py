"""Reminders and escalation, by a clock that is set. Complaint groups 1, 2, 6, 9, 12, 15; rows 10, 11, 12 and 23 of the table."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest

from alerts import silences
from alerts.acknowledge import Acknowledged, acknowledge
from alerts.outbox import list_messages
from alerts.planner import Planner
from alerts.rounds.escalation import Escalated, Escalation
from alerts.rounds.outlook import outlook
from alerts.rounds.release import Release
from alerts.silence import Wanted
from domain.findings import Finding
from store import Connection
from tests.alerts.conftest import LINKS, NOW, make_centre
from tests.alerts.rounds.conftest import Board

STEPS = [{"after": 30, "to": ["leader"]}, {"after": 120, "to": ["inspectors"]}]
ROUTE = {"id": "r", "to": ["handler", "superior"], "remind_every": 30, "most_reminders": 3, "escalate": STEPS}


@pytest.fixture
def team(board: Board) -> Team:
    return Team(board)


class Team:
    """A board with a route that goes on."""

    def __init__(self, board: Board) -> None:
        self.board = board
        self.set_up()

    def set_up(self, route: dict[str, Any] | None = None, **messages: Any) -> None:
        routes = [ROUTE | (route or {})]
        self.board.centre = make_centre(**{"routes": routes, "group": None, "flood": None, **messages})
        self.planner = Planner(self.board.centre, LINKS, correction_hold=timedelta(0))
        self.escalation = Escalation(self.board.centre, self.planner)

    def open(self, number: int = 1, **changes: Any) -> Finding:
        finding = self.board.finding(number, opened_at=self.board.now, **changes)
        with self.board.connection.transaction():
            self.planner(self.board.connection, [(finding, "opened")], self.board.now)
        return finding

    def turn(self, minutes: float = 0, connection: Connection | None = None) -> Escalated:
        """After so many minutes."""
        self.board.clock.advance(minutes * 60)
        connection = connection or self.board.connection
        with connection.transaction():
            return self.escalation(connection, self.board.now)

    def until(self, minutes: int, do: Callable[[int], Any] = lambda minute: None) -> None:
        """Minute by minute."""
        for minute in range(1, minutes + 1):
            self.turn(1)
            do(minute)

    def told(self) -> list[tuple[float, str, str]]:
        """Minutes since the begin, person and template of what is to be sent."""
        rows = self.board.rows("created_at, person, template", "state = 'ready'")
        return [(minutes(at), person, template) for at, person, template in rows]


def minutes(at: datetime) -> float:
    return (at - NOW).total_seconds() / 60


def test_reminders_and_steps_come_at_their_minutes_and_end(team: Team) -> None:
    team.open()
    team.until(200)
    again = "finding.again"
    assert team.told() == [
        (0, "p1", "finding.yellow"), (0, "p2", "finding.yellow"),
        (30, "p1", again), (30, "p2", again), (30, "p3", "finding.escalated"),
        (60, "p1", again), (60, "p2", again), (60, "p3", again),
        (90, "p1", again), (90, "p2", again), (90, "p3", again),
        (120, "p4", "finding.escalated"),
    ]  # fmt: skip
    assert team.board.connection.execute("select count(*) from escalation").fetchone() == (0,)
    texts = team.board.rows("params", "template = 'finding.again' and person = 'p1'")
    assert [each["number"] for each in texts] == [1, 2, 3]
    [waited] = team.board.rows("params ->> 'waited'", "person = 'p3' and template = 'finding.escalated'")
    assert float(waited) == 30


def test_the_page_shows_what_happens(team: Team) -> None:
    """Row 10 of the table."""
    finding = team.open()
    shown = outlook(team.board.connection, team.board.centre, finding.finding_id, NOW, count=9)
    team.until(200)
    happened = [each for each in team.told() if each[0] > 0]
    assert sorted((minutes(each.at), each.person) for each in shown) == sorted(each[:2] for each in happened)
    assert outlook(team.board.connection, team.board.centre, finding.finding_id, team.board.now) == []


def test_an_acknowledgement_ends_it(team: Team) -> None:
    """Row 12: checked against the state at that moment."""
    finding = team.open()
    team.until(29)
    token = LINKS.token(f"{finding.finding_id}:p1:opened")
    assert isinstance(acknowledge(team.board.connection, token, team.board.now), Acknowledged)
    assert outlook(team.board.connection, team.board.centre, finding.finding_id, team.board.now) == []
    assert team.turn(1).over == 1
    team.until(100)
    assert len(team.told()) == 2


def test_until_answered_an_acknowledgement_is_not_enough(team: Team) -> None:
    team.set_up({"until": "answered"})
    finding = team.open()
    team.board.set(finding, life="acknowledged")
    assert team.turn(30).told == 1
    assert team.board.rows("params ->> 'until'", "person = 'p1' and template = 'finding.again'") == [
        "answered"
    ]
    team.board.set(finding, life="answered")
    assert team.turn(30) == Escalated(over=1)


@pytest.mark.parametrize("state", ["closed", "revoked"])
def test_what_is_over_reminds_nobody(team: Team, state: str) -> None:
    team.board.set(team.open(), state=state)
    assert team.turn(30) == Escalated(over=1)
    assert len(team.told()) == 2


def test_after_a_long_pause_everybody_gets_one_message_and_what_was_missed_is_kept(team: Team) -> None:
    team.open()
    assert team.turn(60 * 5).told == 1
    assert [each[1:] for each in team.told()[2:]] == [
        ("p1", "finding.again"), ("p2", "finding.again"), ("p3", "finding.escalated"), ("p4", "finding.escalated"),
    ]  # fmt: skip
    kinds = team.board.connection.execute(
        "select kind, body::json -> 'payload' -> 'reminders' from evidence order by seq"
    ).fetchall()
    assert ("message.missed", 2) in kinds
    assert [kind for kind, _ in kinds].count("message.escalated") == 2
    assert team.turn(1) == Escalated()
    team.until(120)
    again = [at for at, person, template in team.told() if person == "p1" and template == "finding.again"]
    assert again == [300, 330, 360]


def test_two_loops_tell_nobody_twice(team: Team) -> None:
    team.set_up(
        {"escalate": []}
    )  # both write to the chain only at a step, and would wait for each other there
    for number in range(6):
        team.open(number)
    team.board.clock.advance(30 * 60)
    with psycopg.connect(team.board.dsn) as other:
        first = Escalation(team.board.centre, team.planner, batch=4)(other, team.board.now)
        second = team.turn()
        other.commit()
    assert (first.told, second.told) == (4, 2)
    assert team.turn() == Escalated()
    assert len(team.board.rows("person", "template = 'finding.again' and person = 'p1'")) == 6


def test_who_dies_between_the_message_and_the_commit_has_sent_nothing(team: Team) -> None:
    team.open()
    team.board.clock.advance(30 * 60)
    with psycopg.connect(team.board.dsn) as dying:
        assert team.escalation(dying, team.board.now).told == 1
        dying.rollback()
    assert len(team.told()) == 2
    assert team.turn().told == 1
    assert len(team.told()) == 5


def test_a_click_at_the_same_moment_is_not_waited_for_and_counts(team: Team) -> None:
    finding = team.open()
    team.board.clock.advance(30 * 60)
    with psycopg.connect(team.board.dsn) as clicking, clicking.transaction():
        token = LINKS.token(f"{finding.finding_id}:p1:opened")
        acknowledge(clicking, token, team.board.now)
        assert team.turn() == Escalated()
    assert team.turn() == Escalated(over=1)
    assert len(team.told()) == 2


def test_where_nobody_was_reached_the_next_step_comes_at_once(team: Team) -> None:
    """Row 16, to the end: the channels have found nobody, so whoever comes next is due now, and only he."""
    finding = team.open()
    team.board.clock.advance(5 * 60)
    team.board.connection.execute("update outbox set state = 'undelivered'")
    team.board.connection.execute("update escalation set next_at = %s", [team.board.now])
    assert team.turn().told == 1
    assert team.told() == [(5, "p3", "finding.escalated")]
    [params] = team.board.rows("params", "person = 'p3'")
    assert "waited" not in params
    assert team.turn(1) == Escalated()
    assert team.turn(24).told == 1  # the reminder keeps its minute, and the leader has heard a moment ago
    assert [each for each in team.told() if each[0] == 30] == [
        (30, "p1", "finding.again"),
        (30, "p2", "finding.again"),
    ]
    assert outlook(team.board.connection, team.board.centre, finding.finding_id, team.board.now)


def test_with_nobody_reached_and_nobody_left_it_goes_on_at_its_own_pace(team: Team) -> None:
    team.set_up({"escalate": []})
    team.open()
    for _ in range(50):  # each try fails at once, and the channels say so at once
        team.board.connection.execute("update outbox set state = 'dead', reason = 'refused'")
        team.board.connection.execute("update escalation set next_at = %s", [team.board.now])
        team.turn()
    assert len(team.board.rows("person")) == 2
    team.until(30)
    assert len(team.board.rows("person")) == 4


def test_one_that_cannot_be_looked_at_stops_nobody(team: Team) -> None:
    for number in (1, 2, 3):
        team.open(number)
    real = team.planner

    class Broken:
        def again(self, connection: Connection, finding: Finding, **given: Any) -> int:
            if finding.finding_id == "f2":
                connection.execute("insert into outbox (idempotency_key) values ('half done')")
            return real.again(connection, finding, **given)

    team.escalation = Escalation(team.board.centre, Broken())
    done = team.turn(30)
    assert (done.told, done.failed) == (2, 1)
    letters = team.board.connection.execute(
        "select code, convert_from(raw, 'utf8') from dead_letter"
    ).fetchall()
    assert letters == [("escalation_failed", "f2")]
    team.escalation = Escalation(team.board.centre, real)
    assert team.turn(59).failed == 0
    assert not team.board.rows("person", "finding_id = 'f2' and template = 'finding.again'")
    team.turn(1)
    assert team.board.rows("person", "finding_id = 'f2' and template = 'finding.again'")


def test_working_minutes_and_no_reminder_at_night(team: Team) -> None:
    """It is 17:30 on Friday: the office is closed. Half an hour of office time later it is Monday 9:30."""
    team.set_up({"hours": "working", "escalate": []})
    team.open()
    assert Escalation(team.board.centre, team.planner).next_at(team.board.connection) == NOW + timedelta(
        days=2.5, hours=4
    )
    team.turn(60 * 24)
    assert team.told() == []
    assert team.board.rows("state") == ["held", "held"]


def test_a_route_that_is_taken_out_of_the_centre_file_goes_on_no_more(team: Team) -> None:
    team.open()
    team.set_up(routes=[])
    assert team.turn(30) == Escalated(over=1)
    assert len(team.told()) == 2


def test_many_findings_are_looked_at_in_turns(team: Team) -> None:
    for number in range(7):
        team.open(number)
    team.escalation = Escalation(team.board.centre, team.planner, batch=5)
    assert (team.turn(30).more, team.turn().more) == (True, False)
    assert len(list_messages(team.board.connection, "ready", 1000)) == 7 * 5


def test_nobody_is_reminded_of_what_a_silence_has_kept_from_him(team: Team) -> None:
    """Complaint groups 8 and 15, "postpone": the first message waits, and the course waits with it."""
    board = team.board
    team.set_up({"escalate": []}, quiet={"hours": ["21:00-17:31"]})
    team.open()  # waits until 17:31
    silences.create(
        board.connection,
        board.centre,
        Wanted({"rule": ("*",)}, "演练", NOW, NOW + timedelta(hours=2)),
        author="p4",
        now=NOW,
    )
    release = Release(board.centre)
    for _ in range(119):
        team.turn(1)
        release(board.connection, board.now)
    assert team.told() == []
    team.turn(1)
    assert release(board.connection, board.now).alone == 2
    team.until(31)
    assert [each for each in team.told() if each[0] > 0] == [
        (150, "p1", "finding.again"),
        (150, "p2", "finding.again"),
    ]


def test_a_course_begins_sooner_where_a_silence_is_ended(team: Team) -> None:
    board = team.board
    team.set_up({"escalate": []})
    made = silences.create(
        board.connection,
        board.centre,
        Wanted({"rule": ("*",)}, "演练", NOW, NOW + timedelta(hours=9)),
        author="p4",
        now=NOW,
    )
    team.open()
    team.until(10)
    silences.end(board.connection, board.centre, made.silence_id, by="p4", now=board.now)
    assert Release(board.centre)(board.connection, board.now).alone == 2
    team.until(31)
    assert [each for each in team.told() if each[0] > 0] == [
        (40, "p1", "finding.again"),
        (40, "p2", "finding.again"),
    ]


def test_a_finding_that_comes_and_goes_tells_nobody_before_it_has_lasted(team: Team) -> None:
    """Row 22 and complaint group 14: three absences of two minutes, then one that lasts."""
    board = team.board
    team.set_up({"hold_for": 3, "remind_every": None, "escalate": []})
    release = Release(board.centre)
    for number in (1, 2, 3):
        finding = team.open(number)
        board.clock.advance(120)
        board.set(finding, state="closed", closed_at=board.now)
        release(board.connection, board.now)
        board.clock.advance(120)
        release(board.connection, board.now)
    assert board.rows("state, reason") == [("skipped", "over")] * 6
    team.open(4)
    board.clock.advance(180)
    assert release(board.connection, board.now).alone == 2


def test_a_step_goes_to_whoever_is_on_duty_at_that_moment(team: Team) -> None:
    """Complaint group 15, weekends: told on Friday night, escalated on Saturday."""
    duty = [
        {"role": "inspectors", "person": "p2", "days": ["working"]},
        {"role": "inspectors", "person": "p3", "days": ["rest"]},
    ]
    team.set_up(
        {"to": ["handler"], "remind_every": None, "escalate": [{"after": 600, "to": ["inspectors"]}]},
        duty=duty,
    )
    finding = team.open()
    [shown] = outlook(team.board.connection, team.board.centre, finding.finding_id, NOW)
    assert (shown.person, minutes(shown.at)) == ("p3", 600)
    team.turn(600)
    assert team.told()[1:] == [(600, "p3", "finding.escalated")]
