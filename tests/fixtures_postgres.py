"""PostgreSQL for tests of every room: one server a session, one fresh migrated database a test.

The server is the embedded one, in a temporary folder; ``MINGJING_TEST_DSN`` (a superuser or one that may create databases)
names another. A database is copied from a migrated template, which takes some 30 ms.
"""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from store.embedded import EmbeddedServer, dsn_for
from store.migrate import migrate

_count = itertools.count(1)


def with_database(dsn: str, name: str) -> str:
    """The same server, another database."""
    return make_conninfo(dsn, dbname=name)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """DSN (URL) of a server's maintenance database."""
    given = os.environ.get("MINGJING_TEST_DSN")
    if given:
        yield given
        return
    folder = Path(tempfile.mkdtemp(prefix="mj-"))
    # Nothing here outlives the session: no need to wait for the disk.
    server = EmbeddedServer(
        folder, settings={"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
    )
    try:
        server.start()
        yield dsn_for(folder, "postgres")
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def _template(postgres: str) -> Iterator[str | None]:
    """Name of a migrated database to copy; None where TimescaleDB's workers hold every database open."""
    name = f"mj_template_{os.getpid()}"
    with psycopg.connect(postgres, autocommit=True) as connection:
        loaded = connection.execute("select current_setting('shared_preload_libraries')").fetchone()
        if loaded is not None and "timescaledb" in loaded[0]:
            yield None
            return
        connection.execute(f"drop database if exists {name}")
        connection.execute(f"create database {name}")
    migrate(with_database(postgres, name))
    yield name
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"drop database if exists {name} with (force)")


@pytest.fixture
def empty_database(postgres: str) -> Iterator[str]:
    """DSN of a new database without a schema."""
    yield from _database(postgres, "template0")


@pytest.fixture
def database(postgres: str, _template: str | None) -> Iterator[str]:
    """DSN of a new database with the newest schema and no rows."""
    for dsn in _database(postgres, _template or "template0"):
        if _template is None:
            migrate(dsn)
        yield dsn


def _database(postgres: str, template: str) -> Iterator[str]:
    name = f"mj_{os.getpid()}_{next(_count)}"
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"create database {name} template {template}")
    yield with_database(postgres, name)
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"drop database if exists {name} with (force)")
