"""From a batch to the store: nothing lost when values are bad, nothing skipped when the database is away."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from domain.clock import FakeClock
from streams.intake import (
    Arrived,
    Counts,
    Intake,
    Stopping,
    event_intake,
    observation_intake,
    rejected_intake,
)
from streams.rejections import rejection
from streams.writer import EventWriter, WriterThread
from tests.streams.fakes import SqliteWriter, event_bytes, read

NOW = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
Fail = Callable[[str, Sequence[Any]], None]


class Desk:
    """An intake over a SQLite store, with recorded pauses."""

    def __init__(self, path: Path, fail: Fail = lambda kind, rows: None) -> None:
        self.path, self.counts, self.pauses = path, Counts(), list[float]()
        self.stop = False
        self.opened = 0
        self.open_fails: BaseException | None = None
        self._fail = fail
        self.writer = WriterThread(self._open)

    def _open(self) -> EventWriter:
        self.opened += 1
        if self.open_fails is not None:
            raise self.open_fails
        return SqliteWriter(self.path, self._fail)

    async def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        await asyncio.sleep(0)

    def make(self, kind: Callable[..., Intake[Any]], **more: Any) -> Intake[Any]:
        return kind(
            self.writer,
            clock=FakeClock(NOW),
            counts=self.counts,
            stopping=lambda: self.stop,
            sleep=self._sleep,
            **more,
        )

    def handle(
        self, values: Sequence[bytes], kind: Callable[..., Intake[Any]] = event_intake, **more: Any
    ) -> None:
        batch = [Arrived(f"t/0:{number}", value) for number, value in enumerate(values)]
        asyncio.run(self.make(kind, **more).handle(batch))

    def events(self) -> list[str]:
        return [row[0] for row in read(self.path, "SELECT event_id FROM event ORDER BY rowid")]

    def letters(self) -> list[tuple[Any, ...]]:
        return read(self.path, "SELECT code, place, raw FROM letter ORDER BY rowid")


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


def test_a_batch_is_one_write_and_repeats_count_once(store: Path) -> None:
    writes: list[int] = []
    desk = Desk(store, lambda kind, rows: writes.append(len(rows)))
    desk.handle([event_bytes(1), event_bytes(2), event_bytes(1)])
    assert (writes, desk.events()) == ([3], ["e1", "e2"])
    assert (desk.counts.new, desk.counts.duplicates) == (2, 1)


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (b"{not json", "bad_json"),
        (b"", "bad_json"),
        (b"\xff\xfe", "not_utf8"),
        (b"[" * 5000 + b"]" * 5000, "too_deep"),
        (event_bytes(9, kind="case.invented"), "unknown_kind"),
        (event_bytes(9, occurred_at="2026-03-02T09:00:00"), "naive_time"),
        (event_bytes(9, occurred_at="1900-01-01T00:00:00+08:00"), "impossible_time"),
        (event_bytes(9, occurred_at="2026-03-04T09:00:00+08:00"), "future_time"),
        (event_bytes(9, data={"note": "a\x00b"}), "nul_byte"),
        (event_bytes(9, window="Z99"), "unknown_window"),
        (b"17", "not_an_object"),
    ],
)
def test_a_bad_line_becomes_a_dead_letter_and_the_others_are_stored(
    store: Path, value: bytes, code: str
) -> None:
    desk = Desk(store)
    desk.handle([event_bytes(1), value, event_bytes(2)], windows=frozenset({"A01"}))
    assert desk.events() == ["e1", "e2"]
    assert desk.letters() == [(code, "t/0:1", value)]


@pytest.mark.parametrize(
    "error",
    [
        psycopg.DataError("no such text"),
        psycopg.ProgrammingError("cannot adapt type 'dict'"),
        psycopg.errors.ProgramLimitExceeded("index row size 3000 exceeds 2704"),
        ValueError("odd"),
        RuntimeError("bug"),
    ],
)
def test_a_value_the_database_refuses_is_found_one_by_one(store: Path, error: Exception) -> None:
    def fail(kind: str, rows: Sequence[Any]) -> None:
        if kind == "events" and any(row.event_id == "e2" for row in rows):
            raise error

    desk = Desk(store, fail)
    desk.handle([event_bytes(1), event_bytes(2), event_bytes(3)])
    assert desk.events() == ["e1", "e3"]
    assert desk.letters() == [("not_storable", "t/0:1", event_bytes(2))]
    assert desk.pauses == []


def test_a_batch_that_takes_too_long_is_tried_in_halves_and_none_of_it_is_refused(store: Path) -> None:
    writes: list[int] = []

    def fail(kind: str, rows: Sequence[Any]) -> None:
        if kind == "events":
            writes.append(len(rows))
            if len(rows) > 2:
                raise psycopg.errors.QueryCanceled("canceling statement due to statement timeout")

    desk = Desk(store, fail)
    desk.handle([event_bytes(number) for number in range(1, 8)])
    assert desk.events() == [f"e{number}" for number in range(1, 8)]
    assert (desk.letters(), desk.pauses) == ([], [])
    assert writes == [7, 3, 1, 2, 4, 2, 2]


@pytest.mark.parametrize(
    "error", [psycopg.OperationalError("server closed"), psycopg.errors.UndefinedTable("x"), OSError("disk")]
)
def test_while_the_database_is_away_the_batch_waits_with_growing_pauses(
    store: Path, error: Exception
) -> None:
    tries = 0

    def fail(kind: str, rows: Sequence[Any]) -> None:
        nonlocal tries
        tries += 1
        if tries <= 5:
            raise error

    desk = Desk(store, fail)
    desk.handle([event_bytes(1), event_bytes(2)])
    assert desk.events() == ["e1", "e2"]
    assert desk.letters() == []
    assert sum(desk.pauses) == pytest.approx(0.2 + 0.4 + 0.8 + 1.6 + 3.2)
    assert max(desk.pauses) <= 0.2  # so that a stop never waits long
    assert desk.opened == 6  # a new connection for every try
    assert desk.counts.waiting_for is None


def test_a_database_that_cannot_even_be_opened_is_waited_for(store: Path) -> None:
    desk = Desk(store)
    desk.open_fails = psycopg.OperationalError("nobody listens")

    async def run() -> None:
        waiting = asyncio.create_task(desk.make(event_intake).handle([Arrived("t/0:0", event_bytes(1))]))
        while desk.opened < 3:
            await asyncio.sleep(0.001)
        assert desk.counts.waiting_for == "nobody listens"
        desk.open_fails = None
        await waiting

    asyncio.run(run())
    assert desk.events() == ["e1"]


def test_a_dead_letter_that_cannot_be_written_is_insisted_on(store: Path) -> None:
    tries = 0

    def fail(kind: str, rows: Sequence[Any]) -> None:
        nonlocal tries
        tries += kind == "letters"
        if kind == "letters" and tries <= 3:
            raise ValueError("whatever")

    desk = Desk(store, fail)
    desk.handle([b"bad"])
    assert [letter[0] for letter in desk.letters()] == ["bad_json"]


def test_a_stop_ends_the_waiting_without_a_word_of_success(store: Path) -> None:
    def fail(kind: str, rows: Sequence[Any]) -> None:
        desk.stop = True
        raise psycopg.OperationalError("away")

    desk = Desk(store, fail)
    with pytest.raises(Stopping):
        desk.handle([event_bytes(1)])


def test_observations_are_stored_and_bad_ones_explained(store: Path) -> None:
    good = {"observation_id": "o1", "kind": "post.state", "centre": "c", "camera": "k", "state": "present"}
    good["at"] = "2026-03-02T09:00:00+08:00"
    desk = Desk(store)
    values = [
        good,
        {**good, "state": "maybe"},
        {**good, "surprise": 1},
        [],
        {**good, "at": "2026-03-02T09:00:00"},
    ]
    desk.handle([json.dumps(value).encode() for value in values], observation_intake)
    assert read(store, "SELECT id FROM observation") == [("o1",)]
    assert [letter[:2] for letter in desk.letters()] == [
        ("bad_observation", "t/0:1"),
        ("bad_observation", "t/0:2"),
        ("not_an_object", "t/0:3"),
        ("naive_time", "t/0:4"),
    ]


@pytest.mark.parametrize(
    "raw", [b"plain", "窗口".encode(), b"\xff\x00\xfe broken", b"", "\U0001f600".encode()]
)
def test_a_line_refused_at_the_door_keeps_every_byte(store: Path, raw: bytes) -> None:
    desk = Desk(store)
    value = rejection(source="door", raw=raw, code="bad_json", reason="not JSON", place="line 3", at=NOW)
    desk.handle([value], rejected_intake)
    assert read(store, "SELECT origin, place, code, raw FROM letter") == [("door", "line 3", "bad_json", raw)]


def test_a_rejected_line_in_another_form_is_kept_too(store: Path) -> None:
    desk = Desk(store)
    desk.handle([b"{}", b"\xff"], rejected_intake)
    assert [letter[2] for letter in desk.letters()] == [b"{}", b"\xff"]
