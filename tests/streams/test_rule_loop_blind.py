"""Supervision that sees nothing, live: calendar, families, cameras; looked at by their own clocks, said once, also after a restart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from domain import working_time
from domain.centre import Centre
from domain.centres import Centres
from domain.clock import FakeClock
from domain.events import Event
from domain.findings import Finding
from domain.observations import Observation
from mingjing.replay import Replay
from store.connection import Connection, connect
from store.ingest import write_events
from store.observations import write_observations
from store.reading import FindingRow, findings
from streams import oversight, rule_settings
from streams.rule_loop import RuleLoop
from tests.streams.test_rule_loop import CODE, WATCHED

pytestmark = pytest.mark.postgres


def with_rules(**rules: Any) -> Centre:
    whole = WATCHED.model_dump(mode="json")
    quiet = {"sources": {"feed_silent": 1e6, "camera_silent": 1e6}}
    return Centre.model_validate(whole | {"rules": whole["rules"] | quiet | rules})


OFF, ON = with_rules(), with_rules(blind={})


def at(text: str) -> datetime:
    """ "2039-11-20 09:30" in China."""
    return datetime.fromisoformat(f"{text.replace(' ', 'T')}+08:00").astimezone(UTC)


@pytest.fixture
def db(database: str) -> Iterator[Connection]:
    with connect(database, autocommit=True) as connection:
        yield connection


@pytest.fixture
def dsn(database: str) -> str:
    return database


def tick(dsn: str, centre: Centre, now: str | datetime, **more: Any) -> list[tuple[Finding, str]]:
    """A loop that begins, does what is due, and dies: each tick of these tests is a restart."""
    told: list[tuple[Finding, str]] = []
    moment = at(now) if isinstance(now, str) else now
    loop = RuleLoop(
        dsn, centre, FakeClock(moment), plan=lambda _db, changes, _now: told.extend(changes), **more
    )
    while loop.tick(moment).more:
        pass
    loop.close()
    return told


def said(db: Connection, rule: str) -> list[FindingRow]:
    return [row for row in findings(db, CODE, state=None, limit=1000) if row.rule == rule]


def steps(told: list[tuple[Finding, str]], rule: str) -> list[str]:
    return [change for finding, change in told if finding.rule == rule]


def due_at(db: Connection, subject: str) -> datetime | None:
    row = db.execute(
        "select greatest(look_at, '0002-01-01Z') from subject_state where subject = %s and look_at is not null",
        [subject],
    ).fetchone()
    return None if row is None else row[0]


# -- the calendar ------------------------------------------------------------------------------------------------------


def accept(db: Connection, centre: Centre, when: str, case: str = "C1") -> Event:
    event = Event(
        f"accepted@{case}", "case.accepted", at(when), "approval", None, at(when), CODE, "A01", case, "A-001"
    )
    write_events(db, [event], centre=CODE, now=at(when))
    return event


KNOWN = working_time.base_year


def publish(monkeypatch: pytest.MonkeyPatch, upto: int) -> None:
    """Calendars are published up to a year, whatever the libraries know by now."""

    def base_year(base: str, year: int) -> working_time.BaseYear:
        return replace(KNOWN(base, year), published=year <= upto, disputed=frozenset())

    monkeypatch.setattr(working_time, "base_year", base_year)
    monkeypatch.setattr(rule_settings, "_calendars", lambda: [f"calendars up to {upto}"])


def fresh(centre: Centre) -> Centre:
    """As another process has it: without the calendar it has made."""
    return Centre.model_validate(centre.model_dump(mode="json"))


def test_a_year_is_missed_as_soon_as_a_case_needs_it(
    dsn: str, db: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(monkeypatch, 2026)
    tick(dsn, fresh(ON), "2026-11-19 09:00")
    assert said(db, "calendar.missing") == []
    assert due_at(db, "calendar:CN") == at("2026-11-19 10:00")
    events = [accept(db, ON, "2026-11-20 10:00", "early"), accept(db, ON, "2026-11-24 10:00", "first")]
    events.append(accept(db, ON, "2026-11-25 10:00", "second"))
    # 20 working days from 24 November end on 22 December; the case of 8 December reaches into the next year.
    assert steps(tick(dsn, fresh(ON), "2026-11-25 12:00"), "calendar.missing") == []
    events.append(accept(db, ON, "2026-12-08 10:00", "needs it"))
    told = tick(dsn, with_rules(blind={"calendar_from": "12-20"}), "2026-12-08 12:00")
    assert steps(told, "calendar.missing") == ["opened"]
    (found,) = said(db, "calendar.missing")
    assert (found.opened_at, found.state, found.explain["because"]) == (
        at("2026-12-08 10:00"),
        "open",
        "due_date",
    )
    assert (found.severity, found.explain["year"]) == ("notice", 2027)


def test_looks_go_on_by_themselves_and_restarts_say_nothing_twice(
    dsn: str, db: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(monkeypatch, 2026)
    assert steps(tick(dsn, fresh(ON), "2026-11-30 23:30"), "calendar.missing") == []
    # Before midnight nobody asks, at midnight it is said.
    assert due_at(db, "calendar:CN") == at("2026-12-01 00:00")
    assert steps(tick(dsn, fresh(ON), "2026-12-01 00:00"), "calendar.missing") == ["opened"]
    for now in ("2026-12-01 00:00", "2026-12-01 01:00", "2026-12-02 09:00"):
        assert steps(tick(dsn, fresh(ON), now), "calendar.missing") == []
    publish(monkeypatch, 2028)
    told = tick(dsn, fresh(ON), "2026-12-03 09:00")
    assert steps(told, "calendar.missing") == ["closed"]
    (found,) = said(db, "calendar.missing")
    assert (found.state, found.closed_at) == ("closed", at("2026-12-03 09:00"))
    assert found.explain["ended"] == "published"
    assert found.revoked_reason is None
    for now in ("2026-12-03 10:00", "2027-01-05 09:00"):
        assert steps(tick(dsn, fresh(ON), now), "calendar.missing") == []


def test_replay_says_the_same_of_the_calendar(
    dsn: str, db: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(monkeypatch, 2026)
    centre = fresh(with_rules(blind={"calendar_from": "12-28"}))
    events = [accept(db, centre, f"2026-12-{day:02} 10:00", f"C{day}") for day in (1, 7, 8, 9)]
    tick(dsn, centre, "2026-12-09 12:00")
    run = Replay(Centres.of(centre))
    for number, event in enumerate(events, 1):
        run._take(number, event, "")
    replayed = [
        f for group in run.judge(at("2026-12-09 12:00")) for f in group if f.rule == "calendar.missing"
    ]
    (found,) = said(db, "calendar.missing")
    assert [(f.finding_id, f.opened_at, f.explain) for f in replayed] == [
        (found.finding_id, found.opened_at, found.explain)
    ]


def test_off_again_it_is_taken_back_and_without_the_family_nobody_looks(
    dsn: str, db: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(monkeypatch, 2026)
    tick(dsn, fresh(OFF), "2026-12-05 09:00")
    assert db.execute("select count(*) from subject_state").fetchone() == (0,)
    tick(dsn, fresh(ON), "2026-12-05 09:00")
    assert [f.state for f in said(db, "calendar.missing")] == ["open"]
    tick(dsn, fresh(OFF), "2026-12-05 10:00")
    assert [f.state for f in said(db, "calendar.missing")] == ["revoked"]
    assert due_at(db, "calendar:CN") is None


# -- families ----------------------------------------------------------------------------------------------------------

#: Working days from Monday 2 March 2026 on.
FIRST = date(2026, 3, 1).toordinal()
DAYS = ON.working_time.working_days(FIRST, FIRST + 100)


def moment_on(index: int, clock: str = "10:00") -> datetime:
    return at(f"{date.fromordinal(DAYS[index])} {clock}")


def busy_day(db: Connection, index: int, *, found: bool) -> None:
    """Fees are charged, and where ``found``, one of them is not on the list."""
    events = [
        Event(
            f"fee{index}-{n}", "fee.charged", moment_on(index), "cash", None, moment_on(index), CODE, "A01", None, "A-001",
            data={"amount": 5, "basis": "x"},
        )
        for n in range(3)
    ]  # fmt: skip
    write_events(db, events, centre=CODE, now=moment_on(index))
    if found:
        db.execute(
            "insert into finding (finding_id, rule, severity, centre, subject, opened_at, state, issued_at, updated_at)"
            " values (%s, 'fees.outside', 'yellow', %s, 'x', %s, 'open', now(), now())",
            [f"f{index}", CODE, moment_on(index)],
        )


def test_a_family_that_falls_silent_is_found_at_midnight_and_closes_when_it_speaks(
    dsn: str, db: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    centre = with_rules(blind={}, fees={})
    for index in range(20):
        busy_day(db, index, found=True)
    told: list[str] = []
    for index in range(20, 30):
        busy_day(db, index, found=index == 28)
        monkeypatch.setattr(oversight, "PAST", timedelta(days=400))
        now = ON.working_time.day_start(DAYS[index] + 1)
        told += [f"{index} {step}" for step in steps(tick(dsn, centre, now), "rule.stopped")]
        assert due_at(db, "rules:fees") == ON.working_time.day_start(DAYS[index] + 2)
        # Again on the same day, and with less of the past at hand.
        monkeypatch.setattr(oversight, "PAST", timedelta(days=400 if index % 2 else 25))
        db.execute("update subject_state set look_at = '-infinity'")
        told += [f"{index} again" for _ in steps(tick(dsn, centre, now + timedelta(hours=9)), "rule.stopped")]
    assert told == ["25 opened", "28 closed"]
    (row,) = said(db, "rule.stopped")
    assert (row.explain["family"], row.explain["days_silent"], row.explain["days_before"]) == ("fees", 6, 20)
    assert db.execute("select status from subject_state where subject = 'rules:time_limit'").fetchone() == (
        {"stopped": False},
    )


# -- cameras -----------------------------------------------------------------------------------------------------------


def word(db: Connection, when: str, state: str, reason: str | None = None) -> None:
    observation = Observation(
        observation_id=f"k@{when}@{state}", kind="camera.state", centre=CODE, camera="K1", at=at(when), state=state,
        reason=reason,
    )  # fmt: skip
    write_observations(db, [observation], now=at(when))


def test_a_camera_that_says_it_is_down(dsn: str, db: Connection) -> None:
    tick(dsn, ON, "2026-03-03 09:00")
    assert due_at(db, "camera:K1") is None
    word(db, "2026-03-03 09:30", "unknown", "unreachable")
    assert due_at(db, "camera:K1") is not None, "its word makes it due"
    assert tick(dsn, ON, "2026-03-03 09:30") == []
    assert due_at(db, "camera:K1") == at("2026-03-03 09:33") + timedelta(microseconds=1)
    assert steps(tick(dsn, ON, "2026-03-03 09:34"), "camera.down") == ["opened"]
    # Another reason is no other matter, nor is a restart.
    word(db, "2026-03-03 09:40", "unknown", "unauthorised")
    assert tick(dsn, ON, "2026-03-03 09:41") == []
    # Days later, and though the raw rows have been dropped.
    db.execute("delete from observation")
    assert steps(tick(dsn, with_rules(blind={}, complaints={}), "2026-03-09 10:00"), "camera.down") == []
    word(db, "2026-03-09 10:30", "present")
    assert steps(tick(dsn, ON, "2026-03-09 10:31"), "camera.down") == ["closed"]
    (found,) = said(db, "camera.down")
    assert (found.opened_at, found.closed_at, found.window, found.explain["reason"]) == (
        at("2026-03-03 09:33"),
        at("2026-03-09 10:30"),
        "A01",
        "unreachable",
    )


def test_while_the_loop_was_dead_nothing_is_missed(dsn: str, db: Connection) -> None:
    tick(dsn, ON, "2026-03-03 09:00")
    word(db, "2026-03-03 09:30", "unknown", "unreachable")
    word(db, "2026-03-03 10:00", "present")
    assert steps(tick(dsn, ON, "2026-03-04 11:00"), "camera.down") == ["opened", "closed"]
    assert tick(dsn, ON, "2026-03-20 11:00") == []


def test_a_camera_that_is_taken_out_of_the_file_is_no_longer_spoken_of(dsn: str, db: Connection) -> None:
    word(db, "2026-03-03 09:30", "unknown", "unreachable")
    assert steps(tick(dsn, ON, "2026-03-03 10:00"), "camera.down") == ["opened"]
    without = Centre.model_validate(ON.model_dump(mode="json") | {"cameras": []})
    assert steps(tick(dsn, without, "2026-03-03 11:00"), "camera.down") == ["revoked"]


def test_facts_that_nobody_can_read_stop_nobody(
    dsn: str, db: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> Any:
        raise ValueError("no such family")

    monkeypatch.setattr(oversight, "judge_family", broken)
    publish(monkeypatch, 2026)
    tick(dsn, fresh(ON), "2026-12-05 09:00")
    assert [f.state for f in said(db, "calendar.missing")] == ["open"]
    assert db.execute("select failures from subject_state where subject = 'rules:time_limit'").fetchone() == (
        1,
    )


def test_a_picture_that_cannot_be_judged_has_its_own_finding(dsn: str, db: Connection) -> None:
    tick(dsn, ON, "2026-03-03 09:00")
    word(db, "2026-03-03 09:30", "present", "covered")
    assert steps(tick(dsn, ON, "2026-03-03 09:34"), "camera.covered") == ["opened"]
    db.execute("delete from observation")
    assert steps(tick(dsn, with_rules(blind={}, complaints={}), "2026-03-03 10:00"), "camera.covered") == []
    word(db, "2026-03-03 10:30", "present")
    assert steps(tick(dsn, ON, "2026-03-03 10:31"), "camera.covered") == ["closed"]
    assert said(db, "camera.down") == []
