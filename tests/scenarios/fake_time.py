"""A database that lives on a fake clock: ``now()`` and ``clock_timestamp()`` say what the scenario says.

Leases, pauses between tries and waits for receipts are real seconds, counted by the database. Functions of the same name in a
schema that comes first on the search path let a day of them pass in a moment, without a word of the program changed.
"""

from __future__ import annotations

from datetime import datetime

import psycopg
from psycopg import sql

from store.connection import Connection

_SCHEMA = """
create schema fake;
create table fake.clock (at timestamptz not null);
insert into fake.clock values ('2000-01-01Z');
create function fake.now() returns timestamptz language sql stable as 'select at from fake.clock';
create function fake.clock_timestamp() returns timestamptz language sql volatile as 'select at from fake.clock';
"""
_EMPTY = """
do $$
declare name regclass;
begin
    for name in select oid::regclass from pg_class where relnamespace = 'public'::regnamespace
        and relkind in ('r', 'p') and not relispartition and relname not like '%migration%'
    loop execute format('delete from %s', name); end loop;
end $$
"""


def fake_the_time(dsn: str) -> None:
    """Every later session of this database reads its time from :func:`set_time`."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(_SCHEMA)
        name = sql.Identifier(connection.info.dbname)
        connection.execute(
            sql.SQL("alter database {} set search_path = fake, public, pg_catalog").format(name)
        )


def set_time(connection: Connection, now: datetime) -> None:
    connection.execute("update fake.clock set at = %s", [now])


def empty(connection: Connection) -> None:
    """Forgets everything but the schema. Few rows are deleted faster than new files are made for empty tables."""
    with connection.transaction():
        # The chain of evidence refuses to be shortened; here a new world begins.
        connection.execute("set local session_replication_role = replica")
        connection.execute(_EMPTY)
