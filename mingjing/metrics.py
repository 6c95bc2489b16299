"""Metrics of every process, and the text Prometheus reads.

Each room keeps its own in ``<room>/metrics.py``, named after the process that counts them (``mingjing_worker_…``); a
process shows its own and those that all have. docs/metrics.md lists all of them.
"""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psycopg
from prometheus_client import REGISTRY, Counter, Gauge, disable_created_metrics
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import GaugeMetricFamily, InfoMetricFamily, Metric

from domain.errors import MingjingError, StoreError
from domain.working_time import base_year
from mingjing.health import PORT_OFFSETS, Pulse
from mingjing.timekeeping import clock_synchronised
from store.connection import PASSING, Connection, connect

log = logging.getLogger(__name__)

disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each counter says nothing that a graph needs

#: Real seconds for which what the database said is shown again: two scrapers cost one set of questions.
KEPT = 5.0
#: Real seconds a question of a scrape may take.
STATEMENT_SECONDS = 3.0

LOG_MESSAGES = Counter("mingjing_log_messages", "Log messages written, by level", ["level"])
#: Counted by the supervisor of ``start`` and ``demo``.
RESTARTS = Counter("mingjing_start_restarts", "Unplanned ends of a supervised process", ["child"])
RUNNING = Gauge("mingjing_start_running", "1 while the supervised process runs", ["child"])

_Source = Callable[[Connection], Iterable[Metric]]


class ProcessRegistry:
    """What one process shows: everything registered but what only other processes count."""

    def __init__(self, process: str, registry: Any = REGISTRY) -> None:
        self._registry = registry
        self._others = tuple(f"mingjing_{name}_" for name in PORT_OFFSETS if name != process)
        # The database's state is asked by another process than the one that runs the server.
        self._others = tuple(prefix for prefix in self._others if prefix != "mingjing_database_")

    def collect(self) -> Iterator[Metric]:
        return (family for family in self._registry.collect() if not family.name.startswith(self._others))


def renderer(process: str, registry: Any = REGISTRY) -> Callable[[str], tuple[bytes, str]]:
    """Makes the body and its content type out of an ``Accept`` header."""
    shown = ProcessRegistry(process, registry)

    def render(accept: str) -> tuple[bytes, str]:
        encoder, content_type = choose_encoder(accept)
        return encoder(shown), content_type  # type: ignore[arg-type]

    return render


class ProcessCollector:
    """What every process knows of itself and of the machine it runs on.

    Args:
        folder: the data folder, whose disk is watched.
        log_file: of the local log, None on Kafka.
        bases: calendars of the centres (``calendar.base``); empty where none is known.
    """

    def __init__(
        self,
        process: str,
        pulse: Pulse,
        folder: Path,
        *,
        log_file: Path | None = None,
        bases: Callable[[], Iterable[str]] = tuple,
        today: Callable[[], date] = date.today,
        synchronised: Callable[[], bool | None] = clock_synchronised,
    ) -> None:
        self._process, self._pulse, self._folder, self._log_file = process, pulse, folder, log_file
        self._bases, self._today, self._synchronised = bases, today, synchronised

    def collect(self) -> Iterator[Metric]:
        try:
            known = version("mingjing")
        except PackageNotFoundError:
            known = "unknown"
        yield InfoMetricFamily(
            "mingjing_build", "The process and its version", {"process": self._process, "version": known}
        )
        turn = GaugeMetricFamily(
            "mingjing_loop_age_seconds", "Seconds since a loop of the process last turned", labels=["part"]
        )
        for part, age in self._pulse.ages().items():
            turn.add_metric([part], age)
        yield turn
        yield from self._disk()
        synchronised = GaugeMetricFamily(
            "mingjing_clock_synchronised", "1 while the kernel says that the machine's clock is synchronised"
        )
        if (state := self._synchronised()) is not None:
            synchronised.add_metric([], float(state))
        yield synchronised
        yield self._calendar()

    def _disk(self) -> Iterator[Metric]:
        free = GaugeMetricFamily("mingjing_disk_free_bytes", "Free bytes on the disk of the data folder")
        size = GaugeMetricFamily("mingjing_disk_size_bytes", "Size of the disk of the data folder")
        log = GaugeMetricFamily("mingjing_local_log_size_bytes", "Size of the local log's file with its WAL")
        try:
            usage = shutil.disk_usage(self._folder)
            free.add_metric([], usage.free)
            size.add_metric([], usage.total)
            if self._log_file is not None and self._log_file.exists():
                files = (self._log_file, self._log_file.with_name(self._log_file.name + "-wal"))
                log.add_metric([], sum(file.stat().st_size for file in files if file.exists()))
        except OSError:
            pass  # a folder that is not there has no size; other metrics say what is wrong
        yield from (free, size, log)

    def _calendar(self) -> Metric:
        family = GaugeMetricFamily(
            "mingjing_calendar_published",
            "1 where every centre's base calendar knows the year's working days",
            labels=["year"],
        )
        try:
            bases = set(self._bases())
        except MingjingError:
            bases = set()  # a centre file that is broken just now must not take the other metrics along
        for label, year in (("this", self._today().year), ("next", self._today().year + 1)):
            if bases:
                family.add_metric([label], float(all(base_year(base, year).published for base in bases)))
        return family

    def describe(self) -> Iterator[Metric]:
        return iter(())


class DatabaseCollector:
    """What is asked of the database at a scrape; kept for some seconds.

    Args:
        sources: each yields families out of one connection; the rooms give them.
    """

    def __init__(
        self,
        dsn: str,
        sources: Sequence[_Source],
        *,
        connector: Callable[..., Connection] = connect,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._dsn, self._sources, self._connector, self._monotonic = dsn, sources, connector, monotonic
        self._connection: Connection | None = None
        self._complained = False
        self._lock = threading.Lock()
        self._kept: tuple[float, list[Metric]] = (float("-inf"), [])

    def collect(self) -> Iterator[Metric]:
        with self._lock:
            if self._monotonic() - self._kept[0] > KEPT:
                self._kept = (self._monotonic(), self._ask())
            return iter(self._kept[1])

    def _ask(self) -> list[Metric]:
        up = GaugeMetricFamily("mingjing_database_up", "1 while the database answers")
        failed = GaugeMetricFamily(
            "mingjing_database_questions_failed", "Groups of questions without an answer at the last scrape"
        )
        families: list[Metric] = []
        unanswered = 0
        try:
            if self._connection is None:
                self._connection = self._connector(
                    self._dsn,
                    application="mingjing metrics",
                    autocommit=True,
                    statement_timeout=STATEMENT_SECONDS,
                )
            for source in self._sources:
                try:
                    families += source(self._connection)
                except (psycopg.ProgrammingError, psycopg.errors.QueryCanceled) as error:
                    # A schema that is not there yet, or one slow question, must not take the others along.
                    unanswered += 1
                    log.log(logging.DEBUG if self._complained else logging.WARNING, "metrics: %s", error)
                    self._complained = True
            up.add_metric([], 1.0)
        except (*PASSING, StoreError) as error:
            log.debug("metrics: the database is away: %s", error)
            unanswered = len(self._sources)
            up.add_metric([], 0.0)
            self.close()
        failed.add_metric([], float(unanswered))
        return [up, failed, *families]

    def describe(self) -> Iterator[Metric]:
        return iter(())

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
