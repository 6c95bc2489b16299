"""The store as the worker sees it: one writer, in a thread of its own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any, Protocol, TypeVar

import psycopg

import store
from domain.centres import Centres
from domain.clock import Clock
from domain.events import Event
from domain.observations import Observation
from store.connection import explain
from store.dead_letters import Refusal, write_dead_letters
from store.ingest import heartbeat, write_events
from store.observations import Posts, posts_of, write_observations
from store.subjects import note_linking
from streams.linking import linking_of

log = logging.getLogger(__name__)

T = TypeVar("T")


class WriteResult(Protocol):
    """What became of a batch of events. Conflicts lie in the dead letters when the write returns."""

    @property
    def new(self) -> int: ...

    @property
    def duplicates(self) -> int: ...

    @property
    def conflicts(self) -> int: ...


class EventWriter(Protocol):
    """Every write is one transaction, and safe to repeat. Used from one thread."""

    def write_events(self, events: Sequence[Event]) -> WriteResult: ...

    def write_observations(self, observations: Sequence[Observation]) -> Any: ...

    def write_dead_letters(self, refusals: Sequence[Refusal]) -> Any: ...

    def beat(self, role: str, detail: dict[str, Any], instance: str) -> Any: ...

    def close(self) -> None: ...


class WriterAway(Exception):
    """No writer can be opened just now."""


#: Class 54, limits of the program, counts as operational with psycopg; but a text too long for an index stays so.
_FAULTS_OF_A_VALUE = (
    psycopg.DataError,
    psycopg.IntegrityError,
    psycopg.errors.ProgramLimitExceeded,
    psycopg.errors.StatementTooComplex,
    psycopg.errors.TooManyColumns,
    psycopg.errors.TooManyArguments,
)


def is_passing(error: BaseException) -> bool:
    """True if trying again may help: the fault is the database's (away, full, not migrated), not the value's."""
    if isinstance(error, psycopg.ProgrammingError) and error.sqlstate is None:
        return False  # never reached the server: a value that psycopg cannot write
    if isinstance(error, psycopg.Error):
        return not isinstance(error, _FAULTS_OF_A_VALUE)
    return isinstance(error, (OSError, WriterAway))


class WriterThread:
    """One writer in one thread, so that a slow database stops neither the event loop nor Kafka's heartbeats.

    A writer that failed because the database is away is closed, and a new one opened for the next try.

    Args:
        open_writer: called in that thread; may raise what a missing database raises.
    """

    def __init__(self, open_writer: Callable[[], EventWriter]) -> None:
        self._open = open_writer
        self._writer: EventWriter | None = None
        self._pool = ThreadPoolExecutor(1, "writer")

    def run(self, work: Callable[[EventWriter], T]) -> Awaitable[T]:
        """Runs ``work`` in the thread; raises what it raises, and WriterAway if there is no writer."""
        return asyncio.get_running_loop().run_in_executor(self._pool, self._call, work)

    def _call(self, work: Callable[[EventWriter], T]) -> T:
        if self._writer is None:
            try:
                self._writer = self._open()
            except Exception as error:
                raise WriterAway(brief(error)) from error
        try:
            return work(self._writer)
        except BaseException as error:
            if is_passing(error):
                self._drop()
            raise

    def _drop(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            try:
                writer.close()
            except Exception as error:
                log.debug("closing a broken writer: %r", error)

    def close(self) -> None:
        """Ends after the write that is under way, without waiting for it."""
        self._pool.submit(self._drop)
        self._pool.shutdown(wait=False)


def brief(error: BaseException) -> str:
    """One line for people, fit for a log line or a column."""
    return explain(error).replace("\x00", "")[:200]


class StoreWriter:
    """Writes to PostgreSQL through :mod:`store`.

    Args:
        centres: the code of an only one stands for events that name none; their posts are those a window must hear from.

    Raises:
        psycopg.OperationalError: the database is away.
    """

    def __init__(self, dsn: str, *, clock: Clock, centres: Centres | None = None) -> None:
        self._connection = store.connect(dsn, application="mingjing-worker", autocommit=True)
        self._clock = clock
        self._linking = linking_of(dict(centres)) if centres else None
        if self._linking is not None:
            with self._connection.transaction():
                note_linking(self._connection, self._linking, clock.now())
        # Of several an event names its own, or is refused before it comes here.
        self._centre = centres.only.centre.id if centres and centres.only else ""
        self._posts: Posts | None = None
        self._silent_after: dict[str, timedelta] = {}
        if centres:
            self._posts = {key: posts for each in centres.values() for key, posts in posts_of(each).items()}
            self._silent_after = {
                code: timedelta(minutes=each.rules.sources.camera_silent) for code, each in centres.items()
            }

    def write_events(self, events: Sequence[Event]) -> WriteResult:
        return write_events(
            self._connection, events, centre=self._centre, now=self._clock.now(), linking=self._linking
        )

    def write_observations(self, observations: Sequence[Observation]) -> None:
        write_observations(
            self._connection,
            observations,
            now=self._clock.now(),
            posts=self._posts,
            silent_after=self._silent_after,
        )

    def write_dead_letters(self, refusals: Sequence[Refusal]) -> None:
        with self._connection.transaction():
            write_dead_letters(self._connection, refusals, now=self._clock.now())

    def beat(self, role: str, detail: dict[str, Any], instance: str) -> None:
        heartbeat(self._connection, role, now=self._clock.now(), instance=instance, detail=detail)

    def close(self) -> None:
        self._connection.close()
