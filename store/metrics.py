"""What the database says of itself and of the rows that wait, asked at a scrape. Everything is bounded or indexed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from prometheus_client.metrics_core import GaugeMetricFamily, InfoMetricFamily, Metric

from store.connection import Connection
from store.migrate import has_timescale, schema_version

#: Rows that are due are counted up to here: what matters is whether it is none, some or very many.
MOST_COUNTED = 10_000

_SERVER = """
select extract(epoch from clock_timestamp())::float8, current_setting('server_version'),
       current_setting('max_connections')::float8, pg_database_size(current_database())::float8,
       (select count(*) from pg_locks where not granted)::float8,
       extract(epoch from clock_timestamp() - pg_postmaster_start_time())::float8
"""
_CONNECTIONS = """
select coalesce(state, 'background'), count(*)::float8 from pg_stat_activity
where datname = current_database() group by 1
"""
# Processes alone: feeds and cameras have a life of their own.
_HEARTBEATS = """
select role, extract(epoch from clock_timestamp() - max(real_at))::float8 from heartbeat
where strpos(role, ':') = 0 group by role
"""
# How long ago the end of the newest whole day with a head lies, seen from the newest row: evidence that no head covers yet.
_HEADS = """
select extract(epoch from max(c.at - coalesce(
    (select (max(h.day) + 1)::timestamp at time zone 'Asia/Shanghai' from evidence_head h where h.centre = c.centre and h.daily),
    (select e.at from evidence e where e.centre = c.centre and e.seq = 1))))::float8
from evidence_chain c
"""
_FINDINGS = "select severity, count(*)::float8 from finding where state = 'open' group by severity"
_WANTED = "select count(*)::float8 from picture_wanted where state = 'wanted'"
_LETTERS = "select count(*)::float8 from dead_letter where state = 'waiting'"


def server_families(
    connection: Connection, *, real_time: Callable[[], float] = time.time
) -> Iterator[Metric]:
    """The server: version, clock, size, connections."""
    asked = real_time()
    row = connection.execute(_SERVER).fetchone()
    answered = real_time()
    assert row is not None
    moment, version, most, size, waiting, uptime = row
    kind = "TimescaleDB" if has_timescale(connection) else "PostgreSQL"
    yield InfoMetricFamily(
        "mingjing_database", "The database server", {"kind": kind, "server_version": version}
    )
    yield GaugeMetricFamily(
        "mingjing_database_schema_version",
        "Newest migration that was applied",
        value=schema_version(connection),
    )
    yield GaugeMetricFamily(
        "mingjing_clock_skew_seconds",
        "This machine's clock minus the database server's",
        # The server looked at its clock about in the middle of the question.
        value=(asked + answered) / 2 - moment,
    )
    yield GaugeMetricFamily("mingjing_database_size_bytes", "Size of the database on disk", value=size)
    yield GaugeMetricFamily(
        "mingjing_database_connections_limit", "Connections the server takes (max_connections)", value=most
    )
    yield GaugeMetricFamily(
        "mingjing_database_locks_waiting", "Locks that are waited for on the server", value=waiting
    )
    yield GaugeMetricFamily(
        "mingjing_database_uptime_seconds", "Seconds since the server started", value=uptime
    )
    connections = GaugeMetricFamily(
        "mingjing_database_connections", "Connections to the database, by their state", labels=["state"]
    )
    for state, count in connection.execute(_CONNECTIONS):
        connections.add_metric([state], count)
    yield connections


def row_families(connection: Connection) -> Iterator[Metric]:
    """The rows that wait or stand open."""
    yield GaugeMetricFamily(
        "mingjing_dead_letters_waiting",
        "Refused lines that nobody has dealt with yet",
        value=connection.execute(_LETTERS).fetchone()[0],  # type: ignore[index]
    )
    yield GaugeMetricFamily(
        "mingjing_pictures_wanted",
        "Questions for pictures of findings that no camera's machine has answered yet",
        value=connection.execute(_WANTED).fetchone()[0],  # type: ignore[index]
    )
    findings = GaugeMetricFamily("mingjing_findings_open", "Findings that stand open", labels=["severity"])
    found = dict(connection.execute(_FINDINGS).fetchall())
    for severity in ("notice", "yellow", "red"):
        findings.add_metric([severity], found.get(severity, 0.0))
    yield findings
    due = GaugeMetricFamily(
        "mingjing_due_rows", f"Rows to be judged at once, counted up to {MOST_COUNTED}", labels=["kind"]
    )
    for kind in ("case", "window", "source"):
        row = connection.execute(
            f"select count(*)::float8 from (select 1 from {kind}_state where look_at = '-infinity' limit %s) as due",
            [MOST_COUNTED],
        ).fetchone()
        due.add_metric([kind], row[0] if row else 0.0)
    yield due
    beats = GaugeMetricFamily(
        "mingjing_heartbeat_age_seconds",
        "Seconds since a process of the role last gave a sign of life",
        labels=["role"],
    )
    backup = GaugeMetricFamily("mingjing_backup_age_seconds", "Seconds since the last good backup was made")
    for role, age in connection.execute(_HEARTBEATS):
        if role == "backup":
            backup.add_metric([], age)
        else:
            beats.add_metric([role], age)
    heads = GaugeMetricFamily(
        "mingjing_audit_head_age_seconds",
        "Seconds of the evidence chain, up to its newest row, that no head of a whole day covers; the worst centre",
    )
    row = connection.execute(_HEADS).fetchone()
    if row is not None and row[0] is not None:
        heads.add_metric([], max(0.0, row[0]))
    yield from (beats, backup, heads)
