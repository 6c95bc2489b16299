"""Connections to PostgreSQL: settings that every one has, a pool, and going on when the database was away."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from typing import Any, TypeVar

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.types.json import set_json_loads
from psycopg_pool import ConnectionPool, PoolTimeout, TooManyRequests

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

#: What passes by itself: the server is away or starting, or two transactions met. Read-only is a server that has been demoted,
#: or one that an administrator protects for a while; a session that was stopped too long inside a transaction is gone.
PASSING = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg.errors.ReadOnlySqlTransaction,
    psycopg.errors.IdleInTransactionSessionTimeout,
    psycopg.errors.DeadlockDetected,
    psycopg.errors.SerializationFailure,
)


#: Longest wait for a connection of a pool that are all in use, and how many may wait; then the caller is told.
POOL_WAIT, POOL_QUEUE = 10.0, 100

#: How we connect where the address does not say otherwise. Every process writes, so of several hosts the one that takes
#: writes is meant, and a standby is as good as away. A host that is gone without a word is noticed within 20 s.
DEFAULTS = {
    "target_session_attrs": "read-write",
    "connect_timeout": "5",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "2",
    "tcp_user_timeout": "20000",
}


def _options(statement_timeout: float) -> str:
    settings = {
        "timezone": "UTC",
        # A plan kept from when a table was empty reads the whole of it ever after: a rule loop started on an empty
        # database cost ten times as much after ten thousand events, and more with each.
        "plan_cache_mode": "force_custom_plan",
        "statement_timeout": f"{statement_timeout * 1000:.0f}",
        "lock_timeout": f"{LOCK_TIMEOUT * 1000:.0f}",
        "idle_in_transaction_session_timeout": f"{IDLE_IN_TRANSACTION * 1000:.0f}",
    }
    return " ".join(f"-c {name}={value}" for name, value in settings.items())


def _parameters(dsn: str, application: str, statement_timeout: float) -> dict[str, Any]:
    """What is added to an address.

    Raises:
        StoreError: the address is not one.
    """
    try:
        given = conninfo_to_dict(dsn)
    except psycopg.ProgrammingError as error:
        raise StoreError("MINGJING_DATABASE is not a PostgreSQL address") from error
    defaults = {name: value for name, value in DEFAULTS.items() if name not in given}
    return {**defaults, "application_name": application, "options": _options(statement_timeout)}


def _adapt(connection: Connection) -> None:
    """Makes a connection write arrays and read JSON fast."""
    connection.adapters.register_dumper(list, QuotingListDumper)
    set_json_loads(_loads, connection)


def _loads(data: str | bytes) -> Any:
    # Most events carry no data; and a server that speaks UTF-8 need not be asked which of five encodings it meant.
    if data == b"{}":
        return {}
    return json.loads(data if isinstance(data, str) else data.decode())


def connect(
    dsn: str,
    *,
    application: str = "mingjing",
    autocommit: bool = False,
    statement_timeout: float = STATEMENT_TIMEOUT,
) -> Connection:
    """One connection, time zone UTC, with limits on statements, locks and idle transactions (0 = none).

    The address may name several hosts (``host=a,b``): the connection goes to the one that takes writes.

    Raises:
        psycopg.OperationalError: no server is there that takes writes.
        StoreError: the address is not one.
    """
    connection = psycopg.connect(
        dsn,
        autocommit=autocommit,
        **_parameters(dsn, application, statement_timeout),
    )
    _adapt(connection)
    return connection


def open_pool(
    dsn: str, *, application: str = "mingjing", size: int = 4, wait: float = POOL_WAIT
) -> ConnectionPool[Connection]:
    """A pool for processes with several threads. It opens in the background and checks a connection before handing it out.

    Who finds all ``size`` connections in use waits for ``wait`` seconds at most, and no more than :data:`POOL_QUEUE` wait;
    then PoolTimeout or TooManyRequests is raised, which :func:`explain` has words for.
    """
    return ConnectionPool(
        dsn,
        min_size=1,
        max_size=size,
        timeout=wait,
        max_waiting=POOL_QUEUE,
        open=True,
        check=ConnectionPool.check_connection,
        configure=_adapt,
        kwargs=_parameters(dsn, application, STATEMENT_TIMEOUT),
    )


def explain(error: BaseException) -> str:
    """One line for people: what PostgreSQL's error means for this system. Without values of rows."""
    for kind, words in _WORDS:
        if isinstance(error, kind):
            return words
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


_WORDS: tuple[tuple[type[Exception], str], ...] = (
    (
        psycopg.errors.QueryCanceled,
        f"a statement took longer than its limit (usually {STATEMENT_TIMEOUT:g} s) and was ended: the database is overloaded"
        " or its disk slow; nothing was written, it is tried again",
    ),
    (
        psycopg.errors.LockNotAvailable,
        f"a lock was not free for {LOCK_TIMEOUT:g} s: another session holds it (see pg_locks); it is tried again",
    ),
    (
        psycopg.errors.ReadOnlySqlTransaction,
        "this server takes no writes: it is a standby, or was made read-only; looking for the one that does",
    ),
    (
        psycopg.errors.IdleInTransactionSessionTimeout,
        f"a transaction did nothing for {IDLE_IN_TRANSACTION:g} s and was ended",
    ),
    (psycopg.errors.TooManyConnections, "the server has no connection left (max_connections)"),
    (psycopg.errors.DiskFull, "the database's disk is full; nothing is lost, it goes on when there is room"),
    (
        PoolTimeout,
        "all connections of this process were in use for too long, or the database is away",
    ),
    (TooManyRequests, f"all connections of this process are in use and {POOL_QUEUE} callers wait already"),
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
            log.warning("database away (%s); trying again in %.1f s", explain(error), pause)
            sleep(pause)
            pause = min(pause * 2, longest_pause)
