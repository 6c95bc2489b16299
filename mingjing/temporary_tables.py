"""Tables of one run that do not fit into memory: a temporary file of SQLite's own kind.

It has no name from the moment it is opened, so nothing is left behind, whatever ends the process. It lies in the folder that
``TMPDIR`` names, else in ``/var/tmp``.
"""

from __future__ import annotations

import sqlite3
import weakref
from collections.abc import Iterable, Iterator
from typing import Any

from domain.errors import StoreError

#: Kibibytes of the temporary file that are held in memory: the pages used last.
CACHE = 4_096

_SETTINGS = ("pragma journal_mode = off", "pragma synchronous = off")


class TemporaryTables:
    """A temporary file with these tables (``create table`` statements); gone with the object.

    Raises (every method):
        StoreError: no room in the temporary folder, or it cannot be written.
    """

    def __init__(self, *tables: str) -> None:
        # No name: an own temporary file, gone with the connection. One transaction that never ends: nothing here is to
        # survive the process, so nothing is ever made safe.
        self._db = sqlite3.connect("", isolation_level=None)
        weakref.finalize(self, self._db.close)
        for statement in (*_SETTINGS, f"pragma cache_size = -{CACHE}", *tables, "begin"):
            self.run(statement)

    def run(self, statement: str, *values: object) -> sqlite3.Cursor:
        try:
            return self._db.execute(statement, values)
        except sqlite3.Error as error:
            raise _no_room(error) from error

    def run_many(self, statement: str, rows: Iterable[tuple[object, ...]]) -> None:
        try:
            self._db.executemany(statement, rows)
        except sqlite3.Error as error:
            raise _no_room(error) from error

    def rows(self, query: str) -> Iterator[tuple[Any, ...]]:
        """Rows of a query, one in memory at a time; texts sort by code point, as Python's do."""
        rows = self.run(query)
        while True:
            try:
                row = rows.fetchone()
            except sqlite3.Error as error:
                raise _no_room(error) from error
            if row is None:
                return
            yield row


def _no_room(error: sqlite3.Error) -> StoreError:
    return StoreError(
        "the events do not fit into memory, and the temporary folder (TMPDIR, else /var/tmp) cannot take them: "
        f"{error}; name a folder with more room in TMPDIR"
    )


__all__ = ["TemporaryTables"]
