"""Subjects that go on for ever: only what can still change anything is loaded; links go with the events that retention drops."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from domain.centre import Centre
from domain.centres import Centres
from domain.clock import FakeClock
from domain.events import Event
from mingjing.replay import Replay
from store.aggregates import roll_events
from store.connection import Connection, connect
from store.ground import has_timescale
from store.ingest import write_events
from store.retention import Keep, apply_retention
from store.subjects import link_slice, note_linking
from streams import look_back
from streams.linking import linking_of
from streams.rule_loop import RuleLoop
from tests.streams.test_rule_loop import CENTRE as PLAIN
from tests.streams.test_rule_loop import CODE
from tests.streams.test_rule_loop_subjects import CALLS
from tests.streams.test_rule_loop_subjects import ON as CALLS_ON
from tests.streams.test_rule_loop_subjects import RULES as CALL_RULES

pytestmark = pytest.mark.postgres

_WHOLE = PLAIN.model_dump(mode="json")
ON = Centre.model_validate(
    _WHOLE
    | {
        "rules": _WHOLE["rules"] | {"sources": {"feed_silent": 1e6}, "attendance": {}},
        "people": [{"id": "p1", "name": "张三"}],
        "windows": [{"id": "A01", "staff": ["p1"]}],
    }
)
FIRST = date(2026, 1, 4).toordinal()
DAYS = ON.working_time.working_days(FIRST, FIRST + 250)


def at(ordinal: int, clock: str) -> datetime:
    return datetime.fromisoformat(f"{date.fromordinal(ordinal)}T{clock}+08:00").astimezone(UTC)


def clocks(ordinal: int, times: str = "08:50 12:01 13:20 17:01") -> list[Event]:
    kinds = ("in", "out", "in", "out")
    return [
        Event(
            f"{ordinal}-{n}", f"attendance.clock_{kind}", at(ordinal, time), "gate", None, at(ordinal, time), CODE,
            staff="p1",
        )
        for n, (kind, time) in enumerate(zip(kinds, times.split(), strict=True))
        if time != "-"
    ]  # fmt: skip


@pytest.fixture
def db(database: str) -> Iterator[Connection]:
    with connect(database, autocommit=True) as connection:
        yield connection


def write(db: Connection, events: list[Event], now: datetime, centre: Centre = ON) -> None:
    write_events(db, events, centre=CODE, now=now, linking=linking_of({CODE: centre}))


def tick(dsn: str, now: datetime, centre: Centre = ON, **more: Any) -> None:
    loop = RuleLoop(dsn, centre, FakeClock(now), **more)
    while loop.tick(now).more:
        pass
    loop.close()


def said(db: Connection) -> set[tuple[object, ...]]:
    return set(
        db.execute(
            "select finding_id, rule, opened_at, state from finding where subject = 'person:p1' and state <> 'revoked'"
        ).fetchall()
    )


def replayed(events: list[Event], now: datetime) -> set[tuple[object, ...]]:
    run = Replay(Centres.of(ON))
    for number, each in enumerate(events, 1):
        run._take(number, each, "")
    return {(f.finding_id, f.rule, f.opened_at, f.state) for group in run.judge(now) for f in group}


def test_months_of_clocks_are_not_loaded_each_day_and_the_findings_are_those_of_a_replay(
    database: str, db: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[int] = []
    real = look_back.load_subjects

    def counting(*arguments: Any) -> Any:
        found = real(*arguments)
        loaded.append(sum(len(each.arrivals) for each in found.values()))
        return found

    monkeypatch.setattr("streams.judges.load_subjects", counting)
    events: list[Event] = []
    for index, ordinal in enumerate(DAYS[:110]):
        today = clocks(ordinal, "09:20 12:01 13:20 17:01" if index % 7 == 3 else "08:50 12:01 13:20 17:01")
        # Away for a while, without a trace.
        today = [] if 40 <= index < 60 else today
        events += today
        if index % 15 == 0 or index > 106:
            write(db, events[-60:], at(ordinal, "18:00"))
            tick(database, at(ordinal, "18:00"))
    now = at(DAYS[110], "08:00")
    write(db, events, now)
    tick(database, now)
    assert said(db) == replayed(events, now)
    assert len(said(db)) > 20
    assert loaded[-1] <= 4 * 60, "two months, not half a year"
    # What arrives late is judged, however old it is.
    late = clocks(DAYS[45], "08:50 - - 17:01")
    write(db, late, now)
    tick(database, now)
    assert said(db) == replayed([*events, *late], now)
    leave = Event(
        "leave", "leave.granted", now, "oa", None, now, CODE, staff="p1",
        data={"from": date.fromordinal(DAYS[3]).isoformat(), "to": date.fromordinal(DAYS[4]).isoformat()},
    )  # fmt: skip
    write(db, [leave], now)
    tick(database, now)
    assert said(db) == replayed([*events, *late, leave], now)


def test_a_loop_that_was_dead_for_months_judges_all_of_them(database: str, db: Connection) -> None:
    events = [each for ordinal in DAYS[:5] for each in clocks(ordinal)]
    write(db, events, at(DAYS[5], "08:00"))
    tick(database, at(DAYS[5], "08:00"))
    more = [each for ordinal in DAYS[5:105] for each in clocks(ordinal, "09:20 12:01 13:20 17:01")]
    write(db, more, at(DAYS[104], "18:00"))
    now = at(DAYS[105], "08:00")
    tick(database, now)
    assert said(db) == replayed([*events, *more], now)
    assert len(said(db)) == 100


def test_links_go_with_the_events_and_what_was_found_stands(database: str, db: Connection) -> None:
    if has_timescale(db):
        pytest.skip("pieces are weeks here; see the native ones")
    begin = at(DAYS[0], "09:00")

    def call(kind: str, when: datetime, name: str) -> Event:
        return Event(
            f"{kind}-{name}", f"complaint.{kind}", when, "hotline", None, when, CODE, data={"complaint": name}
        )

    linking = linking_of({CODE: CALLS_ON}, [CALLS])
    old = [call("opened", begin, "old"), call("opened", begin + timedelta(minutes=1), "both")]
    write_events(db, old, centre=CODE, now=begin, linking=linking)
    tick(database, begin + timedelta(hours=3), CALLS_ON, rules=CALL_RULES)
    later = begin + timedelta(days=500)
    new = [call("opened", later, "new"), call("closed", later, "both")]
    # The pieces of then and now.
    write_events(db, new, centre=CODE, now=later, linking=linking)
    while roll_events(db, later):
        pass
    for _ in range(3):
        gone = apply_retention(db, later, Keep(event=timedelta(days=366)))
    assert gone["subject_event"] == 0
    assert db.execute("select count(*) from event").fetchone() == (2,)
    assert db.execute("select subject from subject_event order by 1").fetchall() == [
        ("call:both",),
        ("call:new",),
    ]
    lost = db.execute(
        "select subject, lost_until from subject_state where lost_until is not null order by 1"
    ).fetchall()
    assert lost == [("call:both", begin + timedelta(minutes=1)), ("call:old", begin)]
    # Judged again, all of them: nothing is taken back for want of what nobody has any more.
    db.execute("update subject_state set look_at = '-infinity'")
    tick(database, later + timedelta(hours=3), CALLS_ON, rules=CALL_RULES)
    found = db.execute("select subject, state from finding where subject like 'call:%' order by 1").fetchall()
    assert found == [("call:both", "open"), ("call:new", "open"), ("call:old", "open")]


def test_linking_goes_on_where_it_was_after_a_restart(database: str, db: Connection) -> None:
    """Neither the loop nor a writer that begins again under the same rules starts from the beginning."""
    linking = linking_of({CODE: ON})
    assert linking is not None
    events = [each for ordinal in DAYS[:20] for each in clocks(ordinal)]
    write_events(db, events, centre=CODE, now=at(DAYS[20], "08:00"))
    note_linking(db, linking, at(DAYS[20], "08:00"))
    assert link_slice(db, CODE, linking, size=50) == "more"
    before = db.execute("select kind, occurred_at, source, event_id from subject_linking").fetchone()
    loop = RuleLoop(database, ON, FakeClock(at(DAYS[20], "08:00")))
    loop._open(at(DAYS[20], "08:00"))
    loop.close()
    assert db.execute("select kind, occurred_at, source, event_id from subject_linking").fetchone() == before
    assert before is not None
    assert before[1] is not None
    note_linking(db, linking, at(DAYS[20], "09:00"))
    after = db.execute("select kind, occurred_at, source, event_id, done from subject_linking").fetchone()
    assert after == (*before, False)
    # What another writer, which knew nothing of the rules, wrote behind that point is gone through at the end.
    missed = replace(clocks(DAYS[0], "07:00 - - -")[0], event_id="missed")
    write_events(db, [missed], centre=CODE, now=at(DAYS[20], "08:30"))
    note_linking(db, linking, at(DAYS[20], "09:10"))
    while link_slice(db, CODE, linking, size=50) == "more":
        pass
    assert db.execute("select count(*) from subject_event where subject = 'person:p1'").fetchone() == (81,)


def test_a_case_whose_events_are_gone_is_judged_no_more(database: str, db: Connection) -> None:
    if has_timescale(db):
        pytest.skip("pieces are weeks here; see the native ones")
    begin = at(DAYS[0], "09:00")

    def event(kind: str, when: datetime, case: str) -> Event:
        return Event(
            f"{kind}-{case}", f"case.{kind}", when, "approval", None, when, CODE, "A01", case, "A-001"
        )

    write_events(db, [event("accepted", begin, "old")], centre=CODE, now=begin)
    tick(database, begin + timedelta(days=100))
    later = begin + timedelta(days=500)
    # Of one case the beginning is lost, of another nothing.
    write_events(
        db, [event("received", later, "old"), event("accepted", later, "new")], centre=CODE, now=later
    )
    while roll_events(db, later):
        pass
    for _ in range(3):
        apply_retention(db, later, Keep(event=timedelta(days=366)))
    assert db.execute("select count(*) from event").fetchone() == (2,)
    now = later + timedelta(days=100)
    tick(database, now)
    rows = db.execute(
        "select case_id, rule, state from finding where case_id is not null and rule in"
        " ('time_limit.legal', 'time_limit.promised') order by 1, 2"
    ).fetchall()
    assert rows == [
        (case, f"time_limit.{rule}", "open") for case in ("new", "old") for rule in ("legal", "promised")
    ]
    assert db.execute("select look_at from case_state where case_id = 'old'").fetchone() == (None,)


def test_a_clock_that_is_set_back_makes_no_case_lost(database: str, db: Connection) -> None:
    def accepted(when: datetime, case: str) -> Event:
        return Event(f"e-{case}", "case.accepted", when, "approval", None, when, CODE, "A01", case, "A-001")

    loop = RuleLoop(database, ON, FakeClock(at(DAYS[60], "09:00")))
    for days, case in ((60, "now"), (0, "before")):
        write_events(db, [accepted(at(DAYS[days], "09:00"), case)], centre=CODE, now=at(DAYS[days], "09:00"))
        loop.tick(at(DAYS[60], "10:00"))
    loop.close()
    assert db.execute("select case_id, status from case_state order by 1").fetchall() == [
        ("before", "accepted"),
        ("now", "accepted"),
    ]
