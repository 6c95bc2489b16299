"""Migrations on the embedded server."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from domain.errors import StoreError
from store.migrate import load_migrations, migrate, migrate_command

pytestmark = pytest.mark.postgres


def test_it_migrates_an_empty_database_once(empty_database: str) -> None:
    first = migrate(empty_database)
    assert [migration.version for migration in first] == [
        migration.version for migration in load_migrations()
    ]
    assert migrate(empty_database) == []
    assert "nothing to do" in migrate_command(empty_database)


def test_the_database_fixture_is_migrated_and_empty(database: str) -> None:
    with psycopg.connect(database) as connection:
        assert connection.execute("select count(*) from event").fetchone() == (0,)
        assert connection.execute("select count(*) from presence_day").fetchone() == (0,)


def test_it_refuses_a_newer_schema(database: str) -> None:
    with psycopg.connect(database) as connection:
        connection.execute("insert into schema_migration values (9999, 'later', 'x')")
    with pytest.raises(StoreError, match="newer version"):
        migrate(database)


def test_it_refuses_a_changed_file(database: str) -> None:
    with psycopg.connect(database) as connection:
        connection.execute("update schema_migration set checksum = 'other' where version = 1")
    with pytest.raises(StoreError, match="0001_base was changed"):
        migrate(database)


def test_a_failing_migration_leaves_nothing_behind(empty_database: str, tmp_path: Path) -> None:
    (tmp_path / "0001_good.sql").write_text("create table good (x int);")
    (tmp_path / "0002_bad.sql").write_text("create table bad (x int); select 1/0;")
    with pytest.raises(StoreError, match="0002_bad failed: division by zero"):
        migrate(empty_database, tmp_path)
    with psycopg.connect(empty_database) as connection:
        row = connection.execute("select to_regclass('good') is null, to_regclass('bad') is null").fetchone()
    assert row == (False, True)


@pytest.mark.parametrize("names", [["0001_a.sql", "0003_b.sql"], ["0001_a.sql", "0001_b.sql"], ["first.sql"]])
def test_it_refuses_badly_numbered_files(tmp_path: Path, names: list[str]) -> None:
    for name in names:
        (tmp_path / name).write_text("select 1;")
    with pytest.raises(StoreError):
        load_migrations(tmp_path)
