"""The rule loop on a real database with the real rules."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from detectors.cases import judge_case
from detectors.verdict import Verdict
from domain.centre import Centre
from domain.clock import Clock, FakeClock
from domain.events import Event
from domain.findings import Finding
from domain.observations import Observation
from store import judging
from store.connection import PASSING, Connection, connect, explain
from store.dead_letters import list_dead_letters
from store.ingest import write_events
from store.migrate import migrate
from store.observations import write_observations
from store.reading import finding_steps, findings
from streams.judges import Rules
from streams.rule_loop import PUSH_AHEAD, RuleLoop
from tests.store.making import look

pytestmark = pytest.mark.postgres

CODE = "530502"
CENTRE = Centre.model_validate(
    {
        "centre": {"id": CODE, "timezone": "Asia/Shanghai", "office_hours": ["09:00-12:00", "13:30-17:00"]},
        "items": [
            {
                "code": "A-001",
                "legal_limit": {"days": 20},
                "promised_limit": {"days": 7},
                "supplement_limit": 5,
            },
            {"code": "A-002", "legal_limit": {"days": 10}, "promised_limit": {"days": 3}},
        ],
        "windows": [{"id": "A01"}],
    }
)


WATCHED = Centre.model_validate(
    CENTRE.model_dump()
    | {
        "cameras": [
            {
                "id": "K1",
                "url": "sim://K1",
                "posts": [{"name": "p1", "window": "A01", "polygon": [[0, 0], [1, 0], [1, 1]]}],
            }
        ],
    }
)


def day(text: str) -> datetime:
    """ "11-20 09:30" of 2026 in China."""
    return datetime.fromisoformat(f"2026-{text.replace(' ', 'T')}:00+08:00").astimezone(UTC)


def event(kind: str, when: str, event_id: str = "", case: str = "C1", **data: Any) -> Event:
    return Event(
        event_id=event_id or f"{kind}@{when}",
        kind=kind if "." in kind else f"case.{kind}",
        occurred_at=day(when),
        source="approval",
        received_at=day(when),
        centre=CODE,
        case=case,
        window="A01",
        item="A-001",
        data=data,
    )


@pytest.fixture
def db(database: str) -> Iterator[Connection]:
    with connect(database, autocommit=True) as connection:
        yield connection


@pytest.fixture
def loop(database: str) -> Iterator[RuleLoop]:
    loop = RuleLoop(database, CENTRE, FakeClock(day("11-01 00:00")))
    yield loop
    loop.close()


@pytest.fixture
def watching(database: str) -> Iterator[RuleLoop]:
    """A loop for the centre with a camera."""
    loop = RuleLoop(database, WATCHED, FakeClock(day("11-01 00:00")))
    yield loop
    loop.close()


def write(db: Connection, *events: Event, now: str = "11-20 09:00") -> None:
    write_events(db, list(events), centre=CODE, now=day(now))


def shown(db: Connection, state: str | None = None) -> list[tuple[str, str]]:
    """(rule, state) of what is found about cases and windows; the silence of a test's only feed is left out."""
    return sorted(
        (row.rule, row.state) for row in findings(db, CODE, state=state) if row.rule != "source.silent"
    )


def steps(db: Connection, rule: str) -> list[str]:
    (row,) = [row for row in findings(db, CODE, state=None) if row.rule == rule]
    return [step.step for step in finding_steps(db, row.finding_id)]


# Accepted on Monday 2 November: promised on 11-11, legal on 11-30, notice from 11-09.


def test_a_case_is_looked_at_when_its_answer_can_change_and_not_before(
    db: Connection, loop: RuleLoop
) -> None:
    write(db, event("accepted", "11-02 10:00"))
    first = loop.tick(day("11-02 10:01"))
    assert (first.judged, first.changed) == (2, 0)  # the case, and its source
    assert loop.tick(day("11-02 10:01")).judged == 0
    row = db.execute("select look_at, status, started_at, promised_due, legal_due from case_state").fetchone()
    assert row == (day("11-09 09:00"), "accepted", day("11-02 10:00"), day("11-11 17:00"), day("11-30 17:00"))
    loop.tick(day("11-09 09:00"))
    assert shown(db) == [("time_limit.notice", "open")]
    loop.tick(day("11-11 17:01"))
    assert shown(db) == [("time_limit.notice", "closed"), ("time_limit.promised", "open")]
    loop.tick(day("12-01 09:00"))
    assert shown(db, "open") == [("time_limit.legal", "open"), ("time_limit.promised", "open")]
    write(db, event("decided", "12-01 10:00", result="granted"))
    last = loop.tick(day("12-01 10:01"))
    assert shown(db, "open") == []
    assert steps(db, "time_limit.legal") == ["opened", "closed"]
    assert last.changed == 2


def test_every_change_is_planned_once_and_in_the_same_transaction(db: Connection, database: str) -> None:
    told: list[tuple[str, str]] = []

    def plan(connection: Connection, changes: Sequence[tuple[Finding, str]], now: datetime) -> None:
        for finding, change in changes:
            # The finding is already there for what refers to it.
            assert connection.execute(
                "select 1 from finding where finding_id = %s", [finding.finding_id]
            ).fetchone()
            if finding.case is not None:
                told.append((finding.rule, change))

    loop = RuleLoop(database, CENTRE, FakeClock(day("11-01 00:00")), plan=plan)
    write(db, event("accepted", "11-02 10:00"))
    for moment in ("11-02 10:01", "11-12 09:00", "11-12 09:01", "11-13 09:00"):
        loop.tick(day(moment))
    loop.close()
    assert told == [
        ("time_limit.notice", "opened"),
        ("time_limit.notice", "closed"),
        ("time_limit.promised", "opened"),
    ]


def test_a_late_event_revokes_what_it_proves_wrong_and_says_so(db: Connection, loop: RuleLoop) -> None:
    write(db, event("accepted", "11-02 10:00"))
    loop.tick(day("11-12 09:00"))
    assert ("time_limit.promised", "open") in shown(db)
    write(db, event("decided", "11-10 15:00", "late", result="granted"), now="11-13 09:00")
    loop.tick(day("11-13 09:00"))
    assert shown(db) == [("time_limit.notice", "closed"), ("time_limit.promised", "revoked")]
    (card,) = findings(db, CODE, state="revoked")
    assert card.revoked_by == "late"
    assert card.revoked_at == day("11-13 09:00")
    assert "case.decided" in (card.revoked_reason or "")
    assert steps(db, "time_limit.promised") == ["opened", "revoked"]


def test_a_revoked_finding_that_is_right_after_all_is_reopened(db: Connection, database: str) -> None:
    closed = CENTRE.model_dump(mode="json")
    closed["calendar"]["holidays"] = ["2026-11-04"]
    write(db, event("accepted", "11-02 10:00"))
    for minute, centre in enumerate((CENTRE, Centre.model_validate(closed), CENTRE)):
        loop = RuleLoop(database, centre, FakeClock(day("11-01 00:00")))
        loop.tick(day(f"11-12 09:0{minute}"))
        loop.close()
    assert ("time_limit.promised", "open") in shown(db)
    (card,) = [row for row in findings(db, CODE) if row.rule == "time_limit.promised"]
    assert (card.revoked_at, card.revoked_reason) == (None, None)
    assert steps(db, "time_limit.promised") == ["opened", "revoked", "reopened"]


def test_the_limits_in_force_at_the_start_stay_with_the_case(
    db: Connection, database: str, loop: RuleLoop
) -> None:
    write(db, event("accepted", "11-02 10:00"), event("received", "11-02 10:00", case="C2"))
    loop.tick(day("11-02 10:01"))
    shorter = CENTRE.model_dump(mode="json")
    shorter["items"][0]["promised_limit"]["days"] = 1
    other = RuleLoop(database, Centre.model_validate(shorter), FakeClock(day("11-01 00:00")))
    write(db, event("accepted", "11-04 10:00", case="C2"))
    other.tick(day("11-04 10:01"))
    other.close()
    rows = db.execute("select case_id, promised_due from case_state order by 1").fetchall()
    assert rows == [("C1", day("11-11 17:00")), ("C2", day("11-05 17:00"))]


def test_a_changed_calendar_is_applied_to_running_cases(
    db: Connection, database: str, loop: RuleLoop
) -> None:
    write(db, event("accepted", "11-02 10:00"))
    loop.tick(day("11-12 09:00"))
    closed = CENTRE.model_dump(mode="json")
    closed["calendar"]["holidays"] = ["2026-11-04", "2026-11-05"]
    other = RuleLoop(database, Centre.model_validate(closed), FakeClock(day("11-01 00:00")))
    other.tick(day("11-12 09:01"))
    other.close()
    assert db.execute("select promised_due from case_state").fetchone() == (day("11-13 17:00"),)
    (card,) = [row for row in findings(db, CODE, state="revoked") if row.rule == "time_limit.promised"]
    assert card.revoked_by is None
    assert "calendar" in (card.revoked_reason or "")


def test_an_event_without_effect_lies_in_the_dead_letters_until_it_has_one(
    db: Connection, loop: RuleLoop
) -> None:
    finished = event("stage_finished", "11-04 10:00", stage="review")
    write(
        db, event("accepted", "11-02 10:00"), finished, event("stage_started", "11-05 10:00", stage="review")
    )
    for _ in range(2):
        loop.tick(day("11-05 10:01"))
        db.execute("update case_state set look_at = '-infinity'")
    (letter,) = list_dead_letters(db)
    assert (letter.origin, letter.place, letter.state, letter.times) == ("fold", "case:C1", "waiting", 1)
    write(db, event("stage_started", "11-03 10:00", stage="review"))
    loop.tick(day("11-05 10:02"))
    assert list_dead_letters(db) == []
    (letter,) = list_dead_letters(db, state=None)
    assert letter.state == "resolved"


def test_one_case_that_cannot_be_judged_stops_nobody(db: Connection, database: str) -> None:
    def judge(events: Any, centre: Centre, now: datetime) -> Verdict:
        events = list(events)
        if broken and events[0].case == "C1":
            raise ZeroDivisionError("a fault of ours")
        return judge_case(events, centre, now)

    broken = True
    loop = RuleLoop(database, CENTRE, FakeClock(day("11-01 00:00")), Rules(case=judge))
    write(db, event("accepted", "11-02 10:00"), event("accepted", "11-02 10:00", "2", case="C2"))
    now = day("11-12 09:00")
    result = loop.tick(now)
    assert result.failed == 1
    assert {row.case for row in findings(db, CODE, state=None) if row.case} == {"C2"}
    assert db.execute("select look_at, failures from case_state where case_id = 'C1'").fetchone() == (
        now + PUSH_AHEAD,
        1,
    )
    (letter,) = list_dead_letters(db)
    assert (letter.code, letter.place) == ("judge_failed", "case:C1")
    assert "a fault of ours" in letter.reason
    broken = False
    assert loop.tick(now + PUSH_AHEAD).failed == 0
    loop.close()
    assert {row.case for row in findings(db, CODE, state=None) if row.case} == {"C1", "C2"}
    assert list_dead_letters(db) == []


def test_messages_that_cannot_be_planned_take_the_finding_back_with_them(
    db: Connection, database: str
) -> None:
    def plan(connection: Connection, changes: Sequence[tuple[Finding, str]], now: datetime) -> None:
        if any(finding.case is not None for finding, _ in changes):
            raise KeyError("no such person")

    loop = RuleLoop(database, CENTRE, FakeClock(day("11-01 00:00")), plan=plan)
    write(db, event("accepted", "11-02 10:00"))
    assert loop.tick(day("11-12 09:00")).failed == 1
    loop.close()
    assert shown(db) == []
    assert list_dead_letters(db)[0].code == "judge_failed"


def test_one_answer_that_cannot_be_written_does_not_take_its_batch_with_it(
    db: Connection, database: str
) -> None:
    told: list[tuple[str | None, str, str]] = []

    def plan(connection: Connection, changes: Sequence[tuple[Finding, str]], now: datetime) -> None:
        if any(finding.case == "C2" for finding, _ in changes):
            connection.execute("select 1 / 0")
        told.extend((finding.case, finding.rule, change) for finding, change in changes)

    loop = RuleLoop(database, CENTRE, FakeClock(day("11-01 00:00")), plan=plan)
    write(db, *(event("accepted", "11-02 10:00", case=case, event_id=case) for case in ("C1", "C2", "C3")))
    result = loop.tick(day("11-12 09:00"))
    loop.close()
    assert result.failed == 1
    # The others are written and told of, once, with all their steps.
    assert {row.case for row in findings(db, CODE, state=None) if row.case} == {"C1", "C3"}
    assert len([each for each in told if each[0] is not None]) == 6
    assert len(told) == len(set(told))
    (steps_written,) = db.execute(
        "select count(*) from finding_step join finding using (finding_id) where case_id is not null"
    ).fetchone() or (0,)
    assert steps_written == 6
    assert [letter.place for letter in list_dead_letters(db)] == ["case:C2"]


def test_a_batch_grows_and_shrinks_with_the_time_its_rows_are_held(db: Connection, database: str) -> None:
    moment = step = 0.0

    def real_time() -> float:
        nonlocal moment
        moment += step
        return moment

    write(db, *(event("accepted", "11-02 10:00", case=f"C{n}", event_id=str(n)) for n in range(400)))
    loop = RuleLoop(
        database, CENTRE, FakeClock(day("11-01 00:00")), batch=20, batches=1, beats=False, real_time=real_time
    )
    loop.tick(day("11-01 00:00"))  # makes itself at home, and judges the first twenty and their source
    judged = []
    for step in (0.0, 10.0, 10.0, 10.0, 10.0):
        judged.append(loop.tick(day("11-02 10:01")).judged)
    loop.close()
    assert judged == [40, 80, 40, 20, 10]


def test_nobody_at_the_window_for_ten_minutes_is_a_finding_and_closes_with_the_return(
    db: Connection, watching: RuleLoop
) -> None:
    def see(state: Any, minutes: float) -> None:
        write_observations(db, [look(state, minutes)], now=moment(minutes))

    def moment(minutes: float) -> datetime:
        return day("11-20 09:00") + timedelta(minutes=minutes)

    see("present", 5)
    for step in range(0, 45):
        see("absent", 6 + step / 4)
        watching.tick(moment(6 + step / 4))
    assert shown(db, "open") == [("absence.notice", "open")]
    see("present", 17.25)
    watching.tick(moment(17.25))
    assert shown(db) == [("absence.notice", "closed")]
    assert db.execute("select presence from window_state").fetchone() == ("present",)


def test_a_window_nobody_vouches_for_is_unknown(db: Connection, watching: RuleLoop) -> None:
    write_observations(db, [look("present", 30)], now=day("11-20 09:30"))
    watching.tick(day("11-20 09:30"))
    result = watching.tick(day("11-20 09:36"))
    assert result.judged > 0
    assert db.execute("select presence, reason from window_state").fetchone() == ("unknown", "stale")


def test_a_camera_that_falls_silent_is_found_and_again_when_it_does_so_again(
    db: Connection, watching: RuleLoop
) -> None:
    def see(minutes: float) -> None:
        now = day("11-20 09:00") + timedelta(minutes=minutes)
        write_observations(db, [look("present", minutes)], now=now)
        watching.tick(now)

    def silence() -> list[str]:
        return [row.state for row in findings(db, CODE, state=None) if row.rule == "source.silent"]

    see(10)
    assert silence() == []
    watching.tick(day("11-20 09:20"))
    assert silence() == ["open"]
    see(30)
    assert silence() == ["closed"]
    see(30.5)
    watching.tick(day("11-20 09:45"))
    assert sorted(silence()) == ["closed", "open"]


def test_a_camera_that_never_speaks_is_found(db: Connection, watching: RuleLoop) -> None:
    watching.tick(day("11-20 09:00"))
    watching.tick(day("11-20 09:10"))
    (row,) = findings(db, CODE)
    assert (row.rule, row.subject, row.window) == ("source.silent", "source:camera:K1", "A01")


def test_a_camera_that_fails_with_its_site_is_not_found_apart_until_the_incident_is_over(
    db: Connection, watching: RuleLoop
) -> None:
    def site(minutes: float, ended: float | None = None) -> Observation:
        moment = day("11-20 09:00") + timedelta(minutes=minutes)
        until = None if ended is None else day("11-20 09:00") + timedelta(minutes=ended)
        return Observation(
            f"site{ended}", "site.state", CODE, "hall", until or moment, "unknown" if until is None else "present",
            reason="together", since=moment, until=until, looks_expected=2, cameras=("K1", "K2"),
        )  # fmt: skip

    def silent() -> list[tuple[str, str]]:
        rows = findings(db, CODE, state=None)
        return sorted((row.subject, row.state) for row in rows if row.rule == "source.silent")

    write_observations(db, [look("present", 10), site(10.2)], now=day("11-20 09:11"))
    watching.tick(day("11-20 09:11"))
    watching.tick(day("11-20 09:20"))
    assert silent() == [("source:site:hall", "open")]
    write_observations(db, [site(10.2, ended=25)], now=day("11-20 09:25"))
    watching.tick(day("11-20 09:25"))
    assert silent() == [("source:site:hall", "closed")]
    watching.tick(day("11-20 09:27"))
    assert silent() == [("source:camera:K1", "open"), ("source:site:hall", "closed")]


def test_it_wakes_at_once_for_an_event_and_stops_when_told(db: Connection, database: str) -> None:
    clock = Clock(time.time, real_start=time.time(), sim_start=day("11-12 09:00").timestamp(), speed=60)
    loop = RuleLoop(database, CENTRE, clock)
    stop = threading.Event()
    runner = threading.Thread(target=loop.run, args=(stop,))
    runner.start()
    try:
        _until(lambda: db.execute("select 1 from heartbeat where role = 'rules'").fetchone())
        began = time.monotonic()
        write_events(db, [event("accepted", "11-02 10:00")], centre=CODE, now=clock.now())
        _until(lambda: shown(db))
        assert time.monotonic() - began < 3
    finally:
        stop.set()
        runner.join(10)
    assert not runner.is_alive()


def _until(condition: Any, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "did not happen in time"
        time.sleep(0.02)


def test_it_waits_for_a_database_that_is_not_migrated_yet(empty_database: str) -> None:
    loop = RuleLoop(empty_database, CENTRE, FakeClock(day("11-12 09:00")))
    stop = threading.Event()
    runner = threading.Thread(target=loop.run, args=(stop,))
    runner.start()
    try:
        time.sleep(0.3)
        assert runner.is_alive()
        migrate(empty_database)
        with connect(empty_database, autocommit=True) as db:
            _until(lambda: db.execute("select 1 from heartbeat where role = 'rules'").fetchone())
    finally:
        stop.set()
        runner.join(10)


def test_a_broken_connection_costs_one_tick_and_nothing_else(db: Connection, loop: RuleLoop) -> None:
    loop.tick(day("11-02 10:00"))
    write(db, event("accepted", "11-02 10:00"))
    db.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'mingjing rules'"
        " and datname = current_database()"
    )
    with pytest.raises(psycopg.OperationalError):
        loop.tick(day("11-12 09:00"))
    loop.tick(day("11-12 09:00"))
    assert ("time_limit.promised", "open") in shown(db)


def test_several_loops_judge_each_case_once_while_events_go_on_arriving(database: str) -> None:
    cases = [f"C{number}" for number in range(40)]
    accepted = [replace(event("accepted", "11-02 10:00", f"a{case}", case=case)) for case in cases]
    decided = [event("decided", "11-20 10:00", f"d{case}", case=case, result="denied") for case in cases]
    now = day("11-23 09:00")
    told: list[tuple[str, str, str]] = []
    done = threading.Event()
    failures: list[BaseException] = []

    def plan(connection: Connection, changes: Sequence[tuple[Finding, str]], now: datetime) -> None:
        told.extend((finding.finding_id, finding.rule, change) for finding, change in changes)

    def judge() -> None:
        loop = RuleLoop(database, CENTRE, FakeClock(now), plan=plan, batch=7)
        try:
            while True:
                last = done.is_set()
                if loop.tick(now).judged == 0 and last:
                    return
        except BaseException as error:
            failures.append(error)
        finally:
            loop.close()

    def ingest(events: list[Event]) -> None:
        with connect(database, autocommit=True) as connection:
            for start in range(0, len(events), 5):
                write_events(connection, events[start : start + 5], centre=CODE, now=now)

    judges = [threading.Thread(target=judge) for _ in range(3)]
    writers = [threading.Thread(target=ingest, args=(events,)) for events in (accepted, decided[::-1])]
    for thread in judges + writers:
        thread.start()
    for thread in writers:
        thread.join(30)
    done.set()
    for thread in judges:
        thread.join(30)
    assert failures == []
    with connect(database) as connection:
        rows = connection.execute(
            "select count(*), count(distinct case_id), count(*) filter (where state = 'closed') from finding"
            " where rule = 'time_limit.promised'"
        ).fetchone()
        assert rows == (40, 40, 40)
        assert connection.execute("select count(*) from case_state where stopped_at is null").fetchone() == (
            0,
        )
    # Nothing was said twice of one finding.
    assert len(told) == len(set(told))


def test_an_observation_that_comes_late_revokes_the_absence_it_disproves(
    db: Connection, watching: RuleLoop
) -> None:
    def moment(minutes: float) -> datetime:
        return day("11-20 09:00") + timedelta(minutes=minutes)

    def see(observations: list[Any], minutes: float) -> None:
        write_observations(db, observations, now=moment(minutes))
        watching.tick(moment(minutes))

    absent = [look("absent", 1 + step / 2, since=0.4 + step / 2) for step in range(30)]
    see(absent, 16)
    assert ("absence.notice", "open") in shown(db)
    see([look("present", 17)], 17)
    assert ("absence.notice", "closed") in shown(db)
    # Somebody was there all the same in between: two runs of less than ten minutes, instead of one of fifteen.
    see([look("present", 8.2, since=8.1, kind="post.state")], 18)
    assert shown(db) == [("absence.notice", "revoked"), ("absence.yellow", "revoked")]


def test_rows_that_take_too_long_together_are_judged_in_smaller_batches(
    db: Connection, loop: RuleLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(db, *(event("accepted", "11-02 09:00", f"e{n}", f"C{n}") for n in range(30)), now="11-02 09:00")
    claim, sizes = judging.claim_due, []

    def slow(connection: Connection, kind: Any, centre: str, now: datetime, limit: int) -> Any:
        if kind == "case":
            sizes.append(limit)
        if limit > 8:
            connection.execute("set local statement_timeout = '1ms'")
            connection.execute("select pg_sleep(1)")
        return claim(connection, kind, centre, now, limit)

    monkeypatch.setattr(judging, "claim_due", slow)
    said = []
    for _ in range(20):
        try:
            while loop.tick(day("11-20 09:00")).judged:
                pass
            break
        except PASSING as error:
            said.append(explain(error))
    assert all("longer than its limit" in each for each in said)
    assert min(sizes) <= 8 < max(sizes)
    assert db.execute("select count(*) from finding where severity = 'yellow'").fetchone() == (30,)
