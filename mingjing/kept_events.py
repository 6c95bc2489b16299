"""The events of a replay, by case and by other subject: in memory, or, of a file too large for that, in a temporary file.

Both answer alike. The temporary file is SQLite's own kind: it has no name from the moment it is opened, so nothing is left
behind, whatever ends the process. It lies in the folder that ``TMPDIR`` names, else in ``/var/tmp``, and needs about as much
room as the file of events, and as much again while it is sorted.
"""

from __future__ import annotations

import marshal
import sqlite3
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from sys import intern
from typing import Literal, Protocol

from detectors.family import Family
from domain.errors import StoreError
from domain.events import Event, content_hash

#: Whether an event is the first of its identity, says what the first said, or something else (rule 10).
Standing = Literal["first", "duplicate", "conflict"]
#: An event with the number of its line.
Entry = tuple[int, Event]

#: Kibibytes of the temporary file that are held in memory: its newest pages, and what is being sorted.
CACHE = 16_384


class KeptEvents(Protocol):
    """What is kept of the lines taken. Groups come by centre and name, their events in order of arrival."""

    def meet(self, source: str, event: Event) -> Standing:
        """Keeps the identity of an event, and says whether it was there."""

    def add_to_case(self, centre: str, case: str, number: int, event: Event) -> None: ...

    def add_to_subject(self, centre: str, family: Family, name: str, event: Event) -> None: ...

    def count_cases(self) -> int: ...

    def by_case(self) -> Iterator[tuple[str, list[Entry]]]:
        """(centre, events) of each case."""

    def by_subject(self) -> Iterator[tuple[str, Family, str, list[Event]]]:
        """(centre, family, name, events) of each subject that is no case."""


@dataclass(slots=True)
class EventsInMemory:
    """For files of usual size: about 1.3 kB an event."""

    met: int = 0
    known: dict[str, dict[str, Event]] = field(default_factory=dict)
    cases: dict[tuple[str, str], list[Entry]] = field(default_factory=dict)
    subjects: dict[tuple[str, str], tuple[Family, str, list[Event]]] = field(default_factory=dict)

    def meet(self, source: str, event: Event) -> Standing:
        first = self.known.setdefault(intern(source), {}).setdefault(event.event_id, event)
        if first is event:
            self.met += 1
            return "first"
        return "duplicate" if content_hash(first) == content_hash(event) else "conflict"

    def add_to_case(self, centre: str, case: str, number: int, event: Event) -> None:
        self.cases.setdefault((centre, intern(case)), []).append((number, event))

    def add_to_subject(self, centre: str, family: Family, name: str, event: Event) -> None:
        key = centre, f"{family.subject}:{name}"
        self.subjects.setdefault(key, (family, name, []))[2].append(event)

    def count_cases(self) -> int:
        return len(self.cases)

    def by_case(self) -> Iterator[tuple[str, list[Entry]]]:
        for key in sorted(self.cases):
            yield key[0], self.cases[key]

    def by_subject(self) -> Iterator[tuple[str, Family, str, list[Event]]]:
        for key in sorted(self.subjects):
            yield key[0], *self.subjects[key]


_SETTINGS = ("pragma journal_mode = off", "pragma synchronous = off")
_TABLES = (
    "create table known (source text, event_id text, content blob, primary key (source, event_id)) without rowid",
    "create table of_case (arrival integer primary key, centre text, name text, line integer, event blob)",
    "create table of_subject (arrival integer primary key, centre text, subject text, name text, family integer, event blob)",
)


class EventsOnDisk:
    """For files of any size: one case is in memory at a time.

    Args:
        families: those that subjects may belong to.
        before: what was kept until now.

    Raises (every method):
        StoreError: no room in the temporary folder, or it cannot be written.
    """

    def __init__(self, families: Sequence[Family], before: EventsInMemory) -> None:
        self._families = tuple(families)
        # No name: an own temporary file, gone with the connection. One transaction that never ends: nothing here is to
        # survive the process, so nothing is ever made safe.
        self._db = sqlite3.connect("", isolation_level=None)
        weakref.finalize(self, self._db.close)
        for statement in (*_SETTINGS, f"pragma cache_size = -{CACHE}", *_TABLES, "begin"):
            self._run(statement)
        for source, events in before.known.items():
            for event in events.values():
                self.meet(source, event)
        for (centre, case), entries in before.cases.items():
            for number, event in entries:
                self.add_to_case(centre, case, number, event)
        for (centre, _), (family, name, events_of) in before.subjects.items():
            for event in events_of:
                self.add_to_subject(centre, family, name, event)

    def meet(self, source: str, event: Event) -> Standing:
        content = content_hash(event)
        added = self._run("insert or ignore into known values (?, ?, ?)", source, event.event_id, content)
        if added.rowcount:
            return "first"
        (first,) = self._run(
            "select content from known where source = ? and event_id = ?", source, event.event_id
        ).fetchone()
        return "duplicate" if first == content else "conflict"

    def add_to_case(self, centre: str, case: str, number: int, event: Event) -> None:
        self._run("insert into of_case values (null, ?, ?, ?, ?)", centre, case, number, _pack(event))

    def add_to_subject(self, centre: str, family: Family, name: str, event: Event) -> None:
        place = next(i for i, each in enumerate(self._families) if each is family)
        row = centre, f"{family.subject}:{name}", name, place, _pack(event)
        self._run("insert into of_subject values (null, ?, ?, ?, ?, ?)", *row)

    def count_cases(self) -> int:
        (count,) = self._run("select count(*) from (select distinct centre, name from of_case)").fetchone()
        return int(count)

    def by_case(self) -> Iterator[tuple[str, list[Entry]]]:
        rows = self._sorted("select centre, name, line, event from of_case order by centre, name, arrival")
        for (centre, _), group in groupby(rows, key=lambda row: row[:2]):
            yield centre, [(row[2], _unpack(row[3])) for row in group]

    def by_subject(self) -> Iterator[tuple[str, Family, str, list[Event]]]:
        rows = self._sorted(
            "select centre, subject, name, family, event from of_subject order by centre, subject, arrival"
        )
        for (centre, _), group in groupby(rows, key=lambda row: row[:2]):
            entries = list(group)
            # As in memory: a subject belongs to the family that named it first.
            _, _, name, place, _ = entries[0]
            yield centre, self._families[place], name, [_unpack(row[4]) for row in entries]

    def _sorted(self, query: str) -> Iterator[tuple]:  # type: ignore[type-arg]
        """Rows of a query; texts sort by code point, as Python's do. It is sorted outside memory."""
        rows = self._run(query)
        while True:
            try:
                row = rows.fetchone()
            except sqlite3.Error as error:
                raise _no_room(error) from error
            if row is None:
                return
            yield row

    def _run(self, statement: str, *values: object) -> sqlite3.Cursor:
        try:
            return self._db.execute(statement, values)
        except sqlite3.Error as error:
            raise _no_room(error) from error


def _pack(event: Event) -> bytes:
    """An event for this process only. Moments keep their offset: refused lines show it."""
    times = (event.occurred_at, event.entered_at, event.received_at)
    texts = [None if time is None else time.isoformat() for time in times]
    codes = (event.centre, event.window, event.case, event.item, event.staff)
    return marshal.dumps((event.event_id, event.kind, event.source, *texts, *codes, dict(event.data)))


def _unpack(packed: bytes) -> Event:
    row = marshal.loads(packed)  # noqa: S302 (what this process has written, into a file that has no name)
    event_id, kind, source, occurred, entered, received, centre, window, case, item, staff, data = row
    return Event(
        event_id,
        intern(kind),
        datetime.fromisoformat(occurred),
        source,
        None if entered is None else datetime.fromisoformat(entered),
        None if received is None else datetime.fromisoformat(received),
        centre,
        window,
        case,
        item,
        staff,
        data,
    )


def _no_room(error: sqlite3.Error) -> StoreError:
    return StoreError(
        "the events do not fit into memory, and the temporary folder (TMPDIR, else /var/tmp) cannot take them: "
        f"{error}; name a folder with more room in TMPDIR"
    )
