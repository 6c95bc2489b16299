from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from dashboard.demo_snapshot import NOON, demo_centre
from dashboard.facts import Snapshot
from dashboard.hours import OpenHours
from dashboard.source import StoreSource
from domain.centre import Centre
from store.province import province_rows

BASE = demo_centre(12)
CENTRE = Centre.model_validate(
    BASE.model_dump()
    | {
        "windows": [
            {**window.model_dump(), "open_hours": {"sat": ["10:00-12:00"], "mon": ["08:00-12:00"]}}
            if window.id == "A02"
            else window.model_dump()
            for window in BASE.windows
        ],
        "cameras": [
            {
                "id": "K1",
                "url": "sim://k1",
                "posts": [
                    {"name": "p", "window": window, "polygon": [[0, 0], [1, 0], [1, 1]]}
                    for window in ("A01", "B02")
                ],
            }
        ],
    }
)


@pytest.fixture
def source(database: str) -> Iterator[StoreSource]:
    made = StoreSource(database, CENTRE)
    yield made
    made.close()


@pytest.fixture
def sql(database: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database, autocommit=True) as connection:
        yield connection


def by_id(snapshot: Snapshot) -> dict:
    return {window.window: window for window in snapshot.windows}


def add_window(sql: psycopg.Connection, window: str, presence: str = "present", **columns: object) -> None:
    values = {
        "since": NOON - timedelta(minutes=9),
        "seen_at": NOON,
        "method": "detector",
        "reason": None,
    } | columns
    sql.execute(
        "insert into window_state (centre, window_id, presence, reason, since, seen_at, method)"
        " values ('530502', %s, %s, %s, %s, %s, %s)",
        [window, presence, values["reason"], values["since"], values["seen_at"], values["method"]],
    )


def add_finding(sql: psycopg.Connection, finding_id: str, window: str, severity: str = "red") -> None:
    sql.execute(
        "insert into finding (finding_id, rule, severity, centre, case_id, window_id, subject, opened_at, state, due_at,"
        " explain, issued_at, updated_at) values (%(id)s, 'time_limit.legal', %(severity)s, '530502', 'C1', %(window)s,"
        " 'case:C1', %(at)s, 'open', %(at)s, '{\"first_day_out\": \"2026-11-20\"}', %(at)s, %(at)s)",
        {"id": finding_id, "severity": severity, "window": window, "at": NOON - timedelta(hours=2)},
    )


def test_an_empty_store_gives_every_window_of_the_file_with_nothing_known(source: StoreSource):
    snapshot = source.read(NOON)
    assert [window.window for window in snapshot.windows] == [window.id for window in CENTRE.windows]
    assert all(window.presence is None for window in snapshot.windows)
    assert by_id(snapshot)["A01"].has_camera
    assert not by_id(snapshot)["A03"].has_camera


def test_state_and_findings_reach_their_window(source: StoreSource, sql: psycopg.Connection):
    add_window(sql, "B02")
    add_finding(sql, "f1", "B02")
    snapshot = source.read(NOON)
    window = by_id(snapshot)["B02"]
    assert (window.presence, window.method) == ("present", "detector")
    assert [finding.finding_id for finding in window.findings] == ["f1"]
    assert snapshot.totals.red == 1


def test_a_camera_that_is_down_makes_its_windows_unknown_at_once(
    source: StoreSource, sql: psycopg.Connection
):
    add_window(sql, "A01")
    sql.execute(
        "insert into camera_state (centre, camera, state, reason, since, seen_at)"
        " values ('530502', 'K1', 'unknown', 'unreachable', %s, %s)",
        [NOON, NOON],
    )
    window = by_id(source.read(NOON))["A01"]
    assert (window.presence, window.reason) == ("unknown", "unreachable")


def test_the_wall_gives_its_own_sign_of_life(source: StoreSource, sql: psycopg.Connection):
    source.read(NOON)
    assert sql.execute("select role, at from heartbeat").fetchall() == [("wall", NOON)]


def test_waiting_ends_at_once_when_the_store_says_so(source: StoreSource, sql: psycopg.Connection):
    assert source.wait(0.1)  # the first only begins to listen
    assert not source.wait(0.05)
    threading.Timer(0.1, lambda: sql.execute("notify mingjing, 'finding'")).start()
    begun = time.monotonic()
    assert source.wait(5)
    assert time.monotonic() - begun < 1


def test_a_notice_given_while_reading_is_not_lost(source: StoreSource, sql: psycopg.Connection):
    source.wait(0.1)
    sql.execute("notify mingjing, 'finding'")
    source.read(NOON)
    assert source.wait(0.5)


def test_the_detail_of_a_window_and_of_a_finding_carry_the_explanation(
    source: StoreSource, sql: psycopg.Connection
):
    add_window(sql, "B02")
    add_finding(sql, "f1", "B02")
    for detail in (source.detail("B02", None, NOON), source.detail("B02", "f1", NOON)):
        assert detail.window is not None
        assert [finding.explain for finding in detail.findings] == [{"first_day_out": "2026-11-20"}]
    assert source.detail(None, "none such", NOON).findings == ()


def test_open_hours_follow_calendar_and_window():
    hours = OpenHours(CENTRE)

    def china(day: int, hour: int) -> datetime:
        return datetime(2026, 11, day, hour - 8, 30, tzinfo=UTC)

    assert hours.is_open("A01", china(24, 10))
    assert not hours.is_open("A01", china(24, 12))
    assert not hours.is_open("A01", china(22, 10))
    assert hours.is_open("A02", china(23, 8))
    assert not hours.is_open("A01", china(23, 8))


def test_rules_that_hold_back_are_as_old_as_what_they_last_said(
    source: StoreSource, sql: psycopg.Connection
) -> None:
    sql.execute(
        'insert into heartbeat (role, at, detail) values (\'rules\', now(), \'{"held": "backlog", "held_for": 95.5}\')'
    )
    beats = {beat.role: beat.silent for beat in source.read(NOON).beats}
    assert beats["rules"] == pytest.approx(95.5)


def test_troubles_of_the_messages_and_channels_that_are_off_are_read(
    source: StoreSource, sql: psycopg.Connection
):
    sql.execute(
        "insert into trouble (name, since, seen_at) values ('waiting:sms', now(), now()), ('silent:rules', now(), now())"
    )
    sql.execute(
        "insert into channel_state (channel, off_since, reason) values ('wecom', now(), 'maintenance')"
    )
    wanted = {("trouble", "waiting:sms"), ("trouble", "channel_off:wecom")}
    assert {(beat.role, beat.about) for beat in source.read(NOON).beats if beat.role == "trouble"} == wanted
    rows = province_rows(sql, {"530502": timedelta(minutes=1)}, NOON)
    assert {(beat.role, beat.instance) for beat in rows.beats if beat.role == "trouble"} == wanted
