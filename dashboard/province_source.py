"""Snapshots of all centres out of the store, each second if need be; the day's figures less often."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

import psycopg

from dashboard.facts import Beat, Totals
from dashboard.hours import OpenHours
from dashboard.province import CentreFacts, ProvinceSnapshot
from dashboard.province_view import blank_facts
from dashboard.source import BEAT_EVERY, READ_TIMEOUT, finding_facts
from dashboard.view import light_settings
from domain.centres import Centres
from store.connection import Connection, connect
from store.ingest import heartbeat
from store.province import CentreRow, Sums, province_rows, province_sums

#: Real seconds between two counts of the day's figures.
SUMS_EVERY = 15.0


class ProvinceSource:
    """Where the wall of all centres reads.

    Args:
        listen: waits for news, see :meth:`dashboard.switchboard.Switchboard.listener`.
        speed: of the system's clock.

    Raises, from any method:
        psycopg.Error: the database is away; the hub opens a new source.
    """

    def __init__(
        self,
        dsn: str,
        centres: Centres,
        listen: Callable[[float], bool],
        *,
        speed: float = 1.0,
        real_time: Callable[[], float] = time.time,
    ) -> None:
        self._dsn, self._centres, self.wait, self._real = dsn, centres, listen, real_time
        self._blank = blank_facts(centres)
        self._hours = {code: OpenHours(centre) for code, centre in centres.items()}
        self._silences: dict[str, timedelta] = {
            code: light_settings(centre, speed).silence for code, centre in centres.items()
        }
        self._connection: Connection | None = None
        self._beat_at = self._sums_at = 0.0
        self._sums = Sums()

    def read(self, now: datetime) -> ProvinceSnapshot:
        if self._connection is None:
            self._connection = connect(
                self._dsn, application="mingjing wall", autocommit=True, statement_timeout=READ_TIMEOUT
            )
        connection, real = self._connection, self._real()
        if real - self._beat_at >= BEAT_EVERY:
            heartbeat(connection, "wall", now=now)
            self._beat_at = real
        if real - self._sums_at >= SUMS_EVERY:
            self._sums = province_sums(connection, list(self._centres), now)
            self._sums_at = real
        rows = province_rows(connection, self._silences, now)
        centres = tuple(self._facts(blank, rows.centres[blank.code], now) for blank in self._blank)
        sums = self._sums
        totals = Totals(
            received=sums.received,
            accepted=sums.accepted,
            closed=sums.closed,
            open=sums.open,
            overdue=rows.overdue,
            notice=sum(centre.notice for centre in centres),
            yellow=sum(centre.yellow for centre in centres),
            red=sum(centre.red for centre in centres),
            messages=sums.messages,
            dead=sums.dead,
        )
        beats = tuple(Beat(beat.role, beat.silent, beat.instance) for beat in rows.beats)
        return ProvinceSnapshot(now, self._real(), centres, totals, beats, len(self._centres.problems))

    def _facts(self, blank: CentreFacts, row: CentreRow, now: datetime) -> CentreFacts:
        open_now = self._hours[blank.code].is_open("", now)
        return replace(
            blank,
            red=row.red,
            yellow=row.yellow,
            notice=row.notice,
            worst=finding_facts(row.worst) if row.worst else None,
            # Nobody sits at a window after hours, and no camera that is switched off then accuses anybody.
            unknown=max(0, blank.watched - row.speaking) if open_now else 0,
            heard_at=row.heard_at,
            silent_feeds=row.silent_feeds,
            rules_silent=row.rules_silent,
            open_now=open_now,
        )

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(psycopg.Error):
                connection.close()


__all__ = ["SUMS_EVERY", "ProvinceSource"]
