"""Answers that do not come: who is reminded, of what, once; with the real rules, planner and database, restarts between."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from alerts.links import AckLinks
from alerts.messages import message_values, render_text
from alerts.planner import Planner
from domain.centre import Centre
from domain.clock import FakeClock
from domain.events import Event
from mingjing.audit.exporting import Selection, export
from mingjing.audit.verifying import verify
from mingjing.cli import main
from store import chain
from store.connection import Connection, connect
from store.finding_life import open_lives, take_step
from store.ingest import write_events
from streams import reminding
from streams.rule_loop import RuleLoop
from tests.mingjing.test_several_loops import CENTRE as PLAIN

pytestmark = pytest.mark.postgres

CODE = "530502"
LINKS = AckLinks(b"a secret for tests only", "http://wall.example")


def with_findings(**settings: Any) -> Centre:
    return Centre.model_validate(PLAIN.model_dump(mode="json") | {"findings": settings})


ON = with_findings()


def at(text: str) -> datetime:
    """ "11-23 09:30" of 2026 (a Monday) in China."""
    return datetime.fromisoformat(f"2026-{text.replace(' ', 'T')}+08:00").astimezone(UTC)


@pytest.fixture
def db(database: str) -> Iterator[Connection]:
    with connect(database, autocommit=True) as connection:
        yield connection


def tick(dsn: str, centre: Centre, now: str) -> datetime | None:
    """A loop that begins, does what is due, and dies."""
    planner = Planner(centre, LINKS, channel="log")
    loop = RuleLoop(dsn, centre, FakeClock(at(now)), plan=planner, remind=planner.remind)
    while (done := loop.tick(at(now))).more:
        pass
    loop.close()
    return done.next_look


def overdue_case(db: Connection, deadline: str = "11-23 10:00") -> None:
    accepted = Event(
        "a", "case.accepted", at("11-19 09:00"), "approval", None, at("11-19 09:00"), CODE, "A01", "C1", "A-001",
        data={"legal_deadline": at(deadline).isoformat()},
    )  # fmt: skip
    write_events(db, [accepted], centre=CODE, now=at("11-23 09:00"))


def told(db: Connection) -> list[tuple[str, str]]:
    """(step, person) of what was sent beside the cards themselves."""
    return db.execute(
        "select params ->> 'step', person from outbox where template = 'finding.reminder' and state in ('ready', 'held')"
        " order by message_id"
    ).fetchall()


def the_card(db: Connection) -> str:
    (row,) = db.execute("select finding_id from finding where rule = 'time_limit.legal'").fetchall()
    return str(row[0])


def test_one_hour_to_say_seen_a_day_to_answer_each_told_once(database: str, db: Connection) -> None:
    overdue_case(db)
    tick(database, ON, "11-23 10:01")
    assert db.execute("select remind_at from finding where rule = 'time_limit.legal'").fetchall() == [
        (at("11-23 11:01") + timedelta(microseconds=1),)
    ]
    tick(database, ON, "11-23 11:01")
    assert told(db) == [], "at the very moment is in time"
    for _ in range(3):
        tick(database, ON, "11-23 11:02")
    assert told(db) == [("late:acknowledge", "p1"), ("late:acknowledge", "p2")]
    for now in ("11-23 16:00", "11-24 10:00", "11-24 10:02", "11-24 10:03", "11-30 09:00"):
        tick(database, ON, now)
    assert told(db)[2:] == [("late:answer", "p2"), ("late:answer", "p3")]
    # It stands in the chain, and is no act: what an inspector saw is still what there is.
    rows = [row for row in chain.read(db, CODE) if row.kind == reminding.LATE]
    assert ['"step":"acknowledge"' in row.body for row in rows] == [True, False]
    made = export(db, ON, Selection(finding=the_card(db)), at("11-30 10:00"), by="p4")
    checked = verify(made)
    assert checked.broken is None
    assert b"answer.late" in made
    assert db.execute("select count(*) from finding_step where step like '%late%'").fetchone() == (0,)
    assert db.execute(
        "select remind_at, reminded from finding where rule = 'time_limit.legal'"
    ).fetchall() == [(None, ["acknowledge", "answer"])]


def test_what_is_done_in_time_reminds_nobody_and_the_next_step_has_its_own_clock(
    database: str, db: Connection
) -> None:
    overdue_case(db)
    tick(database, ON, "11-23 10:01")
    card = the_card(db)
    take_step(db, ON, card, "acknowledge", person="p1", now=at("11-23 10:30"))
    take_step(db, ON, card, "answer", person="p1", now=at("11-23 16:00"), text="材料在部门")
    for now in ("11-23 16:01", "11-25 09:00", "12-14 16:59"):
        tick(database, ON, now)
    assert told(db) == []
    tick(database, ON, "12-14 17:01")  # 15 working days after the answer
    assert told(db) == [("late:rectify", "p2"), ("late:rectify", "p3")]


def test_an_appeal_that_nobody_decides_reminds_the_inspectors(database: str, db: Connection) -> None:
    overdue_case(db)
    tick(database, ON, "11-23 10:01")
    take_step(db, ON, the_card(db), "appeal", person="p1", now=at("11-23 10:30"), text="系统故障")
    tick(database, ON, "11-30 16:59")
    assert told(db) == []
    tick(database, ON, "11-30 17:01")
    assert told(db) == [("late:uphold", "p4")]
    params = db.execute("select params from outbox where template = 'finding.reminder'").fetchone()
    assert params is not None
    values = message_values("finding.reminder", params[0], "zh-CN", link=None, now=at("11-30 17:01"))
    assert render_text("finding.reminder", values, "zh-CN") == (
        "【明镜】催办：A01窗口，办件C1超法定时限（红牌）应于11月30日17:00前对申诉作出决定，已逾期。请赵六立即办理。"
    )


def test_a_loop_that_was_dead_for_days_tells_of_the_last_step_only(database: str, db: Connection) -> None:
    overdue_case(db)
    tick(database, ON, "11-23 10:01")
    tick(database, ON, "11-24 17:00")
    assert told(db) == [("late:answer", "p2"), ("late:answer", "p3")]
    tick(database, ON, "11-24 17:01")
    assert len(told(db)) == 2


def test_of_what_was_revoked_or_is_long_past_nobody_is_reminded(database: str, db: Connection) -> None:
    overdue_case(db)
    tick(database, ON, "11-23 10:01")
    decided = Event(
        "d", "case.decided", at("11-23 09:30"), "approval", None, at("11-23 10:20"), CODE, "A01", "C1", "A-001",
        data={"result": "denied"},
    )  # fmt: skip
    write_events(db, [decided], centre=CODE, now=at("11-23 10:20"))
    for now in ("11-23 10:21", "11-23 11:02", "11-24 11:00"):
        tick(database, ON, now)
    assert told(db) == []
    assert db.execute("select remind_at from finding where state = 'revoked'").fetchall() == [(None,)]


def test_a_centre_that_turns_it_on_late_floods_nobody(database: str, db: Connection) -> None:
    overdue_case(db)
    tick(database, PLAIN, "11-23 10:01")
    tick(database, PLAIN, "11-27 10:00")
    assert told(db) == []
    assert db.execute("select count(*) from finding where remind_at is not null").fetchone() == (0,)
    tick(database, ON, "11-27 10:01")
    assert told(db) == []
    skipped = db.execute("select reason from outbox where template = 'finding.reminder'").fetchall()
    assert skipped == [("stale",)]


def test_who_is_told_is_a_setting(database: str, db: Connection) -> None:
    overdue_case(db)
    centre = with_findings(remind={"acknowledge": [], "answer": ["inspectors", "p3"]})
    for now in ("11-23 10:01", "11-23 11:05", "11-24 10:05"):
        tick(database, centre, now)
    assert told(db) == [("late:answer", "p4"), ("late:answer", "p3")]


def test_one_finding_that_cannot_be_looked_at_stops_nobody(
    database: str, db: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    overdue_case(db)
    tick(database, ON, "11-23 10:01")
    db.execute(
        "insert into finding (finding_id, rule, severity, centre, subject, opened_at, state, issued_at, updated_at, remind_at)"
        " values ('bad', 'x', 'red', %s, 'x', %s, 'open', now(), now(), '-infinity')",
        [CODE, at("11-23 10:00")],
    )
    real = reminding.read_finding

    def read(connection: Connection, finding: str) -> Any:
        if finding == "bad":
            raise ValueError("nobody can read this")
        return real(connection, finding)

    monkeypatch.setattr(reminding, "read_finding", read)
    tick(database, ON, "11-23 11:05")
    assert len(told(db)) == 2
    assert db.execute("select remind_at from finding where finding_id = 'bad'").fetchone() == (
        at("11-23 12:05"),
    )


def test_what_is_late_stands_in_the_list_however_many_others_do_not(
    database: str,
    db: Connection,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    overdue_case(db)
    tick(database, ON, "11-23 10:01")
    tick(database, ON, "11-23 11:05")
    card = the_card(db)
    for number in range(6):
        # Answered in time, and issued before.
        db.execute(
            "insert into finding (finding_id, rule, severity, centre, subject, opened_at, state, life, issued_at, updated_at)"
            " values (%s, 'x', 'red', %s, 'x', %s, 'open', 'rectified', %s, now())",
            [f"x{number}", CODE, at("11-20 10:00"), at("11-20 10:00")],
        )
        db.execute(
            "insert into finding_step (finding_id, at, step, person, detail) values (%s, %s, 'answered', 'p1', '{}'),"
            " (%s, %s, 'rectified', 'p1', '{}')",
            [f"x{number}", at("11-20 10:00"), f"x{number}", at("11-20 11:00")],
        )
    late = open_lives(db, ON, late_at=at("11-23 11:10"), limit=3)
    assert [each.finding.finding_id for each in late] == [card]
    assert len(open_lives(db, ON, limit=3)) == 3
    # The command goes by the clock of the machine.
    db.execute("update finding set issued_at = now() - interval '10 days' where finding_id = %s", [card])
    db.execute("update finding_step set at = now() - interval '9 days' where finding_id like 'x%'")
    db.execute("update finding set issued_at = now() - interval '11 days' where finding_id like 'x%'")
    (tmp_path / "centre.yaml").write_text(json.dumps(ON.model_dump(mode="json", exclude_none=True)), "utf-8")
    monkeypatch.setenv("MINGJING_DATABASE", database)
    monkeypatch.setenv("MINGJING_CENTRE", str(tmp_path / "centre.yaml"))
    with pytest.raises(SystemExit) as ended:
        main(["finding", "list", "--late", "--limit", "3", "--data", str(tmp_path)])
    assert ended.value.code == 0
    said = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in said] == [card]
    assert "已催办： 确认" in said[0]
