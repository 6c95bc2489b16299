"""Versioned migrations: ``migrations/NNNN_name.sql``, each in one transaction, each once.

They run on the embedded PostgreSQL, on plain PostgreSQL 15+ and on TimescaleDB: whatever needs the extension asks for it
inside ``do`` blocks (see ``migrations/0002_series.sql``). After them the long tables are put on the ground the server offers
(:mod:`store.ground`) and the plain names of the aggregates are written anew (:mod:`store.aggregates`).
"""

from __future__ import annotations

import hashlib
import logging
import re
from dataclasses import dataclass
from pathlib import Path

import psycopg

from domain.errors import StoreError
from store import aggregates, ground
from store.connection import Connection, connect
from store.ground import has_timescale as has_timescale

log = logging.getLogger(__name__)

FOLDER = Path(__file__).parent / "migrations"
OLDEST_SERVER = 150000
#: Any number, the same in every version of the program: two migrations never run at once on one database.
ADVISORY_LOCK = 0x6D696E676A696E67

_LEDGER = """
create table if not exists schema_migration (
    version    int         primary key,
    name       text        not null,
    checksum   text        not null,
    applied_at timestamptz not null default now()
)"""


@dataclass(frozen=True, slots=True)
class Migration:
    version: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


def load_migrations(folder: Path = FOLDER) -> list[Migration]:
    """The folder's migrations in order.

    Raises:
        StoreError: a name that is not ``NNNN_name.sql``, a number twice, or a gap.
    """
    found = []
    for path in sorted(folder.glob("*.sql")):
        match = re.fullmatch(r"(\d{4})_(\w+)\.sql", path.name)
        if match is None:
            raise StoreError(f"migration {path.name}: expected NNNN_name.sql")
        found.append(Migration(int(match[1]), match[2], path.read_text(encoding="utf-8")))
    if [migration.version for migration in found] != list(range(1, len(found) + 1)):
        raise StoreError(f"migrations in {folder.name} are not numbered 1, 2, 3 … without gaps")
    return found


def migrate(dsn: str, folder: Path = FOLDER) -> list[Migration]:
    """Brings the database to the newest schema; returns what was done (nothing, the second time).

    Raises:
        StoreError: the server is too old, the schema is newer than this program, an applied file was changed, or a
            migration fails (it leaves nothing behind then).
        psycopg.OperationalError: the server is away.
    """
    migrations = load_migrations(folder)
    with connect(dsn, application="mingjing migrate", autocommit=True, statement_timeout=0) as connection:
        if connection.info.server_version < OLDEST_SERVER:
            raise StoreError(
                f"PostgreSQL {connection.info.server_version // 10000} is too old: 15 or newer is needed"
            )
        connection.execute("set lock_timeout = 0")  # waiting for another migration may take long
        connection.execute("select pg_advisory_lock(%s)", [ADVISORY_LOCK])
        connection.execute("set client_min_messages = warning")
        connection.execute(_LEDGER)
        waiting = _waiting(connection, migrations)
        _offer_timescale(connection)
        for migration in waiting:
            _apply(connection, migration)
        if folder == FOLDER:
            _settle(connection)
    return waiting


def schema_version(connection: Connection) -> int:
    """The number of the newest migration applied; 0 for an empty database."""
    if connection.execute("select to_regclass('schema_migration')").fetchone() == (None,):
        return 0
    row = connection.execute("select coalesce(max(version), 0) from schema_migration").fetchone()
    return int(row[0]) if row else 0


def migrate_command(dsn: str) -> str:
    """``mingjing migrate``: does it and says in one line what was done."""
    done = migrate(dsn)
    with connect(dsn, application="mingjing migrate") as connection:
        version, timescale = schema_version(connection), has_timescale(connection)
    what = ", ".join(f"{migration.version:04}_{migration.name}" for migration in done) or "nothing to do"
    return f"schema {version} ({'TimescaleDB' if timescale else 'plain PostgreSQL'}): {what}"


def _waiting(connection: Connection, migrations: list[Migration]) -> list[Migration]:
    known = {migration.version: migration for migration in migrations}
    applied: dict[int, str] = dict(
        connection.execute("select version, checksum from schema_migration order by version").fetchall()
    )
    if applied and max(applied) > len(migrations):
        raise StoreError(
            f"the database has schema {max(applied)}, this program knows {len(migrations)}: "
            "it was used by a newer version; install that version or restore a backup made before"
        )
    for version, checksum in applied.items():
        if known[version].checksum != checksum:
            raise StoreError(f"migration {version:04}_{known[version].name} was changed after it was applied")
    return [migration for migration in migrations if migration.version not in applied]


def _apply(connection: Connection, migration: Migration) -> None:
    name = f"{migration.version:04}_{migration.name}"
    log.info("migrating: %s", name)
    try:
        with connection.transaction():
            connection.execute(migration.sql)  # type: ignore[arg-type]
            connection.execute(
                "insert into schema_migration (version, name, checksum) values (%s, %s, %s)",
                [migration.version, migration.name, migration.checksum],
            )
    except psycopg.OperationalError:
        raise
    except psycopg.Error as error:
        raise StoreError(f"migration {name} failed: {str(error).strip()}") from error


def _settle(connection: Connection) -> None:
    """Ground and plain names, all or nothing; then new aggregates are filled."""
    row = connection.execute("select now()").fetchone()
    assert row is not None
    try:
        with connection.transaction():
            moving = ground.unsettled(connection)
            if moving:
                aggregates.drop_views(connection)
            for series in moving:
                ground.settle(connection, series, row[0])
            if ground.has_licence(connection):
                for series in ground.SERIES:
                    ground.pack(connection, series)
            aggregates.create_views(connection)
        aggregates.fill(connection)
    except psycopg.OperationalError:
        raise
    except psycopg.Error as error:
        raise StoreError(
            f"the tables could not be put on this server's ground: {str(error).strip()}"
        ) from error


def _offer_timescale(connection: Connection) -> None:
    """Switches the extension on where the server offers it; without it, or without the right to, all works plain."""
    offered = connection.execute(
        "select 1 from pg_available_extensions where name = 'timescaledb' and installed_version is null"
        " and current_setting('shared_preload_libraries') like '%timescaledb%'"
    ).fetchone()
    if offered is not None:
        try:
            connection.execute("create extension if not exists timescaledb")
        except psycopg.Error as error:
            log.warning(
                "TimescaleDB is there but cannot be switched on (%s)", str(error).strip().split("\n")[0]
            )


if __name__ == "__main__":
    import os
    import sys

    sys.stdout.write(migrate_command(os.environ["MINGJING_DATABASE"]) + "\n")
