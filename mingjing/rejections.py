"""The lines of a file that were refused, each with its reason; of a file full of them, in a temporary file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from mingjing.temporary_tables import TemporaryTables

#: Refused lines that are kept in memory, up to 2 kB each; from the next on all of them are kept in a temporary file.
IN_MEMORY = 1_000


@dataclass(frozen=True, slots=True)
class Rejection:
    """One refused line: 1-based number, stable code, field or None, one sentence, the line itself (shortened)."""

    line: int
    code: str
    field: str | None
    reason: str
    raw: str = ""
    event_id: str | None = None

    def to_json(self) -> dict[str, Any]:
        row = {
            "line": self.line,
            "code": self.code,
            "field": self.field,
            "reason": self.reason,
            "raw": self.raw,
        }
        return row if self.event_id is None else {**row, "event_id": self.event_id}


@dataclass(slots=True)
class Rejections:
    """Any number of them, in the order of their lines.

    Raises (every method, when they do not fit into memory):
        StoreError: there is no room for them in the temporary folder.
    """

    count: int = 0
    _few: list[Rejection] = field(default_factory=list, repr=False)
    _many: TemporaryTables | None = field(default=None, repr=False)

    def append(self, row: Rejection) -> None:
        self.count += 1
        self._few.append(row)
        if len(self._few) > IN_MEMORY:
            self._write()

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Rejection]:
        if self._many is None:
            yield from sorted(self._few, key=lambda row: row.line)
            return
        self._write()
        for row in self._many.rows(
            "select line, code, field, reason, raw, event_id from rejected order by line, place"
        ):
            yield Rejection(*row)

    def _write(self) -> None:
        if self._many is None:
            self._many = TemporaryTables(
                "create table rejected (line integer, place integer, code text, field text, reason text, raw text,"
                " event_id text, primary key (line, place)) without rowid"
            )
        self._many.run_many(
            "insert into rejected values (?, ?, ?, ?, ?, ?, ?)",
            (
                (row.line, place, row.code, row.field, row.reason, row.raw, row.event_id)
                for place, row in enumerate(self._few, start=self.count - len(self._few))
            ),
        )
        self._few.clear()


__all__ = ["Rejection", "Rejections"]
