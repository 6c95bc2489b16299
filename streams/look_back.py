"""How far back the events of subjects are loaded: all of them, or, for families that say so, what can still change anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from detectors.family import Family
from domain.centre import Centre
from store.connection import Connection
from store.findings import oldest_open
from store.judging import Arrival, Due
from store.subjects import events_of_subjects, newest_before, newly_reached


@dataclass(frozen=True, slots=True)
class Loaded:
    """``since``: findings that opened by then stand as they are; None: all are judged."""

    arrivals: Sequence[Arrival]
    since: datetime | None = None


def load_subjects(
    connection: Connection, centre: Centre, families: Mapping[str, Family], dues: Sequence[Due], now: datetime
) -> dict[str, Loaded]:
    """The events that each claimed subject is judged by."""
    code = centre.centre.id
    found: dict[str, Loaded] = {}
    by_family: dict[str, list[Due]] = {}
    for due in dues:
        by_family.setdefault(due.name.partition(":")[0], []).append(due)
    for kind, members in by_family.items():
        family = families.get(kind)
        since = {} if family is None else _look_backs(connection, centre, family, members, now)
        whole = [due.name for due in members if due.name not in since]
        arrivals = events_of_subjects(connection, code, dict.fromkeys(whole)) if whole else {}
        found |= {name: Loaded(arrivals[name]) for name in whole}
        if family is None or not since:
            continue
        long = family.long_kinds
        newest = newest_before(connection, code, since, long)
        recent: dict[str, datetime | None] = {name: newest.get(name, since[name]) for name in since}
        some = events_of_subjects(connection, code, recent, long)
        others = events_of_subjects(connection, code, dict.fromkeys(since), family.kinds - long)
        for name, moment in since.items():
            each = sorted([*some[name], *others[name]], key=lambda arrival: arrival.seq)
            found[name] = Loaded(each, moment)
    return found


def _look_backs(
    connection: Connection, centre: Centre, family: Family, dues: Sequence[Due], now: datetime
) -> dict[str, datetime]:
    """From when on the subjects of a family are judged; those that are judged whole are left out."""
    judged = {due.name: due.row["judged_at"] for due in dues if due.row["judged_at"] is not None}
    if family.back is None or not judged:
        return {}
    calendar = centre.working_time
    reached = newly_reached(connection, centre.centre.id, judged, family.long_kinds)
    oldest = oldest_open(connection, centre.centre.id, list(judged))
    found = {}
    for name, at in judged.items():
        if name in reached and reached[name] is None:
            continue  # leave that was granted afterwards, say, speaks of any day
        moments = (min(at, now) - family.back, reached.get(name), oldest.get(name))
        first = min(moment for moment in moments if moment is not None)
        found[name] = calendar.day_start(calendar.local_date(first))
    return found


__all__ = ["Loaded", "load_subjects"]
