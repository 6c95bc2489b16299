"""What supervision of supervision asks: which due dates nobody's calendar covers, what was found day by day, what cameras said."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from store.connection import Connection

#: (moment, state, reason, seconds its clock is ahead) of a camera's word about itself.
CameraWord = tuple[datetime, str, str | None, float | None]


def watch_subjects(connection: Connection, centre: str, subjects: Sequence[str]) -> None:
    """Subjects that no event names have their rows from now on; each new one is due at once."""
    connection.execute(
        "insert into subject_state (centre, subject, look_at) select %s, s, '-infinity' from unnest(%s::text[]) as u (s)"
        " on conflict do nothing",
        [centre, sorted(subjects)],
    )


def provisional_clocks(connection: Connection, centre: str, zone: str) -> list[tuple[datetime, datetime]]:
    """(earliest start, latest due) of cases whose due dates rest on a calendar that is not certain, for each pair of local
    years that they begin and end in. Cases that have ended count too: what was missing for them was missing."""
    rows = connection.execute(
        "select min(started_at), max(due) from (select started_at, greatest(promised_due, legal_due) as due from case_state"
        "   where centre = %s and provisional and started_at is not null) as c where due is not null"
        " group by extract(year from started_at at time zone %s), extract(year from due at time zone %s)",
        [centre, zone, zone],
    )
    return rows.fetchall()


def findings_by_day(
    connection: Connection, centre: str, since: datetime, zone: str
) -> dict[tuple[int, str], int]:
    """(ordinal of the local day on which it opened, rule) → findings, also those taken back and those not issued."""
    rows = connection.execute(
        "select (opened_at at time zone %(zone)s)::date, rule, count(*) from ("
        " select opened_at, rule from finding where centre = %(centre)s and opened_at >= %(since)s"
        " union all select opened_at, rule from shadow_finding where centre = %(centre)s and opened_at >= %(since)s"
        ") as f group by 1, 2",
        {"centre": centre, "since": since, "zone": zone},
    )
    return {(day.toordinal(), rule): number for day, rule, number in rows}


def camera_words(
    connection: Connection, centre: str, since: Mapping[str, datetime]
) -> dict[str, list[CameraWord]]:
    """What each camera said of itself, from the last time it delivered before its moment on (without one: ever)."""
    found: dict[str, list[CameraWord]] = {camera: [] for camera in since}
    rows = connection.execute(
        "select camera, w.* from unnest(%s::text[], %s::timestamptz[]) as u (camera, since) cross join lateral ("
        "   select coalesce(o.since, o.at), o.state, o.reason, o.clock_offset from observation o where o.centre = %s and o.camera = u.camera"
        "     and o.post is null and o.kind = 'camera.state' and o.at >= coalesce((select max(b.at) from observation b"
        "       where b.centre = %s and b.camera = u.camera and b.post is null and b.kind = 'camera.state'"
        "         and b.state <> 'unknown' and b.at <= u.since), '-infinity')"
        "   order by o.at, o.observation_id) as w",
        [list(since), list(since.values()), centre, centre],
    )
    for camera, *word in rows:
        found[camera].append((word[0], word[1], word[2], word[3]))
    return found


def mark_cameras(connection: Connection, cameras: Iterable[tuple[str, str]]) -> bool:
    """Makes the subjects of (centre, camera) due, where somebody watches over them; whether any was."""
    pairs: list[Any] = sorted(set(cameras))
    if not pairs:
        return False
    done = connection.execute(
        "update subject_state s set look_at = '-infinity' from unnest(%s::text[], %s::text[]) as u (c, m)"
        " where s.centre = c and s.subject = 'camera:' || m",
        [list(column) for column in zip(*pairs, strict=True)],
    )
    return done.rowcount > 0


__all__ = [
    "CameraWord", "camera_words", "findings_by_day", "mark_cameras", "provisional_clocks", "watch_subjects",
]  # fmt: skip
