"""From a batch of log records to one idempotent write, or a dead letter with the reason; never less.

Faust drops what an agent raises, so nothing is raised for a bad value: the batch fails, then each value is tried alone,
then the one that cannot be stored becomes a dead letter. While the database is away the batch waits, unacknowledged.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Generic, TypeVar

import psycopg

from domain.clock import Clock
from domain.errors import EventError
from domain.events import Event, clean, decode_json, parse_line
from domain.observations import Observation, observation_from_json
from store.dead_letters import Refusal, refusal_from_topic
from streams import metrics
from streams.writer import EventWriter, WriterThread, brief, is_passing

log = logging.getLogger(__name__)

T = TypeVar("T")

FIRST_PAUSE = 0.2
LONGEST_PAUSE = 10.0
#: How long a stop may wait for a pause to end.
STEP = 0.2


@dataclass(frozen=True, slots=True)
class Arrived:
    """One record of the log; ``place`` is ``topic/partition:offset``."""

    place: str
    value: bytes


class Stopping(Exception):
    """The worker is asked to end; what is unacknowledged comes again after the next start."""


@dataclass(slots=True)
class Counts:
    """What the worker did since it started, and what it waits for. Goes with its heartbeat."""

    new: int = 0
    duplicates: int = 0
    conflicts: int = 0
    observations: int = 0
    dead_letters: int = 0
    waiting_for: str | None = None

    def as_detail(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(self)}


class Intake(Generic[T]):
    """Takes one topic's batches to the writer.

    Args:
        parse: makes the value of a record, or raises EventError.
        write: one transaction for many values; a passing error (see :func:`streams.writer.is_passing`) is waited out.
        stopping: asked while the database is away.
        sleep: seam for tests.
    """

    def __init__(
        self,
        writer: WriterThread,
        *,
        parse: Callable[[Arrived], T],
        write: Callable[[EventWriter, list[T]], None],
        clock: Clock,
        counts: Counts,
        stopping: Callable[[], bool] = lambda: False,
        sleep: Callable[[float], Awaitable[Any]] = asyncio.sleep,
    ) -> None:
        self._writer, self._parse, self._write = writer, parse, write
        self._clock, self._counts, self._stopping, self._sleep = clock, counts, stopping, sleep

    async def handle(self, batch: Sequence[Arrived]) -> None:
        """Returns when every record of the batch is stored or lies in the dead letters.

        Raises:
            Stopping: the worker ends first; the batch must not be acknowledged.
        """
        began = time.monotonic()
        good: list[tuple[Arrived, T]] = []
        refusals: list[Refusal] = []
        for arrived in batch:
            try:
                good.append((arrived, self._parse(arrived)))
            except EventError as error:
                refusals.append(self._refusal(arrived, error.code, error.reason, error.field))
            except Exception as error:
                refusals.append(self._refusal(arrived, "unreadable", f"cannot be read: {brief(error)}"))
        refusals += await self._store(good)
        if refusals:
            # If even this fails it cannot be the value's fault, so it is tried until it succeeds.
            await self._insist(lambda writer: writer.write_dead_letters(refusals), lambda _: True)
            self._counts.dead_letters += len(refusals)
            note_refusals(refusals)
        if batch:
            topic = batch[0].place.rpartition("/")[0]
            metrics.BATCH_SECONDS.labels(topic).observe(time.monotonic() - began)

    async def _store(self, good: list[tuple[Arrived, T]]) -> list[Refusal]:
        """Stores what can be stored, and returns the rest as refusals."""
        if not good:
            return []
        try:
            await self._insist(
                lambda writer: self._write(writer, [value for _, value in good]),
                lambda error: is_passing(error) and not (len(good) > 1 and took_too_long(error)),
            )
            return []
        except Stopping:
            raise
        except psycopg.errors.QueryCanceled as error:
            # Trying it again as it is might go on for ever; half of it takes half the time.
            log.warning("A batch of %d: %s; trying it in halves", len(good), brief(error))
            half = len(good) // 2
            return await self._store(good[:half]) + await self._store(good[half:])
        except Exception as error:
            log.warning("A batch of %d cannot be stored (%s); trying one by one", len(good), brief(error))
        refusals = []
        for arrived, value in good:
            try:
                await self._insist(lambda writer, value=value: self._write(writer, [value]))  # type: ignore[misc]
            except Stopping:
                raise
            except Exception as error:
                refusals.append(
                    self._refusal(arrived, "not_storable", f"the database refuses it: {brief(error)}")
                )
        return refusals

    async def _insist(
        self, work: Callable[[EventWriter], Any], passing: Callable[[BaseException], bool] = is_passing
    ) -> None:
        """Runs ``work`` until it succeeds or fails for a reason that does not pass."""
        for pause in _pauses():
            try:
                await self._writer.run(work)
                self._counts.waiting_for = None
                metrics.WAITING.set(0)
                return
            except Exception as error:
                if not passing(error):
                    raise
                # Bounded news: at the beginning, and then with every longest pause.
                if self._counts.waiting_for is None or pause >= LONGEST_PAUSE:
                    log.warning("The database does not take a batch (%s); trying again", brief(error))
                self._counts.waiting_for = brief(error)
                metrics.WAITING.set(1)
            await self._wait(pause)

    async def _wait(self, seconds: float) -> None:
        while seconds > 0:
            if self._stopping():
                raise Stopping
            await self._sleep(min(seconds, STEP))
            seconds -= STEP

    def _refusal(self, arrived: Arrived, code: str, reason: str, field: str | None = None) -> Refusal:
        return Refusal("topic", arrived.value, code, reason, field, arrived.place, self._clock.now())


def took_too_long(error: BaseException) -> bool:
    """True if a statement ran out of the time it has."""
    return isinstance(error, psycopg.errors.QueryCanceled)


def _pauses() -> Iterator[float]:
    pause = FIRST_PAUSE
    while True:
        yield pause
        pause = min(pause * 2, LONGEST_PAUSE)


def event_intake(
    writer: WriterThread,
    *,
    clock: Clock,
    counts: Counts,
    centre: str | None = None,
    windows: frozenset[str] | None = None,
    centres: Mapping[str, frozenset[str]] | None = None,
    **seams: Any,
) -> Intake[Event]:
    """``case-events``: other systems write to the topic themselves, so every event is checked here again.

    ``centre``, ``windows``, ``centres`` as in :func:`domain.events.parse_event`.
    """

    def parse(arrived: Arrived) -> Event:
        return parse_line(arrived.value, centre=centre, windows=windows, centres=centres, now=clock.now())

    def write(to: EventWriter, events: list[Event]) -> None:
        result = to.write_events(events)
        counts.new += result.new
        counts.duplicates += result.duplicates
        counts.conflicts += result.conflicts
        for outcome, name in (("new", "new"), ("duplicate", "duplicates"), ("conflict", "conflicts")):
            metrics.EVENTS.labels(outcome).inc(getattr(result, name))

    return Intake(writer, parse=parse, write=write, clock=clock, counts=counts, **seams)


def observation_intake(
    writer: WriterThread,
    *,
    clock: Clock,
    counts: Counts,
    centres: Collection[str] | None = None,
    **seams: Any,
) -> Intake[Observation]:
    """``observations``: what the camera runner says of posts.

    Args:
        centres: the only centre codes accepted; None accepts any.
    """

    def parse(arrived: Arrived) -> Observation:
        row = decode_json(arrived.value)
        if not isinstance(row, dict):
            raise EventError("not_an_object", None, "an observation is a JSON object")
        try:
            observation = observation_from_json(row)
        except (ValueError, TypeError, KeyError) as error:
            raise EventError("bad_observation", None, f"not an observation: {brief(error)}") from error
        if centres is not None and observation.centre not in centres:
            named = clean(str(observation.centre))
            raise EventError("unknown_centre", "centre", f"'{named}' is no centre of this system")
        return observation

    def write(to: EventWriter, observations: list[Observation]) -> None:
        to.write_observations(observations)
        counts.observations += len(observations)
        metrics.OBSERVATIONS.inc(len(observations))

    return Intake(writer, parse=parse, write=write, clock=clock, counts=counts, **seams)


def rejected_intake(writer: WriterThread, *, clock: Clock, counts: Counts, **seams: Any) -> Intake[Refusal]:
    """``rejected-lines``: what a door refused, with the door's reason."""

    def parse(arrived: Arrived) -> Refusal:
        refusal = refusal_from_topic(arrived.value, clock.now())
        return replace(refusal, raw=_original_bytes(refusal.raw))

    def write(to: EventWriter, refusals: list[Refusal]) -> None:
        to.write_dead_letters(refusals)
        counts.dead_letters += len(refusals)
        note_refusals(refusals)

    return Intake(writer, parse=parse, write=write, clock=clock, counts=counts, **seams)


def note_refusals(refusals: Sequence[Refusal]) -> None:
    """Counts and logs what became dead letters; the line itself stays out of the log."""
    for refusal in refusals:
        metrics.REJECTED.labels(metrics.code_label(refusal.code)).inc()
        log.info(
            "refused: %s",
            refusal.reason,
            extra={"code": refusal.code, "field": refusal.field, "place": refusal.place},
        )


def _original_bytes(raw: bytes) -> bytes:
    # Bytes that are no UTF-8 travel in JSON as half surrogate pairs (see streams.rejections); here they become bytes again.
    try:
        return raw.decode("utf-8", "surrogatepass").encode("utf-8", "surrogateescape")
    except UnicodeError:
        return raw
