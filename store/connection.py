"""Connections to PostgreSQL: settings that every one has, a pool, and going on when the database was away."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, TypeVar

import psycopg
from psycopg_pool import ConnectionPool

from domain.errors import StoreError
from store.arrays import QuotingListDumper

log = logging.getLogger(__name__)

Connection = psycopg.Connection[Any]
T = TypeVar("T")

#: Longest time one statement may take, in seconds. A tick, a batch or a wall's question takes milliseconds.
STATEMENT_TIMEOUT = 30.0
#: How long to wait for a lock before the transaction is given up and tried again.
LOCK_TIMEOUT = 10.0
#: A client that died inside a transaction must not hold its locks for ever.
IDLE_IN_TRANSACTION = 60.0

#: What passes by itself: the server is away or starting, or two transactions met.
PASSING = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg.errors.DeadlockDetected,
    psycopg.errors.SerializationFailure,
)


def _options(statement_timeout: float) -> str:
    settings = {
        "timezone": "UTC",
        "statement_timeout": f"{statement_timeout * 1000:.0f}",
        "lock_timeout": f"{LOCK_TIMEOUT * 1000:.0f}",
        "idle_in_transaction_session_timeout": f"{IDLE_IN_TRANSACTION * 1000:.0f}",
    }
    return " ".join(f"-c {name}={value}" for name, value in settings.items())


def _adapt(connection: Connection) -> None:
    """Makes a connection write arrays fast."""
    connection.adapters.register_dumper(list, QuotingListDumper)


def connect(
    dsn: str,
    *,
    application: str = "mingjing",
    autocommit: bool = False,
    statement_timeout: float = STATEMENT_TIMEOUT,
) -> Connection:
    """One connection, time zone UTC, with limits on statements, locks and idle transactions (0 = none).

    Raises:
        psycopg.OperationalError: the server is away.
        StoreError: the address is not one.
    """
    try:
        connection = psycopg.connect(
            dsn,
            autocommit=autocommit,
            application_name=application,
            connect_timeout=10,
            options=_options(statement_timeout),
        )
    except psycopg.ProgrammingError as error:
        raise StoreError("MINGJING_DATABASE is not a PostgreSQL address") from error
    _adapt(connection)
    return connection


def open_pool(dsn: str, *, application: str = "mingjing", size: int = 4) -> ConnectionPool[Connection]:
    """A pool for processes with several threads. It opens in the background and checks a connection before handing it out."""
    return ConnectionPool(
        dsn,
        min_size=1,
        max_size=size,
        open=True,
        check=ConnectionPool.check_connection,
        configure=_adapt,
        kwargs={
            "application_name": application,
            "connect_timeout": 10,
            "options": _options(STATEMENT_TIMEOUT),
        },
    )


def with_reconnect(
    dsn: str,
    work: Callable[[Connection], T],
    *,
    application: str = "mingjing",
    sleep: Callable[[float], object] = time.sleep,
    stopped: Callable[[], bool] = lambda: False,
    first_pause: float = 0.1,
    longest_pause: float = 5.0,
    tries: int | None = None,
) -> T:
    """Runs ``work`` on a new connection; while the database is away, waits with growing pauses and runs it again.

    The connection is committed when ``work`` returns and closed in any case. ``work`` may therefore run several times and
    must be repeatable; everything in :mod:`store.ingest` is.

    Args:
        stopped: asked before every wait; True ends the trying with the error.
        tries: give up after so many; None goes on.

    Raises:
        psycopg.Error: what ``work`` raised, if it does not pass by itself or trying has ended.
    """
    pause, count = first_pause, 0
    while True:
        try:
            with connect(dsn, application=application) as connection:
                return work(connection)
        except PASSING as error:
            # A statement that ran out of time would do so again; the caller has to know.
            if isinstance(error, psycopg.errors.QueryCanceled):
                raise
            count += 1
            if stopped() or (tries is not None and count >= tries):
                raise
            log.warning(
                "database away (%s); trying again in %.1f s", str(error).strip().split("\n")[0], pause
            )
            sleep(pause)
            pause = min(pause * 2, longest_pause)
