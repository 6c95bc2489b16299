"""The events of a replay, by case and by other subject: in memory, or, of a file too large for that, in a temporary file.

Both answer alike. The temporary file (see :mod:`mingjing.temporary_tables`) needs about as much room as the file of events.
"""

from __future__ import annotations

import marshal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from sys import intern
from typing import Literal, Protocol

from detectors.family import Family
from domain.events import Event, content_hash
from mingjing.temporary_tables import TemporaryTables

#: Whether an event is the first of its identity, says what the first said, or something else (rule 10).
Standing = Literal["first", "duplicate", "conflict"]
#: An event with the number of its line.
Entry = tuple[int, Event]

#: Rows that are written together: one call for each costs more than the writing.
TOGETHER = 500


class KeptEvents(Protocol):
    """What is kept of the lines taken. Groups come by centre and name, their events in order of arrival.

    ``number``: of an event's line; each is greater than the one before.
    """

    def meet(self, source: str, number: int, event: Event) -> Standing:
        """Keeps an event that is the first of its identity, and says whether it is."""

    def add_to_case(self, centre: str, case: str, number: int, event: Event) -> None:
        """Of an event that was the first."""

    def add_to_subject(self, centre: str, family: Family, name: str, number: int, event: Event) -> None:
        """The same for a subject that is no case."""

    def count_cases(self) -> int: ...

    def of_case(self, centre: str, case: str) -> list[Entry]: ...

    def by_case(self) -> Iterator[tuple[str, str, list[Entry]]]:
        """(centre, case, events) of each case."""

    def by_subject(self) -> Iterator[tuple[str, Family, str, list[Event]]]:
        """(centre, family, name, events) of each subject that is no case."""


@dataclass(slots=True)
class EventsInMemory:
    """For files of usual size: about 1.3 kB an event."""

    met: int = 0
    known: dict[str, dict[str, Entry]] = field(default_factory=dict)
    cases: dict[tuple[str, str], list[Entry]] = field(default_factory=dict)
    subjects: dict[tuple[str, str], tuple[Family, str, list[Entry]]] = field(default_factory=dict)

    def meet(self, source: str, number: int, event: Event) -> Standing:
        _, first = self.known.setdefault(intern(source), {}).setdefault(event.event_id, (number, event))
        if first is event:
            self.met += 1
            return "first"
        return _compare(first, event)

    def add_to_case(self, centre: str, case: str, number: int, event: Event) -> None:
        self.cases.setdefault((centre, intern(case)), []).append((number, event))

    def add_to_subject(self, centre: str, family: Family, name: str, number: int, event: Event) -> None:
        key = centre, f"{family.subject}:{name}"
        self.subjects.setdefault(key, (family, name, []))[2].append((number, event))

    def count_cases(self) -> int:
        return len(self.cases)

    def of_case(self, centre: str, case: str) -> list[Entry]:
        return self.cases.get((centre, case), [])

    def by_case(self) -> Iterator[tuple[str, str, list[Entry]]]:
        for key in sorted(self.cases):
            yield *key, self.cases[key]

    def by_subject(self) -> Iterator[tuple[str, Family, str, list[Event]]]:
        for key in sorted(self.subjects):
            family, name, entries = self.subjects[key]
            yield key[0], family, name, [event for _, event in entries]


# In the order in which they are read, so that nothing has to be sorted; each event lies there once, whoever it is about.
_TABLES = (
    "create table event (line integer primary key, packed blob)",
    "create table known (source text, event_id text, line integer, primary key (source, event_id)) without rowid",
    "create table of_case (centre text, name text, line integer, primary key (centre, name, line)) without rowid",
    "create table of_subject (centre text, subject text, line integer, name text, family integer,"
    " primary key (centre, subject, line)) without rowid",
)
_INSERTS = {
    "event": "insert into event values (?, ?)",
    "of_case": "insert into of_case values (?, ?, ?)",
    # An event may name one subject to two families of one kind of subject: it is kept for the first.
    "of_subject": "insert or ignore into of_subject values (?, ?, ?, ?, ?)",
}


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
        self._tables = TemporaryTables(*_TABLES)
        self._waiting: dict[str, list[tuple[object, ...]]] = {table: [] for table in _INSERTS}
        for source, events in before.known.items():
            for number, event in events.values():
                self.meet(source, number, event)
        for (centre, case), entries in before.cases.items():
            for number, event in entries:
                self.add_to_case(centre, case, number, event)
        for (centre, _), (family, name, entries) in before.subjects.items():
            for number, event in entries:
                self.add_to_subject(centre, family, name, number, event)

    def meet(self, source: str, number: int, event: Event) -> Standing:
        added = self._tables.run(
            "insert or ignore into known values (?, ?, ?)", source, event.event_id, number
        )
        if added.rowcount:
            self._add("event", number, _pack(event))
            return "first"
        self._write()
        (first,) = self._tables.run(
            "select packed from known join event using (line) where source = ? and event_id = ?",
            source,
            event.event_id,
        ).fetchone()
        return _compare(_unpack(first), event)

    def add_to_case(self, centre: str, case: str, number: int, event: Event) -> None:
        self._add("of_case", centre, case, number)

    def add_to_subject(self, centre: str, family: Family, name: str, number: int, event: Event) -> None:
        place = next(i for i, each in enumerate(self._families) if each is family)
        self._add("of_subject", centre, f"{family.subject}:{name}", number, name, place)

    def count_cases(self) -> int:
        self._write()
        query = "select count(*) from (select distinct centre, name from of_case)"
        (count,) = self._tables.run(query).fetchone()
        return int(count)

    def of_case(self, centre: str, case: str) -> list[Entry]:
        self._write()
        rows = self._tables.run(
            "select of_case.line, packed from of_case join event using (line) where centre = ? and name = ?"
            " order by of_case.line",
            centre,
            case,
        )
        return [(line, _unpack(packed)) for line, packed in rows.fetchall()]

    def by_case(self) -> Iterator[tuple[str, str, list[Entry]]]:
        self._write()
        rows = self._tables.rows(
            "select centre, name, of_case.line, packed from of_case cross join event using (line)"
            " order by centre, name, of_case.line"
        )
        for (centre, case), group in groupby(rows, key=itemgetter(0, 1)):
            yield centre, case, [(row[2], _unpack(row[3])) for row in group]

    def by_subject(self) -> Iterator[tuple[str, Family, str, list[Event]]]:
        self._write()
        rows = self._tables.rows(
            "select centre, subject, name, family, packed from of_subject cross join event using (line)"
            " order by centre, subject, of_subject.line"
        )
        for (centre, _), group in groupby(rows, key=itemgetter(0, 1)):
            entries = list(group)
            # As in memory: a subject belongs to the family that named it first.
            _, _, name, place, _ = entries[0]
            yield centre, self._families[place], name, [_unpack(row[4]) for row in entries]

    def _add(self, table: str, *values: object) -> None:
        rows = self._waiting[table]
        rows.append(values)
        if len(rows) >= TOGETHER:
            self._write()

    def _write(self) -> None:
        for table, rows in self._waiting.items():
            if rows:
                self._tables.run_many(_INSERTS[table], rows)
                rows.clear()


def _compare(first: Event, event: Event) -> Standing:
    return "duplicate" if content_hash(first) == content_hash(event) else "conflict"


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
