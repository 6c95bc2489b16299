"""A file through the door of another machine: waits, tries again, and says which line of the file was refused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import httpx
import pytest
from starlette.testclient import TestClient

from domain.clock import FakeClock
from domain.errors import InputError, LogError, SettingsError
from streams.door import DoorLimits, create_door
from streams.sending import BATCH_LINES, Sent, send_lines
from tests.streams.fakes import event_bytes
from tests.streams.test_door import KEY, Recorder

NOW = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)


class Town:
    """A door, and a sender whose pauses move the door's time on."""

    def __init__(self, limits: DoorLimits | None = None) -> None:
        self.log, self.seconds, self.pauses = Recorder(), 0.0, list[float]()
        door = create_door(
            self.log, {"hall": KEY}, None, FakeClock(NOW), limits, monotonic=lambda: self.seconds
        )
        self.client = TestClient(door, base_url="http://door")

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.seconds += seconds

    def send(self, lines: list[bytes], key: str = KEY, tries: int | None = 9) -> Sent:
        return send_lines(lines, "http://door/", key, sleep=self.sleep, tries=tries, client=self.client)


def answering(answer: Callable[[httpx.Request], httpx.Response]) -> httpx.Client:
    return httpx.Client(transport=httpx.MockTransport(answer))


def test_all_lines_arrive_in_a_few_requests() -> None:
    town = Town()
    sent = town.send([event_bytes(n) + b"\r\n" for n in range(2 * BATCH_LINES + 1)])
    assert (sent.accepted, sent.rejected, town.pauses) == (2 * BATCH_LINES + 1, [], [])
    assert len({row["event_id"] for row in town.log.events}) == 2 * BATCH_LINES + 1


def test_a_refused_line_is_named_by_its_place_in_the_file() -> None:
    lines = [
        b"",
        *(event_bytes(n) for n in range(BATCH_LINES)),
        b"",
        event_bytes(7),
        b"nonsense",
        event_bytes(8),
    ]
    sent = Town().send(lines)
    assert sent.accepted == BATCH_LINES + 2
    assert [(row.line, row.code) for row in sent.rejected] == [(BATCH_LINES + 4, "bad_json")]


def test_a_line_too_long_for_any_door_does_not_stop_the_file() -> None:
    sent = Town().send([event_bytes(1), b"x" * 6_000_000, event_bytes(2)])
    assert (sent.accepted, [(row.line, row.code) for row in sent.rejected]) == (2, [(2, "too_large")])


def test_a_busy_door_is_given_the_time_it_asks_for() -> None:
    town = Town(DoorLimits(rate=0.5, burst=1))
    assert town.send([event_bytes(n) for n in range(3 * BATCH_LINES)]).accepted == 3 * BATCH_LINES
    assert town.pauses == [2.0, 2.0]


def test_a_log_that_cannot_be_written_is_waited_for() -> None:
    town = Town()
    town.log.fails = True

    def sleep(seconds: float) -> None:
        town.log.fails = len(town.pauses) < 2
        town.pauses.append(seconds)

    sent = send_lines([event_bytes(1)], "http://door", KEY, sleep=sleep, client=town.client)
    assert (sent.accepted, sent.waits, town.pauses) == (1, 3, [5.0, 5.0, 5.0])


def test_a_door_that_is_away_is_tried_with_growing_pauses() -> None:
    pauses: list[float] = []

    def answer(request: httpx.Request) -> httpx.Response:
        if len(pauses) < 4:
            raise httpx.ConnectError("refused")
        return httpx.Response(202, json={"accepted": 1})

    assert (
        send_lines([b"{}"], "http://door", KEY, sleep=pauses.append, client=answering(answer)).accepted == 1
    )
    assert pauses == [0.5, 1.0, 2.0, 4.0]


def test_after_so_many_tries_it_gives_up_and_says_why_without_the_key() -> None:
    town = Town()
    town.log.fails = True
    with pytest.raises(LogError, match="503") as caught:
        town.send([event_bytes(1)], tries=3)
    assert KEY not in str(caught.value)
    assert len(town.pauses) == 2


def test_a_wrong_key_and_a_wrong_address_are_said_at_once() -> None:
    with pytest.raises(SettingsError, match="API key"):
        Town().send([event_bytes(1)], key="wrong")
    with pytest.raises(SettingsError, match="http://"):
        send_lines([], "door:8051", KEY)


def test_what_waiting_does_not_cure_is_not_waited_for() -> None:
    client = answering(lambda request: httpx.Response(404, text="no such page"))
    with pytest.raises(InputError, match="404"):
        send_lines([b"{}"], "http://door", KEY, sleep=pytest.fail, client=client)
