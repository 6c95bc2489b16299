"""The database of a system: its address, a connection for a person's command, its schema."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from domain.errors import StoreError
from mingjing.settings import Settings

if TYPE_CHECKING:
    from store import Connection


def database_address(settings: Settings) -> str:
    """The libpq address of the database: the one given, or the embedded server of the data folder."""
    from store.embedded import dsn_for

    return settings.database_address or dsn_for(settings.data)


def open_database(settings: Settings) -> Connection:
    """A connection for a command of a person; the way into ``with``.

    Raises:
        StoreError: the database is away, in one sentence.
    """
    import psycopg

    from store import connect

    try:
        return connect(database_address(settings))
    except psycopg.OperationalError as error:
        raise StoreError(
            f"the database does not answer ({_first_line(error)}); is the system running?"
        ) from None


def migrate_database(
    settings: Settings, *, wait: float = 0.0, sleep: Callable[[float], Any] = time.sleep
) -> str:
    """Brings the schema up to date, waiting for the server if asked to; returns what was done, in one line.

    Raises:
        StoreError: the server does not answer in time, or the schema cannot be brought up to date.
    """
    import psycopg

    from store import migrate_command

    give_up = time.monotonic() + wait
    while True:
        try:
            return migrate_command(database_address(settings))
        except psycopg.OperationalError as error:
            if time.monotonic() >= give_up:
                raise StoreError(f"the database does not answer: {_first_line(error)}") from None
            sleep(0.2)


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
