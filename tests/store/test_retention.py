"""Retention drops whole pieces of raw series, nothing before it is added up, and nothing else."""

from __future__ import annotations

from dataclasses import fields
from datetime import timedelta

import pytest

from store.aggregates import roll_events, roll_presence
from store.connection import Connection, connect
from store.ground import EVENT, OBSERVATION, has_timescale, make_ahead, partitions
from store.ingest import write_events
from store.observations import write_observations
from store.retention import KEEP, Keep, apply_retention
from tests.store.making import CENTRE, at, event, look

pytestmark = pytest.mark.postgres


@pytest.fixture(autouse=True)
def _no_policies(request: pytest.FixtureRequest) -> None:
    if "database" in request.fixturenames:
        with connect(request.getfixturevalue("database")) as db:
            if has_timescale(db):
                pytest.skip("here TimescaleDB does it: see test_servers.py")


def roll(db: Connection, now) -> None:
    while roll_presence(db, now, now - KEEP.observation):
        pass
    while roll_events(db, now):
        pass


def count(db: Connection, table: str) -> int:
    row = db.execute(f"select count(*) from {table}").fetchone()
    assert row is not None
    return row[0]


def test_it_drops_what_is_older_than_kept_and_only_that(database: str) -> None:
    day = 24 * 60
    with connect(database, autocommit=True) as db:
        for series in (OBSERVATION, EVENT):
            for month in (-1, 0, 1):
                make_ahead(db, series, at(month * 30 * day))
        write_observations(db, [look("present", 0), look("present", 1), look("absent", day)], now=at(day))
        write_events(db, [event("case.accepted", 0)], centre=CENTRE, now=at(0))
        spans = count(db, "presence_span")
        days = db.execute("select bucket, sum(seen) from presence_day group by 1 order by 1").fetchall()

        later = at(0) + KEEP.observation + timedelta(hours=12)
        apply_retention(db, later)
        assert count(db, "observation") == 3, "nothing goes before it is added up"
        roll(db, later)
        gone = apply_retention(db, later)
        assert gone["observation"] > 0
        assert count(db, "observation") == 3, "the first day has not been over for the span that is kept"
        later += timedelta(days=1)
        roll(db, later)
        assert apply_retention(db, later)["observation"] == 1
        assert count(db, "observation") == 1
        assert all(end > later - KEEP.observation for _, end in partitions(db, OBSERVATION))
        assert (
            db.execute("select bucket, sum(seen) from presence_day group by 1 order by 1").fetchall() == days
        )
        assert (count(db, "presence_span"), count(db, "event"), count(db, "event_key")) == (spans, 1, 1)


def test_events_go_only_when_somebody_says_so_and_still_count_once(database: str) -> None:
    with connect(database, autocommit=True) as db:
        first = event("case.accepted", 0)
        write_events(db, [first], centre=CENTRE, now=at(0))
        later = at(0) + timedelta(days=800)
        roll(db, later)
        assert "event" not in apply_retention(db, later)
        apply_retention(db, later, Keep(event=timedelta(days=366)))
        assert count(db, "event") == 0
        assert write_events(db, [first], centre=CENTRE, now=later).duplicates == 1
        assert db.execute("select sum(number) from event_day").fetchone() == (1,)


def test_old_rows_without_a_partition_of_their_own_go_too(database: str) -> None:
    with connect(database, autocommit=True) as db:
        write_observations(db, [look("present", -60 * 24 * 700 + n / 4) for n in range(5)], now=at(0))
        assert count(db, "observation_rest") == 5
        roll(db, at(0))
        apply_retention(db, at(0))
        assert count(db, "observation") == 0


def test_it_refuses_to_keep_less_than_the_aggregates_look_back() -> None:
    with pytest.raises(ValueError, match="at least 8 days"):
        Keep(observation=timedelta(days=7))


def test_evidence_has_no_retention() -> None:
    assert {field.name for field in fields(Keep)} == {"observation", "minute", "metric", "event"}
    assert KEEP.event is None
