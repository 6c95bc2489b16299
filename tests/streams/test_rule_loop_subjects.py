"""Subjects that are no cases, from the worker's writer through the store to findings: in any order, turned on late, killed between."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from detectors.families import LONGEST
from detectors.family import Family
from detectors.subject_events import facts_of, moment
from detectors.verdict import TICK, Claim, Verdict, settle
from domain.centre import Centre
from domain.centres import Centres
from domain.clock import FakeClock
from domain.events import Event
from domain.findings import Finding
from mingjing.replay import Replay
from store.connection import Connection, connect
from store.dead_letters import list_dead_letters
from store.ingest import write_events
from store.reading import findings
from store.subjects import link_slice, note_linking
from streams.judges import Rules
from streams.linking import linking_of
from streams.rule_loop import RuleLoop
from tests.streams.test_rule_loop import CENTRE as PLAIN
from tests.streams.test_rule_loop import CODE, day

pytestmark = pytest.mark.postgres

#: Complaints are answered within two hours; the section borrowed is a real one, the rules are not.
LIMIT = timedelta(hours=2)


def judge_call(name: str, events: Sequence[Event], centre: Centre, now: datetime) -> Verdict:
    facts = facts_of(events, now)
    opened = next(iter(facts.of("complaint.opened")), None)
    closed = next(iter(facts.of("complaint.closed")), None)
    if name == "broken":
        raise ValueError("nobody can judge this")
    claims = []
    if opened is not None:
        due, end = moment(opened) + LIMIT, None if closed is None else moment(closed)
        if end is None or end > due:
            claims.append(Claim("call.late", "yellow", due, due + TICK, due, end, end))
    found, ahead = settle(claims, now, centre=centre.centre.id, subject=f"call:{name}")
    ahead += [] if facts.ahead is None else [facts.ahead]
    return Verdict(tuple(found), min(ahead, default=None), {"phase": "closed" if closed else "open"})


CALLS = Family(
    name="complaints",
    subject="call",
    kinds=frozenset(("complaint.opened", "complaint.closed")),
    name_of=lambda event, centre: event.data.get("complaint"),
    judge=judge_call,
)
RULES = Rules(families=(CALLS,))


#: The silence of a test's only feed is left out.
QUIET = {"sources": {"feed_silent": 1e6}}


def with_rules(**rules: Any) -> Centre:
    whole = PLAIN.model_dump(mode="json")
    return Centre.model_validate(whole | {"rules": whole["rules"] | QUIET | rules})


CENTRE = with_rules()
ON = with_rules(complaints={})
SHADOW = with_rules(complaints={"shadow": True})


def call(kind: str, when: str, name: str = "17", event_id: str = "") -> Event:
    return Event(
        event_id=event_id or f"{kind}@{when}@{name}",
        kind=f"complaint.{kind}",
        occurred_at=day(when),
        source="hotline",
        received_at=day(when),
        centre=CODE,
        data={"complaint": name},
    )


@pytest.fixture
def db(database: str) -> Iterator[Connection]:
    with connect(database, autocommit=True) as connection:
        yield connection


@pytest.fixture
def dsn(database: str) -> str:
    return database


def write(db: Connection, centre: Centre, *events: Event, now: str) -> None:
    write_events(
        db, list(events), centre=CODE, now=day(now), linking=linking_of({CODE: centre}, RULES.families)
    )


def tick(loop: RuleLoop, now: str) -> None:
    while loop.tick(day(now)).more:
        pass


def loop_of(dsn: str, centre: Centre, **more: Any) -> RuleLoop:
    return RuleLoop(dsn, centre, FakeClock(day("11-20 09:00")), rules=RULES, **more)


Row = tuple[object, ...]


def row_of(found: Any) -> Row:
    return (found.finding_id, found.rule, found.opened_at, found.closed_at, found.due_at, found.state)


def said(db: Connection) -> set[Row]:
    return {row_of(f) for f in findings(db, CODE, state=None, limit=1000) if f.state != "revoked"}


def replayed(centre: Centre, events: Sequence[Event], now: str) -> set[Row]:
    run = Replay(Centres.of(centre), families=RULES.families)
    for number, each in enumerate(events, 1):
        run._take(number, each, "")
    return {row_of(finding) for group in run.judge(day(now)) for finding in group}


def test_a_subject_is_found_late_closed_and_never_asked_about_again(dsn: str, db: Connection) -> None:
    told: list[tuple[Finding, str]] = []
    loop = loop_of(dsn, ON, plan=lambda _db, changes, _now: told.extend(changes))
    write(db, ON, call("opened", "11-20 09:00"), now="11-20 09:00")
    tick(loop, "11-20 10:59")
    assert said(db) == set()
    assert loop.tick(day("11-20 11:00")).next_look == day("11-20 11:00") + TICK
    tick(loop, "11-20 11:01")
    (found,) = findings(db, CODE)
    assert (found.rule, found.opened_at, found.state) == ("call.late", day("11-20 11:00"), "open")
    assert db.execute("select subject from finding").fetchall() == [("call:17",)]
    write(db, ON, call("closed", "11-20 12:00"), now="11-20 12:00")
    tick(loop, "11-20 12:01")
    assert [kind for _, kind in told] == ["opened", "closed"]
    assert db.execute("select look_at, judged_events, status ->> 'phase' from subject_state").fetchall() == [
        (None, 2, "closed")
    ]
    loop.close()


def test_a_late_arrival_revokes_with_its_reason(dsn: str, db: Connection) -> None:
    loop = loop_of(dsn, ON)
    write(db, ON, call("opened", "11-20 09:00"), now="11-20 09:00")
    tick(loop, "11-20 12:00")
    write(db, ON, call("closed", "11-20 10:00", event_id="late"), now="11-20 13:00")
    tick(loop, "11-20 13:00")
    assert db.execute("select state, revoked_by from finding").fetchall() == [("revoked", "late")]
    loop.close()


def test_without_families_nothing_is_linked_and_nothing_is_asked(dsn: str, db: Connection) -> None:
    assert linking_of({CODE: CENTRE}, RULES.families) is None
    write(db, CENTRE, call("opened", "11-20 09:00"), now="11-20 09:00")
    loop = loop_of(dsn, CENTRE)
    tick(loop, "11-20 15:00")
    counts = db.execute(
        "select (select count(*) from subject_event), (select count(*) from subject_state),"
        " (select count(*) from subject_linking), (select count(*) from finding where subject like 'call:%')"
    ).fetchone()
    assert counts == (0, 0, 0, 0)
    loop.close()


def test_a_family_turned_on_later_finds_what_was_stored_before(dsn: str, db: Connection) -> None:
    events = [call("opened", f"11-20 09:{n:02}", f"n{n}") for n in range(50)]
    events += [call("closed", "11-20 10:00", f"n{n}") for n in range(0, 50, 2)]
    write(db, CENTRE, *events, now="11-20 10:00")
    loop = loop_of(dsn, ON)
    tick(loop, "11-20 15:00")
    assert said(db) == replayed(ON, events, "11-20 15:00")
    assert len(said(db)) == 25
    loop.close()
    # And off again: nobody is told any more of what nobody watches, and nothing is forgotten.
    off = loop_of(dsn, CENTRE)
    tick(off, "11-20 15:05")
    assert said(db) == set()
    assert db.execute("select count(*) from finding where state = 'revoked'").fetchone() == (25,)
    off.close()


def test_older_events_are_linked_in_slices_that_go_on_after_a_kill(dsn: str, db: Connection) -> None:
    events = [
        call(kind, f"11-20 09:{n % 60:02}", f"n{n}") for n in range(25) for kind in ("opened", "closed")
    ]
    write(db, CENTRE, *events, now="11-20 10:00")
    made = linking_of({CODE: ON}, RULES.families)
    assert made is not None
    note_linking(db, made, day("11-20 10:00"))
    answers = []
    for _ in range(20):
        with connect(dsn, autocommit=True) as killed:
            try:
                with killed.transaction():
                    link_slice(killed, CODE, made, size=7)
                    raise KeyboardInterrupt
            except KeyboardInterrupt:
                pass  # half a slice leaves nothing behind
        answers.append(link_slice(db, CODE, made, size=7))
        if answers[-1] == "done":
            break
    assert answers == ["more"] * (len(answers) - 1) + ["done"]
    assert 7 <= len(answers) <= 10
    assert db.execute("select count(*), count(distinct subject) from subject_event").fetchone() == (50, 25)
    assert link_slice(db, CODE, made) == "done"


def test_while_another_loop_links_nobody_judges(dsn: str, db: Connection) -> None:
    write(db, CENTRE, call("opened", "11-20 09:00"), now="11-20 09:00")
    made = linking_of({CODE: ON}, RULES.families)
    assert made is not None
    note_linking(db, made, day("11-20 10:00"))
    with connect(dsn) as other:
        other.execute("select from subject_linking for update")
        assert link_slice(db, CODE, made) == "elsewhere"
    assert link_slice(db, CODE, made) == "done"


def test_what_an_old_worker_wrote_meanwhile_is_linked_when_the_next_one_begins(
    dsn: str, db: Connection
) -> None:
    made = linking_of({CODE: ON}, RULES.families)
    note_linking(db, made, day("11-20 09:00"))
    loop = loop_of(dsn, ON)
    tick(loop, "11-20 09:00")
    write(db, CENTRE, call("opened", "11-20 09:01"), now="11-20 09:01")  # by one that knows no families
    tick(loop, "11-20 15:00")
    assert said(db) == set()
    note_linking(db, made, day("11-20 15:01"))
    tick(loop, "11-20 15:01")
    assert len(said(db)) == 1
    loop.close()


def test_a_subject_that_cannot_be_judged_stops_nobody(dsn: str, db: Connection) -> None:
    write(
        db, ON, call("opened", "11-20 09:00", "broken"), call("opened", "11-20 09:00", "x"), now="11-20 09:00"
    )
    loop = loop_of(dsn, ON)
    tick(loop, "11-20 12:00")
    assert len(said(db)) == 1
    (letter,) = list_dead_letters(db)
    assert (letter.place, letter.code) == ("call:broken", "judge_failed")
    assert db.execute("select failures from subject_state where subject = 'call:broken'").fetchone() == (1,)
    loop.close()


def test_a_family_that_cannot_name_loses_no_event(db: Connection) -> None:
    def fails(event: Event, centre: Centre) -> str | None:
        raise KeyError("complaint")

    broken = linking_of({CODE: ON}, [replace(CALLS, name_of=fails)])
    written = write_events(
        db, [call("opened", "11-20 09:00")], centre=CODE, now=day("11-20 09:00"), linking=broken
    )
    assert written.new == 1


def test_long_names_stay_apart_and_fit(dsn: str, db: Connection) -> None:
    one, other = "长" * 5000 + "1", "长" * 5000 + "2"
    events = [call("opened", "11-20 09:00", one, "a"), call("opened", "11-20 09:00", other, "b")]
    write(db, ON, *events, now="11-20 09:00")
    loop = loop_of(dsn, ON)
    tick(loop, "11-20 12:00")
    assert len(said(db)) == 2
    assert said(db) == replayed(ON, events, "11-20 12:00")
    (longest,) = db.execute("select max(length(subject)) from subject_state").fetchone() or (0,)
    assert longest <= LONGEST
    loop.close()


def test_shadow_findings_are_kept_and_not_issued(dsn: str, db: Connection) -> None:
    told: list[tuple[Finding, str]] = []
    loop = loop_of(dsn, SHADOW, plan=lambda _db, changes, _now: told.extend(changes))
    write(db, SHADOW, call("opened", "11-20 09:00"), now="11-20 09:00")
    tick(loop, "11-20 12:00")
    tick(loop, "11-20 12:00")
    assert (findings(db, CODE, state=None), told) == ([], [])
    assert db.execute("select rule, state from shadow_finding").fetchall() == [("call.late", "open")]
    assert db.execute("select count(*) from evidence where kind like 'finding.%'").fetchone() == (0,)
    write(db, SHADOW, call("closed", "11-20 12:30"), now="11-20 12:30")
    tick(loop, "11-20 12:30")
    assert db.execute("select state, closed_at from shadow_finding").fetchall() == [
        ("closed", day("11-20 12:30"))
    ]
    loop.close()
    # Switched on: the card is opened with its message, and the shadow is over.
    loud = loop_of(dsn, ON, plan=lambda _db, changes, _now: told.extend(changes))
    tick(loud, "11-20 13:00")
    assert [kind for _, kind in told] == ["opened", "closed"]
    assert db.execute("select state from shadow_finding").fetchall() == [("revoked",)]
    loud.close()


def test_subjects_wait_while_the_log_is_behind(dsn: str, db: Connection) -> None:
    write(db, ON, call("opened", "11-20 09:00"), now="11-20 09:00")
    db.execute(
        "insert into heartbeat (role, instance, at, real_at) values ('worker', '1', now(), now() - interval '1 hour')"
    )
    loop = loop_of(dsn, ON)
    assert loop.tick(day("11-20 12:00")).held == "worker_silent"
    assert said(db) == set()
    db.execute("delete from heartbeat where role = 'worker'")
    tick(loop, "11-20 12:00")
    assert len(said(db)) == 1
    loop.close()


_TABLES = (
    "event, event_key, case_state, finding, finding_step, dead_letter, source_state, window_state, heartbeat, outbox,"
    " subject_state, subject_event, subject_linking, shadow_finding"
)


@st.composite
def histories(draw: st.DrawFn) -> list[Event]:
    return [
        call(
            draw(st.sampled_from(["opened", "closed"])),
            f"11-{draw(st.integers(2, 20)):02} {draw(st.integers(8, 17)):02}:00",
            draw(st.sampled_from(["1", "2"])),
            f"e{n}",
        )
        for n in range(draw(st.integers(1, 7)))
    ]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(events=histories(), data=st.data())
def test_any_order_and_any_kill_ends_where_replay_does(
    dsn: str, db: Connection, events: list[Event], data: st.DataObject
) -> None:
    arriving = [*data.draw(st.permutations(events)), events[0]]
    on_from = data.draw(st.integers(0, len(arriving)))
    db.execute(f"truncate {_TABLES} cascade")
    loop = loop_of(dsn, ON if on_from == 0 else CENTRE)
    for number, each in enumerate(arriving):
        centre = ON if number >= on_from else CENTRE
        if number == on_from or data.draw(st.booleans()):
            loop.close()  # killed, and started again under the file of the day
            loop = loop_of(dsn, centre, batch=1)
        write(db, centre, each, now=f"11-{10 + number:02} 12:00")
        tick(loop, f"11-{10 + number:02} 12:00")
    loop.close()
    loop = loop_of(dsn, ON)
    tick(loop, "12-20 12:00")
    loop.close()
    assert said(db) == replayed(ON, events, "12-20 12:00")
