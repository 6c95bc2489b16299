"""The mark of a local log that goes, or went, over to Kafka, and who may use the file meanwhile.

The mark lies in the log itself: how far the move has come, and a trigger by which the file refuses every new record, also
from a program that knows nothing of moves. Nothing else of the log changes.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from domain.errors import LogError

from .log import EventLog

_SCHEMA = """
CREATE TABLE IF NOT EXISTS moved (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS moved_span (
    topic TEXT NOT NULL, number INTEGER NOT NULL, first INTEGER NOT NULL, next INTEGER NOT NULL, until INTEGER NOT NULL,
    PRIMARY KEY (topic, number)
) WITHOUT ROWID
"""


@dataclass(frozen=True, slots=True)
class Span:
    """Records ``first`` to ``until`` (without it) of one partition; those before ``next`` are carried."""

    topic: str
    number: int
    first: int
    next: int
    until: int

    @property
    def count(self) -> int:
        return self.until - self.first


# -- who uses the file


def users_file(path: Path) -> Path:
    return path.with_name(f"{path.name}.users")


def join_users(path: Path) -> int:
    """Says, until the descriptor is closed or the process ends, that somebody writes to the log.

    Raises:
        LogError: the log is being moved.
    """
    handle = os.open(users_file(path), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        raise LogError(f"the event log {path} is being moved to Kafka; set MINGJING_BROKER") from None
    return handle


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Holds the log for one mover.

    Raises:
        LogError: a worker reads it or a door, camera runner or command writes to it.
    """
    held: list[int] = []
    try:
        readers = sorted(path.parent.glob(f"{path.name}.*.lock"))
        for file in (*readers, users_file(path)):
            handle = os.open(file, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
            held.append(handle)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                who = (
                    "a worker still reads"
                    if file.suffix == ".lock"
                    else "a door, camera runner or command still uses"
                )
                raise LogError(f"{who} the event log {path}: stop the system first") from None
        yield
    finally:
        for handle in held:
            os.close(handle)


def in_use(path: Path) -> str | None:
    """Who stands in the way of a move, in one sentence."""
    try:
        with alone(path):
            return None
    except LogError as error:
        return str(error)


# -- the mark


class Mark:
    """Reads and writes the mark of one log."""

    def __init__(self, log: EventLog) -> None:
        self._log, self._db = log, log._db

    @property
    def facts(self) -> dict[str, Any]:
        """What is known of the move; empty where there was none."""
        with self._log._clear_errors("read"):
            if not self._db.execute("SELECT 1 FROM sqlite_master WHERE name = 'moved'").fetchone():
                return {}
            return {
                name: json.loads(value) for name, value in self._db.execute("SELECT name, value FROM moved")
            }

    @property
    def sentence(self) -> str | None:
        """What somebody hears who comes to the log nevertheless; None where he may use it."""
        facts = self.facts
        if not facts:
            return None
        return (
            f"the event log {self._log.path} was moved to {facts['target']} on {facts['began_at'][:10]}:"
            " set MINGJING_BROKER to that (or `mingjing move-log --undo` to come back)"
        )

    def spans(self) -> list[Span]:
        with self._log._clear_errors("read"):
            rows = self._db.execute(
                "SELECT topic, number, first, next, until FROM moved_span ORDER BY topic, number"
            )
            return [Span(*row) for row in rows]

    def begin(self, spans: list[Span], facts: Mapping[str, Any]) -> None:
        """From now on the log takes no record."""
        words = f"it was moved to {facts['target']} on {facts['began_at'][:10]}; set MINGJING_BROKER".replace(
            "'", "''"
        )
        with self._log._transaction("marked"):
            for statement in _SCHEMA.split(";"):
                self._db.execute(statement)
            self._db.execute(
                f"CREATE TRIGGER moved_takes_no_record BEFORE INSERT ON record BEGIN SELECT RAISE(ABORT, '{words}'); END"
            )
            self._db.executemany(
                "INSERT INTO moved_span VALUES (?, ?, ?, ?, ?)",
                [(span.topic, span.number, span.first, span.next, span.until) for span in spans],
            )
            self._note(facts)

    def advance(self, span: Span, next_offset: int) -> Span:
        with self._log._transaction("marked"):
            self._db.execute(
                "UPDATE moved_span SET next = ? WHERE topic = ? AND number = ?",
                (next_offset, span.topic, span.number),
            )
        return replace(span, next=next_offset)

    def note(self, facts: Mapping[str, Any]) -> None:
        with self._log._transaction("marked"):
            self._note(facts)

    def _note(self, facts: Mapping[str, Any]) -> None:
        rows = [(name, json.dumps(value, ensure_ascii=False)) for name, value in facts.items()]
        self._db.executemany("INSERT OR REPLACE INTO moved VALUES (?, ?)", rows)

    def remove(self) -> None:
        """The log is as before the move."""
        with self._log._transaction("marked"):
            self._db.execute("DROP TRIGGER IF EXISTS moved_takes_no_record")
            self._db.execute("DROP TABLE IF EXISTS moved_span")
            self._db.execute("DROP TABLE IF EXISTS moved")


def refuse_moved(log: EventLog) -> None:
    """
    Raises:
        LogError: the log went over to Kafka; it is closed here.
    """
    sentence = Mark(log).sentence
    if sentence is not None:
        with suppress(Exception):
            log.close()
        raise LogError(sentence)
