"""Keeping the raw series short where no TimescaleDB policy does it. Nothing else is ever deleted.

Findings, steps, messages, dead letters, events and presence spans are evidence: their tables are not named here, and a
test holds this file to that.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from store.connection import Connection
from store.migrate import has_timescale

#: How long raw rows are kept; the same spans as the policies in ``migrations/0002_series.sql``.
KEEP: Mapping[str, timedelta] = {"observation": timedelta(days=35), "metric": timedelta(days=400)}
#: Rows deleted in one statement: some tens of milliseconds.
SLICE = 20_000


def apply_retention(
    connection: Connection,
    centre: str,
    now: datetime,
    *,
    keep: Mapping[str, timedelta] = KEEP,
    slices: int = 1,
) -> dict[str, int]:
    """Deletes raw rows of one centre that are older than ``keep``, at most ``slices`` × :data:`SLICE` of each table.

    Returns:
        How many rows (on TimescaleDB without policies: chunks) went from each table; call again while one is full.
    """
    timescale = has_timescale(connection)
    if timescale and _has_policies(connection):
        return {}
    gone: dict[str, int] = {}
    for table, span in keep.items():
        if timescale:
            gone[table] = len(
                connection.execute(
                    f"select drop_chunks('{table}', older_than => %s::timestamptz)", [now - span]
                ).fetchall()
            )
            continue
        gone[table] = 0
        for _ in range(slices):
            done = connection.execute(
                f"delete from {table} where ctid = any(array("
                f"  select ctid from {table} where centre = %s and at < %s limit %s))",
                [centre, now - span, SLICE],
            )
            gone[table] += done.rowcount
            if done.rowcount < SLICE:
                break
    return gone


def _has_policies(connection: Connection) -> bool:
    """Whether the licence let the migration set retention policies."""
    row = connection.execute(
        "select count(*) from timescaledb_information.jobs where proc_name = 'policy_retention'"
        " and hypertable_name = any(%s)",
        [list(KEEP)],
    ).fetchone()
    return row is not None and row[0] > 0
