"""Snapshots out of the store: one connection that reads, one that listens for ``NOTIFY mingjing``."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import replace
from datetime import datetime
from typing import cast

import psycopg

from dashboard.facts import (
    Beat,
    Desk,
    Detail,
    FindingFacts,
    LifeFacts,
    PictureFacts,
    Presence,
    Snapshot,
    Totals,
    WindowFacts,
)
from dashboard.hours import OpenHours
from domain.centre import Centre
from domain.errors import StoreError
from domain.findings import Severity
from store import reading
from store.connection import Connection, connect
from store.finding_life import read_life
from store.ingest import heartbeat
from store.pictures import pictures_of

#: Seconds a reading may take before the wall says that the database does not answer.
READ_TIMEOUT = 8.0
#: Real seconds between the wall's own signs of life.
BEAT_EVERY = 5.0
#: Findings read at most; the totals count all.
MOST_FINDINGS = 500


class StoreSource:
    """A :class:`~dashboard.facts.SnapshotSource` over PostgreSQL.

    Args:
        beats: whether readings write the wall's sign of life.
        several: the system has other centres as well.
        lend: lends a connection for one reading; default one of the source's own.
        listen: waits for news; default on a connection of the source's own.

    Raises, from any method:
        psycopg.Error, StoreError: the database is away; the hub opens a new source.
    """

    def __init__(
        self,
        dsn: str,
        centre: Centre,
        *,
        real_time: Callable[[], float] = time.time,
        beats: bool = True,
        several: bool = False,
        lend: Callable[[], AbstractContextManager[Connection]] | None = None,
        listen: Callable[[float], bool] | None = None,
    ) -> None:
        self._dsn, self._centre, self._real, self._beats = dsn, centre, real_time, beats
        self._several = several
        self._lend = lend or (lambda: nullcontext(self._reader()))
        self._heard = listen or self._listen
        self._hours = OpenHours(centre)
        self._connection: Connection | None = None
        self._listening: Connection | None = None
        self._beat_at = 0.0
        self._cameras: dict[str, list[str]] = defaultdict(list)
        for camera in centre.cameras:
            for window in {post.window for post in camera.posts}:
                self._cameras[window].append(camera.id)

    def _reader(self) -> Connection:
        if self._connection is None:
            self._connection = connect(
                self._dsn, application="mingjing wall", autocommit=True, statement_timeout=READ_TIMEOUT
            )
        return self._connection

    def wait(self, seconds: float) -> bool:
        return self._heard(seconds)

    def _listen(self, seconds: float) -> bool:
        if self._listening is None:
            self._listening = connect(
                self._dsn,
                application="mingjing wall listening",
                autocommit=True,
                statement_timeout=READ_TIMEOUT,
            )
            self._listening.execute("listen mingjing")
            return True  # what happened before we listened
        heard = False
        # All that has piled up is one change to a wall.
        for _ in self._listening.notifies(timeout=seconds, stop_after=1):
            heard = True
        return heard

    def read(self, now: datetime) -> Snapshot:
        with self._lend() as connection:
            return self._read(connection, now)

    def _read(self, connection: Connection, now: datetime) -> Snapshot:
        if self._beats and self._real() - self._beat_at >= BEAT_EVERY:
            heartbeat(connection, "wall", now=now)
            self._beat_at = self._real()
        rows = reading.wall_snapshot(
            connection,
            self._centre.centre.id,
            now,
            zone=self._centre.zone,
            limit=MOST_FINDINGS,
            several=self._several,
        )
        findings = tuple(finding_facts(row) for row in rows.findings)
        totals = rows.totals
        return Snapshot(
            at=rows.at,
            read_at=self._real(),
            windows=self._windows(rows, findings, now),
            findings=findings,
            totals=Totals(
                received=totals.received,
                accepted=totals.accepted,
                closed=totals.closed,
                open=totals.open,
                overdue=totals.overdue,
                notice=totals.notice_open,
                yellow=totals.yellow_open,
                red=totals.red_open,
                messages=totals.messages,
                dead=totals.dead_letters,
            ),
            beats=tuple(Beat(beat.role, _silence(beat), beat.instance) for beat in rows.beats),
        )

    def _windows(
        self, rows: reading.WallSnapshot, findings: Sequence[FindingFacts], now: datetime
    ) -> tuple[WindowFacts, ...]:
        by_window: dict[str, list[FindingFacts]] = defaultdict(list)
        for finding in findings:
            if finding.window is not None:
                by_window[finding.window].append(finding)
        known = {row.window: row for row in rows.windows}
        cameras = {row.camera: row for row in rows.cameras}
        departments = {department.id: department.name for department in self._centre.departments}
        facts = []
        for window in self._centre.windows:
            row = known.get(window.id)
            presence, reason, since = (row.presence, row.reason, row.since) if row else (None, None, None)
            down = self._all_down(window.id, cameras)
            if down is not None and presence != "unknown":
                presence, reason, since = "unknown", down.reason, down.since
            facts.append(
                WindowFacts(
                    window=window.id,
                    name=window.name,
                    department=departments.get(window.department or "", ""),
                    has_camera=window.id in self._cameras,
                    presence=cast("Presence | None", presence),
                    reason=reason,
                    since=since,
                    seen_at=row.seen_at if row else None,
                    desk=cast("Desk", row.desk) if row else "open",
                    method=row.method if row else None,
                    open_now=self._hours.is_open(window.id, now),
                    open_cases=row.open_cases if row else None,
                    waiting=row is not None and row.waiting and presence == "absent",
                    findings=tuple(by_window[window.id]),
                )
            )
        return tuple(facts)

    def _all_down(self, window: str, cameras: Mapping[str, reading.CameraRow]) -> reading.CameraRow | None:
        """The camera to blame if none of the window's delivers; the window's own row may not know it yet."""
        rows = [cameras.get(camera) for camera in self._cameras.get(window, ())]
        down = [row for row in rows if row is not None and row.state == "unknown"]
        return down[0] if down and len(down) == len(rows) else None

    def detail(self, window: str | None, finding: str | None, now: datetime) -> Detail:
        with self._lend() as connection:
            return self._detail(connection, window, finding, now)

    def _detail(
        self, connection: Connection, window: str | None, finding: str | None, now: datetime
    ) -> Detail:
        centre = self._centre.centre.id
        if finding is not None:
            try:
                rows = [reading.finding(connection, finding)]
            except StoreError:
                rows = []
            rows = [row for row in rows if row.centre == centre and row.state == "open"]
        else:
            rows = reading.findings(connection, centre, window=window, limit=20)
        snapshot = reading.wall_snapshot(connection, centre, now, zone=self._centre.zone, limit=0)
        facts = next((facts for facts in self._windows(snapshot, (), now) if facts.window == window), None)
        return Detail(facts, tuple(self._with_life(connection, row) for row in rows))

    def _with_life(self, connection: Connection, row: reading.FindingRow) -> FindingFacts:
        found = read_life(connection, self._centre, row.finding_id)
        life = LifeFacts(found.life.state, found.life.acts, found.awaited)
        kept = pictures_of(connection, row.finding_id)
        hashes = tuple(dict.fromkeys(each.sha256 for each in kept.pictures))
        missing = tuple((each.camera, each.post, each.role, each.reason) for each in kept.missing)
        pictures = PictureFacts(hashes, missing, kept.waiting) if hashes or missing or kept.waiting else None
        return replace(finding_facts(row), life=life, pictures=pictures)

    def close(self) -> None:
        for connection in (self._connection, self._listening):
            if connection is not None:
                with suppress(psycopg.Error):
                    connection.close()
        self._connection = self._listening = None


def finding_facts(row: reading.FindingRow) -> FindingFacts:
    """A row of the store in the wall's words."""
    return FindingFacts(
        finding_id=row.finding_id,
        rule=row.rule,
        severity=cast("Severity", row.severity),
        subject=row.subject,
        opened_at=row.opened_at,
        window=row.window,
        case=row.case,
        item=row.item,
        due_at=row.due_at,
        provisional=row.provisional,
        acknowledged_at=row.acknowledged_at,
        acknowledged_by=row.acknowledged_by,
        explain=row.explain,
    )


def _silence(beat: reading.Beat) -> float:
    """Real seconds. Rules that hold back until events have caught up are alive, but what they said is as old."""
    return max(0.0, beat.silent, float(beat.detail.get("held_for") or 0.0))


__all__ = ["BEAT_EVERY", "MOST_FINDINGS", "READ_TIMEOUT", "StoreSource", "finding_facts"]
