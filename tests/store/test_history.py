"""Questions over months: the sums of the raw rows, honest where nothing was seen."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from domain.centre import Centre
from store import aggregates, history
from store.connection import connect
from store.ingest import write_events
from tests.store.making import event

CENTRE = "530502"
DAY = datetime(2026, 11, 2, 1, tzinfo=UTC)  # a Monday, 09:00 in China


@pytest.fixture
def connection(database):
    with connect(database, autocommit=True) as connection:
        yield connection


def look(connection, at, window, seen, *, valid=10, expected=10, department="D1", centre=CENTRE):
    connection.execute(
        "insert into observation (centre, at, observation_id, kind, camera, window_id, post, department, state, looks_expected,"
        " looks_valid, looks_seen, received_at) values (%s, %s, %s, 'post.summary', 'K1', %s, 'desk', %s, 'present', %s, %s, %s, %s)",
        [centre, at, f"{window}-{at.isoformat()}", window, department, expected, valid, seen, at],
    )


@pytest.fixture
def two_days(connection):
    for hours in range(3):
        at = DAY + timedelta(hours=hours)
        look(connection, at, "A01", 10)
        look(connection, at, "A02", hours * 5, department="D2")
        look(connection, at + timedelta(days=1), "A01", 0, valid=0)
        look(connection, at, "A01", 1, centre="530503")
    return DAY - timedelta(days=1), DAY + timedelta(days=3)


@pytest.fixture(params=["while reading", "added up"])
def ground(request, connection, two_days):
    """The same answers before and after the upkeep has added up."""
    if request.param == "added up":
        while aggregates.roll_presence(connection, DAY + timedelta(days=3), DAY - timedelta(days=30)):
            pass
    return two_days


def test_a_centre_day_by_day(connection, ground):
    first, second = history.staffed_by_day(connection, CENTRE, *ground)
    assert (first.day, first.expected, first.valid, first.seen) == (date(2026, 11, 2), 60, 60, 45)
    assert (first.staffed, first.coverage) == (0.75, 1.0)
    assert second.day == date(2026, 11, 3)


def test_a_day_on_which_nothing_was_seen_has_no_figure(connection, ground):
    second = history.staffed_by_day(connection, CENTRE, *ground)[1]
    assert (second.staffed, second.coverage) == (None, 0.0)


def test_departments_and_windows_stand_apart(connection, ground):
    departments = history.staffed_by_day(connection, CENTRE, *ground, by="department", key="D2")
    assert [(each.key, each.seen) for each in departments] == [("D2", 15)]
    windows = history.staffed_by_day(connection, CENTRE, *ground, by="window", key="A01")
    assert [(each.key, each.day.day, each.seen) for each in windows] == [("A01", 2, 30), ("A01", 3, 0)]


def test_the_worst_window_first(connection, ground):
    found = history.staffed(connection, CENTRE, *ground)
    assert [(each.key, each.staffed, each.coverage) for each in found] == [
        ("A02", 0.5, 1.0),
        ("A01", 1.0, 0.5),
    ]


def test_the_hours_of_the_week(connection, ground):
    found = history.staffed_by_hour(connection, CENTRE, "A02", *ground)
    assert [(each.weekday, each.hour, each.seen, each.valid) for each in found] == [
        (1, 9, 0, 10), (1, 10, 5, 10), (1, 11, 10, 10),
    ]  # fmt: skip


def test_a_year_is_the_whole_days_before_today_and_today_so_far():
    calendar = Centre.model_validate({"centre": {"id": CENTRE}}).working_time
    since, until = history.year_before(calendar, DAY)
    assert since == datetime(2025, 11, 1, 16, tzinfo=UTC)
    assert until == DAY


@pytest.mark.parametrize("counted", [False, True], ids=["while reading", "added up"])
def test_what_happened_day_by_day_in_the_centre_and_at_a_window(connection, counted):
    happened = [
        event("case.received", 0, window="A01"),
        event("case.received", 1, window="A02"),
        event("case.received", -24 * 60),
        event("case.decided", 2, window="A01"),
    ]
    now = happened[-1].occurred_at
    write_events(connection, happened, centre=CENTRE, now=now)
    write_events(connection, [event("case.received", 3)], centre="530503", now=now)
    if counted:
        while aggregates.roll_events(connection, now + timedelta(days=1)):
            pass
        assert connection.execute(
            "select count(*) from event_day_centre_rolled where centre = %s", [CENTRE]
        ).fetchone() == (3,)
    # What comes late goes to its own day, whether that has been counted or not.
    write_events(
        connection, [event("case.received", -24 * 60 + 1)], centre=CENTRE, now=now + timedelta(days=2)
    )
    span = now - timedelta(days=5), now + timedelta(days=5)
    before, today = date(2026, 11, 19), date(2026, 11, 20)
    found = [(each.day, each.kind, each.number) for each in history.events_by_day(connection, CENTRE, *span)]
    assert found == [(before, "case.received", 2), (today, "case.decided", 1), (today, "case.received", 2)]
    at_window = history.events_by_day(connection, CENTRE, *span, window="A01", kind="case.received")
    assert [(each.day, each.number) for each in at_window] == [(today, 1)]
    assert [each.number for each in history.events_by_day(connection, CENTRE, *span, window="")] == [2]
