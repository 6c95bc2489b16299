"""Incidents of sites: cameras that failed together, from when to when. Repeatable, any order."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from domain.observations import Observation, SiteIncident
from store.connection import Connection


def write_incidents(connection: Connection, observations: Sequence[Observation]) -> bool:
    """Writes what ``site.state`` observations say; the site and its cameras are judged anew.

    Returns:
        Whether there was anything.
    """
    for row in sorted(observations, key=lambda row: (row.centre, row.camera, row.at)):
        cameras = sorted(row.cameras or ())
        values = {
            "centre": row.centre,
            "site": row.camera,
            "began": row.since or row.at,
            "ended": row.until if row.state == "present" else None,
            "reason": row.reason or "together",
            "cameras": cameras,
            "watched": row.looks_expected,
            "at": row.at,
        }
        if row.reason == "restart":
            # Who spoke of it is gone. Of several machines that share a site each has incidents of its own.
            changed = connection.execute(
                "update site_incident set ended = %(at)s, seen_at = %(at)s where centre = %(centre)s"
                " and site = %(site)s and ended is null and began < %(at)s and cameras && %(cameras)s::text[]"
                " returning cameras",
                values,
            ).fetchall()
            cameras = sorted({camera for (members,) in changed for camera in members})
            if not changed:
                continue
        else:
            connection.execute(
                "insert into site_incident as old (centre, site, began, ended, reason, cameras, watched, seen_at)"
                " values (%(centre)s, %(site)s, %(began)s, %(ended)s, %(reason)s, %(cameras)s, %(watched)s, %(at)s)"
                " on conflict (centre, site, began) do update set"
                " ended = coalesce(old.ended, excluded.ended), watched = greatest(old.watched, excluded.watched),"
                " cameras = array(select distinct c from unnest(old.cameras || excluded.cameras) as u (c) order by c),"
                " seen_at = greatest(old.seen_at, excluded.seen_at)",
                values,
            )
        connection.execute(
            "insert into source_state as old (centre, kind, source, last_at, look_at)"
            " values (%(centre)s, 'site', %(site)s, %(at)s, '-infinity') on conflict (centre, kind, source) do update"
            " set look_at = '-infinity', last_at = greatest(old.last_at, excluded.last_at)",
            values,
        )
        connection.execute(
            "update source_state set look_at = '-infinity' where centre = %s and kind = 'camera' and source = any(%s)",
            [row.centre, cameras],
        )
    return bool(observations)


def incidents_since(connection: Connection, centre: str, since: datetime) -> list[SiteIncident]:
    """Those that go on or ended after a moment, oldest first."""
    rows = connection.execute(
        "select site, began, ended, reason, cameras, watched from site_incident"
        " where centre = %s and (ended is null or ended >= %s) order by began, site",
        [centre, since],
    )
    return [
        SiteIncident(site, began, ended, reason, frozenset(cameras), watched)
        for site, began, ended, reason, cameras, watched in rows
    ]
