"""Retention deletes raw series and nothing else."""

from __future__ import annotations

from datetime import timedelta

import pytest

from store.connection import connect
from store.ingest import write_events
from store.migrate import has_timescale
from store.observations import write_observations
from store.retention import KEEP, apply_retention
from tests.store.making import CENTRE, at, event, look

pytestmark = pytest.mark.postgres


@pytest.fixture(autouse=True)
def _no_policies(request: pytest.FixtureRequest) -> None:
    if "database" in request.fixturenames:
        with connect(request.getfixturevalue("database")) as db:
            if has_timescale(db):
                pytest.skip("here TimescaleDB does it: see test_servers.py")


def test_it_deletes_what_is_older_than_kept_and_only_that(database: str) -> None:
    with connect(database, autocommit=True) as db:
        write_observations(db, [look("present", 0), look("present", 1), look("absent", 60)], now=at(60))
        write_events(db, [event("case.accepted", 0)], centre=CENTRE, now=at(0))
        db.execute("insert into metric values (%s, %s, 'x', '', 1)", [CENTRE, at(0)])
        spans = db.execute("select count(*) from presence_span").fetchone()
        now = at(30) + KEEP["observation"]
        assert apply_retention(db, "other", now) == {"observation": 0, "metric": 0}
        assert apply_retention(db, CENTRE, now) == {"observation": 2, "metric": 0}
        assert apply_retention(db, CENTRE, now + timedelta(days=400)) == {"observation": 1, "metric": 1}
        assert db.execute("select count(*) from presence_span").fetchone() == spans
        assert db.execute("select count(*) from event").fetchone() == (1,)


def test_it_works_in_slices(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("store.retention.SLICE", 2)
    with connect(database, autocommit=True) as db:
        write_observations(db, [look("present", number / 4) for number in range(5)], now=at(2))
        later = at(60) + KEEP["observation"]
        assert [apply_retention(db, CENTRE, later)["observation"] for _ in range(3)] == [2, 2, 1]


def test_evidence_has_no_retention() -> None:
    assert set(KEEP) == {"observation", "metric"}
