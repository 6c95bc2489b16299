"""Schema, migrations, reading and writing PostgreSQL (TimescaleDB where there)."""

from __future__ import annotations

from store.connection import Connection, connect, open_pool, with_reconnect
from store.embedded import dsn_for, run_database
from store.migrate import migrate, migrate_command

__all__ = [
    "Connection",
    "connect",
    "dsn_for",
    "migrate",
    "migrate_command",
    "open_pool",
    "run_database",
    "with_reconnect",
]
