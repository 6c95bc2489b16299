"""What the cameras' process has written down of itself."""

from __future__ import annotations

from datetime import UTC, datetime

import psycopg
import pytest

from domain.observations import Observation
from mingjing.doctor import cameras
from store import connect
from store.ingest import heartbeat
from store.observations import write_observations
from tests.mingjing.doctor.test_centre import camera

pytestmark = pytest.mark.postgres
NOW = datetime.now(UTC)


def said(patient, database):
    patient.write({"cameras": [camera()]})
    return {
        name: (each.verdict, each.en)
        for name, each in patient.ask(cameras.standing, database=database).items()
    }


def test_nothing_is_said_where_all_is_well_or_nothing_is_there_yet(patient, database, empty_database):
    assert said(patient, database) == {}
    assert said(patient, empty_database) == {}


def test_seldom_keyframes_a_site_that_is_down_and_two_processes(patient, database):
    slow = Observation("1", "camera.state", "1", "c1", NOW, "present", reason="too_slow")
    site = Observation(
        "2",
        "site.state",
        "1",
        "hall",
        NOW,
        "unknown",
        reason="together",
        looks_expected=3,
        cameras=("c2", "c3"),
    )
    with connect(database) as connection:
        write_observations(connection, [slow, site], now=NOW)
        heartbeat(connection, "cameras", now=NOW, instance="1/2", detail={"token": "a"})
        heartbeat(connection, "cameras", now=NOW, instance="1/3", detail={"token": "b"})
    found = said(patient, database)
    assert found.keys() == {"camera.keyframes", "camera.site", "camera.share"}
    assert "c1" in found["camera.keyframes"][1]
    assert "hall (2/3)" in found["camera.site"][1]
    assert "1/2 + 1/3" in found["camera.share"][1]
    with psycopg.connect(database) as connection:
        connection.execute("update heartbeat set real_at = now() - interval '1 minute'")
    assert "camera.share" not in said(patient, database)
