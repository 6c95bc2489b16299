"""Incidents of sites in the database, and what the rule loop makes of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from domain.observations import Observation, observation_from_json, observation_to_json
from store import Connection, connect
from store.incidents import incidents_since
from store.observations import write_observations
from tests.store.making import CENTRE as CODE

BEGAN = datetime.fromisoformat("2026-11-20T09:00:00+08:00")


@pytest.fixture
def db(database: str) -> Iterator[Connection]:
    with connect(database) as connection:
        connection.autocommit = True
        yield connection


def word(
    seconds: float, state: str = "unknown", cameras: tuple[str, ...] = ("K1", "K2"), **more: object
) -> Observation:
    at = BEGAN + timedelta(seconds=seconds)
    row = Observation(
        f"{CODE}:hall:{seconds}", "site.state", CODE, "hall", at, state, reason="together", since=BEGAN,  # type: ignore[arg-type]
        until=at if state == "present" else None, looks_expected=3, looks_valid=1, cameras=cameras,
    )  # fmt: skip
    return replace(row, **more)  # type: ignore[arg-type]


def known(db: Connection) -> list[tuple[list[str], bool]]:
    found = incidents_since(db, CODE, BEGAN - timedelta(days=1))
    return [(sorted(each.cameras), each.ended is not None) for each in found]


def write(db: Connection, *rows: Observation) -> None:
    write_observations(db, rows, now=BEGAN + timedelta(minutes=5))


def test_it_goes_over_the_wire_as_it_is() -> None:
    row = word(2)
    assert observation_from_json(json.loads(json.dumps(observation_to_json(row)))) == row


def test_an_incident_begins_grows_and_ends_in_any_order(db: Connection) -> None:
    write(db, word(60, "present", ("K1", "K2", "K3")))
    write(db, word(2, cameras=("K1", "K3")), word(1))
    assert known(db) == [(["K1", "K2", "K3"], True)]
    write(db, word(1), word(60, "present", ("K1", "K2", "K3")))
    assert known(db) == [(["K1", "K2", "K3"], True)]


def test_a_site_is_no_camera(db: Connection) -> None:
    write(db, word(1), word(60, "present"))
    assert db.execute("select kind, source from source_state").fetchall() == [("site", "hall")]
    assert db.execute("select count(*) from camera_state").fetchone() == (0,)


def test_a_process_that_died_in_an_incident_ends_it_when_it_comes_back(db: Connection) -> None:
    write(db, word(1))
    greeting = {"reason": "restart", "since": BEGAN + timedelta(seconds=90)}
    write(db, word(80, "present", ("K8", "K9"), **greeting))  # of another machine's cameras
    assert known(db) == [(["K1", "K2"], False)]
    write(db, word(90, "present", ("K1", "K2", "K3"), **greeting))
    assert known(db) == [(["K1", "K2"], True)]
