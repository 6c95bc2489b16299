"""Real servers with real faults."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from mingjing.doctor import database as check
from store.ingest import heartbeat
from tests.fixtures_postgres import with_database

pytestmark = pytest.mark.postgres


def test_a_server_that_is_well(patient, database):
    said = patient.ask(check.database, database=database)
    assert {each.verdict for each in said.values()} == {"ok"}
    assert set(said) == {"database", "database.schema"}
    assert {e.verdict for e in patient.ask(check.sessions, database=database).values()} == {"ok"}


def test_an_old_schema_and_one_that_is_too_new(patient, database, empty_database):
    assert patient.ask(check.database, database=empty_database)["database.schema"].mend == "mingjing migrate"
    with psycopg.connect(database) as connection:
        connection.execute("insert into schema_migration (version, name, checksum) values (999, 'x', 'x')")
    assert "newer" in patient.ask(check.database, database=database)["database.schema"].en


def test_a_server_that_does_not_answer(patient):
    said = patient.ask(check.database, database="postgresql://127.0.0.1:1/none?connect_timeout=2")
    assert said["database"].verdict == "fault"
    assert "does not answer" in said["database"].en
    assert patient.ask(check.database)["database"].verdict == "ok"  # embedded, not made yet


def test_a_server_that_forgets_at_a_power_cut(patient, database):
    # The server of the tests runs like this.
    with psycopg.connect(database) as connection:
        off = [
            name
            for name in ("fsync", "full_page_writes", "synchronous_commit")
            if connection.execute(f"show {name}").fetchone() == ("off",)
        ]
    said = patient.ask(check.durability, database=database)
    expected = {f"database.{name}": "fault" for name in off} or {"database.durability": "ok"}
    assert {name: each.verdict for name, each in said.items()} == expected


def test_a_database_that_cannot_hold_chinese(patient, postgres):
    name = "mj_latin"
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"drop database if exists {name}")
        connection.execute(f"create database {name} template template0 encoding 'LATIN1' locale 'C'")
    try:
        said = patient.ask(check.sessions, database=with_database(postgres, name))
        assert said["database.encoding"].verdict == "fault"
    finally:
        with psycopg.connect(postgres, autocommit=True) as connection:
            connection.execute(f"drop database {name} with (force)")


def test_a_pooler_that_swallows_our_settings_and_a_standby(patient, database):
    scene = patient.scene(database=database)
    assert scene.connection is not None
    scene.connection.execute("set time zone 'Asia/Shanghai'")
    scene.connection.execute("set default_transaction_read_only = on")
    said = {result.check: result.verdict for result in check.sessions(scene)}
    scene.close()
    assert said["database.session"] == "fault"
    assert said["database.read_only"] == "fault"


@pytest.mark.parametrize(("seconds", "verdict"), [(0, "ok"), (5, "warning"), (-90, "fault")])
def test_a_clock_that_is_off(patient, database, seconds, verdict):
    scene = patient.scene(database=database)
    scene.now = lambda: datetime.now(UTC) + timedelta(seconds=seconds)
    said = {result.check: result.verdict for result in check.clock(scene)}
    scene.close()
    assert said == {"clock.database": verdict}


def test_what_waits_for_somebody(patient, database):
    assert patient.ask(check.waiting, database=database) == {}
    with psycopg.connect(database) as connection:
        connection.execute(
            "insert into dead_letter (fingerprint, origin, code, reason, raw, first_at, last_at)"
            " values ('x', 'door', 'c', 'r', 'x', now(), now())"
        )
        heartbeat(connection, "backup", now=datetime.now(UTC), detail={})
        connection.execute("update heartbeat set real_at = now() - interval '50 hours' where role = 'backup'")
    said = patient.ask(check.waiting, database=database)
    assert "mingjing dead-letters list" in said["dead_letters"].mend
    assert "50 hours" in said["backup"].en


def test_the_extension_is_looked_at(patient, database):
    said = patient.ask(check.extension, database=database)
    assert len(said) == 1
    assert next(iter(said)).startswith("database.")
