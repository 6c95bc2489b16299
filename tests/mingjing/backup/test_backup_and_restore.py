"""A backup of a working system, restored elsewhere: nothing acknowledged is lost, nothing is written over."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
import yaml
from psycopg.conninfo import make_conninfo

from alerts.outbox import hold_messages, lease, release_messages
from domain.errors import SettingsError, StoreError
from mingjing.backup.making import ROLE, make_backup
from mingjing.backup.restoring import restore_backup
from mingjing.settings import Settings, load_settings
from store import connect, migrate
from store.dump import ServerFacts, dump, is_empty
from store.ground import has_licence
from store.migrate import load_migrations
from store.observations import write_observations
from streams.local_transport import Entry, EventLog, make_address
from tests.drills.workload import CENTRE
from tests.store.making import at, look
from tests.store.test_servers import timescale  # noqa: F401

pytestmark = pytest.mark.postgres
GROUP, TOPIC = "mingjing", "case-events"


def settings_for(folder: Path, dsn: str) -> Settings:
    folder.mkdir(exist_ok=True)
    return load_settings(
        data=folder, database=dsn, broker=make_address(folder / "log.db"), centre=folder / "centre.yaml"
    )


@pytest.fixture
def other(postgres: str) -> Iterator[str]:
    """An empty database on the same server: where backups are restored."""
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("drop database if exists mj_elsewhere with (force)")
        connection.execute("create database mj_elsewhere template template0")
    yield make_conninfo(postgres, dbname="mj_elsewhere")
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("drop database if exists mj_elsewhere with (force)")


@pytest.fixture
def here(tmp_path: Path, database: str) -> Settings:
    settings = settings_for(tmp_path / "here", database)
    settings.centre_file.write_text(yaml.safe_dump(CENTRE, allow_unicode=True), "utf-8")
    return settings


def accept(settings: Settings, *names: str) -> None:
    """What a door does: from here on these events are acknowledged."""
    log = EventLog(settings.data / "log.db", partitions=1)
    log.append([Entry(TOPIC, name.encode(), name.encode()) for name in names])
    log.close()


def consume(settings: Settings) -> None:
    """What the worker does: reads on from its last commit, writes to the database (here into a table of the test's own, so
    that any schema will do), commits."""
    log = EventLog(settings.data / "log.db", partitions=1)
    begin = log.committed(GROUP).get((TOPIC, 0), 0)
    records = log.read(TOPIC, 0, begin, 100)
    with connect(settings.database_address) as db:
        db.execute("create table if not exists taken (event_id text primary key)")
        for each in records:
            db.execute("insert into taken values (%s) on conflict do nothing", [(each.value or b"").decode()])
    if records:
        log.commit(GROUP, {(TOPIC, 0): records[-1].offset + 1})
    log.close()


def stored(dsn: str) -> set[str]:
    with connect(dsn) as db:
        return {name for (name,) in db.execute("select event_id from taken").fetchall()}


def test_nothing_acknowledged_is_lost_whatever_the_worker_does_meanwhile(
    here: Settings, other: str, tmp_path: Path
) -> None:
    accept(here, "read before")
    consume(here)
    accept(here, "waits in the log")

    def while_it_works(dsn: str, path: Path) -> ServerFacts:
        # Between the copy of the log and the snapshot of the database: had the order been the other one, what is
        # consumed here would be in neither.
        accept(here, "came meanwhile")
        consume(here)
        facts = dump(dsn, path)
        accept(here, "came too late")
        consume(here)
        return facts

    def never_before_the_dump(dsn: str, path: Path) -> ServerFacts:
        assert (path.parent / "log.db").exists(), "the log is copied first"
        return while_it_works(dsn, path)

    made = make_backup(here, tmp_path / "to", dumper=never_before_the_dump)
    there = settings_for(tmp_path / "there", other)
    restore_backup(there, made.folder)
    assert stored(other) >= {"read before", "waits in the log"}
    consume(there)
    assert stored(other) == {"read before", "waits in the log", "came meanwhile"}
    assert (there.data / "log.db").stat().st_mode & 0o077 == 0
    assert there.centre_file.read_bytes() == here.centre_file.read_bytes()


def test_the_last_backup_is_noted_for_whoever_watches(here: Settings, tmp_path: Path) -> None:
    moment = datetime(2026, 11, 20, 1, tzinfo=UTC)
    made = make_backup(here, tmp_path / "to", now=lambda: moment)
    with connect(here.database_address) as db:
        row = db.execute("select at, detail ->> 'folder' from heartbeat where role = %s", [ROLE]).fetchone()
    assert row == (moment, str(made.folder))
    assert any("secrets" in note for note in made.notes)


def test_a_backup_that_fails_leaves_nothing_and_notes_nothing(here: Settings, tmp_path: Path) -> None:
    def fails(dsn: str, path: Path) -> ServerFacts:
        path.write_bytes(b"half")
        raise StoreError("no space left on device")

    with pytest.raises(StoreError, match="no space"):
        make_backup(here, tmp_path / "to", keep=1, dumper=fails)
    assert [path.name for path in (tmp_path / "to").iterdir()] == [".lock"]
    with connect(here.database_address) as db:
        assert db.execute("select 1 from heartbeat where role = %s", [ROLE]).fetchone() is None


def test_it_is_never_restored_over_data(here: Settings, other: str, tmp_path: Path) -> None:
    accept(here, "old")
    made = make_backup(here, tmp_path / "to")
    with pytest.raises(SettingsError, match=r"log\.db is there already"):
        restore_backup(here, made.folder)
    taken = settings_for(tmp_path / "taken", here.database_address)
    with pytest.raises(StoreError, match="not empty"):
        restore_backup(taken, made.folder)
    assert not (taken.data / "log.db").exists()
    with connect(other) as db:
        assert is_empty(db)


def test_a_damaged_one_touches_nothing(here: Settings, other: str, tmp_path: Path) -> None:
    made = make_backup(here, tmp_path / "to")
    data = bytearray((made.folder / "database.dump").read_bytes())
    data[len(data) // 2] ^= 1
    (made.folder / "database.dump").write_bytes(data)
    with pytest.raises(Exception, match="checksum"):
        restore_backup(settings_for(tmp_path / "there", other), made.folder)
    with connect(other) as db:
        assert is_empty(db)


def test_one_of_an_older_schema_is_brought_up_to_date(
    other: str, empty_database: str, tmp_path: Path
) -> None:
    old = tmp_path / "migrations"
    old.mkdir()
    for migration in load_migrations()[:3]:
        (old / f"{migration.version:04}_{migration.name}.sql").write_text(migration.sql, "utf-8")
    migrate(empty_database, old)
    here = settings_for(tmp_path / "here", empty_database)
    accept(here, "of old")
    consume(here)
    made = make_backup(here, tmp_path / "to")
    done = restore_backup(settings_for(tmp_path / "there", other), made.folder)
    assert done.manifest.server.schema == 3
    assert f"schema {len(load_migrations())}" in done.migrated
    assert stored(other) == {"of old"}


def test_one_of_a_newer_schema_is_refused_before_anything_is_made(
    here: Settings, other: str, tmp_path: Path
) -> None:
    def from_tomorrow(dsn: str, path: Path) -> ServerFacts:
        facts = dump(dsn, path)
        return ServerFacts(facts.version, facts.timescale, 99)

    made = make_backup(here, tmp_path / "to", dumper=from_tomorrow)
    with pytest.raises(StoreError, match="schema 99"):
        restore_backup(settings_for(tmp_path / "there", other), made.folder)
    with connect(other) as db:
        assert is_empty(db)


def test_on_kafka_the_positions_come_from_before_the_dump_and_are_set_back(
    database: str, other: str, tmp_path: Path
) -> None:
    order: list[str] = []

    def positions(_: Settings) -> dict[str, dict[int, int]]:
        order.append("positions")
        return {TOPIC: {0: 17}}

    def dumper(dsn: str, path: Path) -> ServerFacts:
        order.append("dump")
        return dump(dsn, path)

    here = load_settings(data=tmp_path / "here", database=database, broker="kafka://nowhere:9")
    made = make_backup(here, tmp_path / "to", positions_of=positions, dumper=dumper)
    assert order == ["positions", "dump"]
    there = load_settings(data=tmp_path / "there", database=other, broker="kafka://nowhere:9")
    restore_backup(there, made.folder, rewind=lambda _, manifest: order.append(str(manifest.positions)))
    assert order[2:] == [str({TOPIC: {0: 17}})]


def test_a_local_log_restored_beside_kafka_is_not_forgotten(
    here: Settings, other: str, tmp_path: Path
) -> None:
    accept(here, "waits in the log")
    made = make_backup(here, tmp_path / "to")
    there = load_settings(data=tmp_path / "there", database=other, broker="kafka://nowhere:9")
    assert any("move-log" in note for note in restore_backup(there, made.folder).notes)


def test_a_folder_of_centre_files_comes_along(database: str, other: str, tmp_path: Path) -> None:
    folder = tmp_path / "centres"
    folder.mkdir()
    for name in ("a.yaml", "b.yml"):
        (folder / name).write_text(name)
    here = load_settings(data=tmp_path / "here", database=database, centre=folder)
    made = make_backup(here, tmp_path / "to")
    there = load_settings(data=tmp_path / "there", database=other, centre=tmp_path / "new" / "centres")
    restore_backup(there, made.folder)
    assert {path.name: path.read_text() for path in there.centre_file.iterdir()} == {
        "a.yaml": "a.yaml",
        "b.yml": "b.yml",
    }


def test_a_centre_file_that_is_there_stays(here: Settings, other: str, tmp_path: Path) -> None:
    made = make_backup(here, tmp_path / "to")
    there = settings_for(tmp_path / "there", other)
    there.centre_file.write_text("newer")
    assert any("left as it is" in note for note in restore_backup(there, made.folder).notes)
    assert there.centre_file.read_text() == "newer"


def test_what_cameras_learned_comes_along(here: Settings, other: str, tmp_path: Path) -> None:
    learned = here.data / "references" / "530502" / "C1"
    learned.mkdir(parents=True)
    (learned / "A01-1.png").write_bytes(b"picture")
    (learned / ".A01-2.png.77").write_bytes(b"half")
    made = make_backup(here, tmp_path / "to")
    there = settings_for(tmp_path / "there", other)
    restore_backup(there, made.folder)
    found = [path for path in (there.data / "references").rglob("*") if path.is_file()]
    assert [(path.name, path.read_bytes()) for path in found] == [("A01-1.png", b"picture")]


# -- messages after a restore ----------------------------------------------------------------------------------------


def write_message(dsn: str, key: str, state: str, *, wrote: str = "now()") -> None:
    with psycopg.connect(dsn) as connection:
        connection.execute(
            "insert into outbox (idempotency_key, centre, person, phone, channel, template, state, next_try_at, give_up_at,"
            f" created_at) values (%s, 'c', 'P1', '15500001234', 'http', 't', %s, now(), now() + interval '1 day', {wrote})",
            [key, state],
        )


def leased(dsn: str) -> dict[str, bool]:
    """Which messages a sender takes now, and whether it asks the gateway first."""
    with connect(dsn, autocommit=True) as db:
        taken = lease(db, channel="http", limit=10, by="me", seconds=30)
    return {message.idempotency_key: message.in_doubt for message in taken}


def test_sent_ones_stay_sent_and_the_gateway_is_asked_about_those_that_waited(
    here: Settings, other: str, tmp_path: Path
) -> None:
    write_message(here.database_address, "sent", "sent")
    write_message(here.database_address, "waits", "ready")
    assert leased(here.database_address) == {"waits": False}
    made = make_backup(here, tmp_path / "to")
    restore_backup(settings_for(tmp_path / "there", other), made.folder)
    # Of a finding that both the lost and the restored system issued, and of one that is new.
    write_message(other, "written again", "ready", wrote="now() - interval '1 hour'")
    write_message(other, "new", "ready", wrote="now() + interval '1 second'")
    with psycopg.connect(other) as connection:
        connection.execute(
            "update outbox set leased_until = now() - interval '1 second' where state = 'leased'"
        )
    assert leased(other) == {"waits": True, "written again": True, "new": False}


def test_held_messages_wait_and_die_of_nothing_until_they_are_released(
    here: Settings, other: str, tmp_path: Path
) -> None:
    from alerts.outbox import bury_overdue

    write_message(here.database_address, "waits", "ready")
    made = make_backup(here, tmp_path / "to")
    done = restore_backup(settings_for(tmp_path / "there", other), made.folder, hold_messages=True)
    assert any("release" in note for note in done.notes)
    write_message(other, "new", "ready")
    with connect(other, autocommit=True) as db:
        db.execute("update outbox set give_up_at = now() - interval '1 second'")
        assert bury_overdue(db) == 0
        assert leased(other) == {}
        assert release_messages(db) == 2
        assert release_messages(db) is None
        assert set(leased(other)) == {"waits", "new"}
        left = db.execute("select min(give_up_at) - now() from outbox").fetchone()
    assert left is not None
    assert left[0] > timedelta(hours=23)


def test_holding_by_hand_needs_no_restore(database: str) -> None:
    write_message(database, "waits", "ready")
    with connect(database, autocommit=True) as db:
        hold_messages(db, "gateway is being changed")
        assert leased(database) == {}
        release_messages(db)
    assert leased(database) == {"waits": False}


@pytest.mark.timescale
def test_hypertables_and_aggregates_come_back(timescale: str, tmp_path: Path) -> None:  # noqa: F811
    migrate(timescale)
    with connect(timescale, autocommit=True) as db:
        if not has_licence(db):
            pytest.skip("without the Timescale Licence there are no continuous aggregates to come back")
        looks = [look("present", minute) for minute in range(30)]
        write_observations(db, looks, now=at(31))
        db.execute("call refresh_continuous_aggregate('presence_minute', null, null)")
    made = make_backup(settings_for(tmp_path / "here", timescale), tmp_path / "to")
    assert made.size > 1000
    target = make_conninfo(timescale, dbname=f"mj_back_{os.getpid()}")
    with psycopg.connect(timescale, autocommit=True) as connection:
        connection.execute(f"create database mj_back_{os.getpid()}")
    try:
        done = restore_backup(settings_for(tmp_path / "there", target), made.folder)
        assert done.manifest.server.timescale is not None
        queries = (
            "select count(*) from observation",
            "select sum(expected) from presence_minute",
            "select hypertable_name, num_dimensions from timescaledb_information.hypertables order by 1",
            "select proc_name, hypertable_name from timescaledb_information.jobs where job_id >= 1000 order by 1, 2",
        )
        for query in queries:
            with connect(timescale) as before, connect(target) as after:
                assert after.execute(query).fetchall() == before.execute(query).fetchall(), query
        with connect(target, autocommit=True) as db:
            assert db.execute("show timescaledb.restoring").fetchone() == ("off",)
            assert write_observations(db, [look("absent", 40)], now=at(41)).new == 1
    finally:
        with psycopg.connect(timescale, autocommit=True) as connection:
            connection.execute(f"drop database mj_back_{os.getpid()} with (force)")


@pytest.mark.process
def test_the_embedded_server_is_started_for_it_and_a_failed_restore_leaves_no_folder(
    tmp_path: Path, database: str
) -> None:
    named = settings_for(tmp_path / "named", database)
    accept(named, "a")
    consume(named)
    made = make_backup(named, tmp_path / "to")
    there = load_settings(data=tmp_path / "there")
    restore_backup(there, made.folder)
    again = make_backup(there, tmp_path / "again")
    assert again.size > 1000
    broken = load_settings(data=tmp_path / "broken")

    shutil.copytree(made.folder, tmp_path / "other")
    (tmp_path / "other" / "database.dump").write_bytes((made.folder / "database.dump").read_bytes()[:-2000])
    from mingjing.backup import archive

    archive.seal(tmp_path / "other", archive.read_manifest(made.folder))
    with pytest.raises(StoreError):
        restore_backup(broken, tmp_path / "other")
    assert not (broken.data / "pg").exists()
    assert not (broken.data / "log.db").exists()
