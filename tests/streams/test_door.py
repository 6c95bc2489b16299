"""The HTTP door, over ASGI and once over a real socket."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from domain.clock import FakeClock
from domain.errors import LogError, MessagesRefusedError, SettingsError
from streams.access import load_api_keys
from streams.door import DoorLimits, create_door
from streams.intake import Counts, rejected_intake
from streams.local_transport import EventLog, make_address
from streams.publisher import Message, Publisher, open_publisher
from streams.rejections import RAW_LIMIT
from streams.writer import WriterThread
from tests.streams.fakes import event_bytes, event_row

NOW = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
KEY = "a-key-of-the-town-hall"
HEADERS = {"X-API-Key": KEY}


class Recorder:
    """A publisher that keeps what it is given, or fails."""

    def __init__(self) -> None:
        self.messages: dict[str, list[Message]] = {}
        self.fails = False
        self.takes = 10**9

    def publish(self, topic: str, messages: Sequence[Message]) -> None:
        if self.fails:
            raise LogError("the event log /secret/path cannot be written: disk full")
        large = {
            n: f"has {len(value)} bytes" for n, (_, value) in enumerate(messages) if len(value) > self.takes
        }
        self.messages.setdefault(topic, []).extend(
            message for n, message in enumerate(messages) if n not in large
        )
        if large:
            raise MessagesRefusedError(large)

    def close(self) -> None: ...

    def __enter__(self) -> Publisher:
        return self  # type: ignore[return-value]

    def __exit__(self, *_: object) -> None: ...

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(value) for _, value in self.messages.get("case-events", [])]

    @property
    def rejected(self) -> list[dict[str, Any]]:
        return [json.loads(value) for _, value in self.messages.get("rejected-lines", [])]


class Visitor:
    """Sends requests to a door over ASGI."""

    def __init__(self, limits: DoorLimits | None = None) -> None:
        self.log, self.seconds = Recorder(), 0.0
        self.app = create_door(
            self.log,
            {"hall": KEY, "other": "x" * 20},
            None,
            FakeClock(NOW),
            limits,
            monotonic=lambda: self.seconds,
        )

    def post(
        self, content: Any, headers: dict[str, str] | None = None, type_: str = "application/json"
    ) -> httpx.Response:
        async def send() -> httpx.Response:
            async with httpx.AsyncClient(
                transport=httpx.ASGITransport(self.app), base_url="http://door"
            ) as client:
                merged = {"content-type": type_, **(HEADERS if headers is None else headers)}
                return await client.post("/events", content=content, headers=merged)

        return asyncio.run(send())

    def get(self, path: str) -> httpx.Response:
        async def send() -> httpx.Response:
            async with httpx.AsyncClient(
                transport=httpx.ASGITransport(self.app), base_url="http://door"
            ) as client:
                return await client.get(path)

        return asyncio.run(send())


def test_one_event_is_accepted_and_in_the_log_with_the_moment_of_receipt() -> None:
    door = Visitor()
    answer = door.post(event_bytes(1, received_at="2020-01-01T00:00:00+08:00", data={"名": "值"}))
    assert (answer.status_code, answer.json()) == (202, {"accepted": 1})
    assert door.log.messages["case-events"][0][0] == b"c1"
    assert door.log.events[0]["received_at"] == NOW.isoformat()
    assert door.log.events[0]["data"] == {"名": "值"}


def test_a_list_and_lines_are_accepted() -> None:
    door = Visitor()
    rows = [event_row(1, window="A07", case=None, kind="window.opened"), event_row(2)]
    assert door.post(json.dumps(rows)).json() == {"accepted": 2}
    lines = b"\n".join(map(event_bytes, range(3, 6)))
    assert door.post(lines, type_="application/x-ndjson").json() == {"accepted": 3}
    assert [row["event_id"] for row in door.log.events] == ["e1", "e2", "e3", "e4", "e5"]
    assert door.log.messages["case-events"][0][0] == b"A07"
    assert door.post("[]").json() == {"accepted": 0}


def test_good_ones_are_taken_and_bad_ones_get_their_reason_and_go_to_the_dead_letters() -> None:
    door = Visitor()
    rows = [
        event_row(1),
        event_row(2, kind="case.invented"),
        7,
        event_row(3, occurred_at="2026-03-02T09:00:00"),
    ]
    answer = door.post(json.dumps(rows))
    assert answer.status_code == 400
    body = answer.json()
    assert body["accepted"] == 1
    assert [(row["index"], row["code"], row["field"]) for row in body["rejected"]] == [
        (1, "unknown_kind", "kind"),
        (2, "not_an_object", None),
        (3, "naive_time", "occurred_at"),
    ]
    assert all(row["reason"] for row in body["rejected"])
    assert [json.loads(row["raw"]) for row in door.log.rejected] == rows[1:]
    assert [(row["source"], row["place"]) for row in door.log.rejected] == [
        ("door", f"index {n}") for n in (1, 2, 3)
    ]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"{broken", "bad_json"),
        (b"\xff\xfe", "not_utf8"),
        (b'{"a":' * 50_000, "too_deep"),
        (b'{"a":' * 30 + b"1" + b"}" * 30, "too_deep"),
        (event_bytes(1, data={"note": "a\x00b"}), "nul_byte"),
        (b'{"a": NaN}', "bad_number"),
        (event_bytes(1, occurred_at="1900-01-01T00:00:00+08:00"), "impossible_time"),
        (event_bytes(1, occurred_at="2026-03-03T10:00:01+08:00"), "future_time"),
    ],
)
@pytest.mark.parametrize("type_", ["application/json", "application/x-ndjson"])
def test_what_is_wrong_is_named(line: bytes, code: str, type_: str) -> None:
    door = Visitor()
    answer = door.post(line, type_=type_)
    assert answer.status_code == 400
    assert [row["code"] for row in answer.json()["rejected"]] == [code]
    assert door.log.events == []
    assert len(door.log.rejected) == 1


def test_an_unknown_window_of_the_centre_is_refused(tmp_path: Path) -> None:
    from domain.centre_folder import load_centres

    (tmp_path / "centre.yaml").write_text(
        'centre: {id: "1", name: x, timezone: Asia/Shanghai, office_hours: ["09:00-12:00"]}\nwindows: [{id: A07}]\n'
    )
    log = Recorder()
    door = Visitor()
    door.log, door.app = (
        log,
        create_door(log, {"hall": KEY}, load_centres(tmp_path / "centre.yaml"), FakeClock(NOW)),
    )
    answer = door.post(
        json.dumps([event_row(1, window="A07"), event_row(2, window="B99"), event_row(3, centre="2")])
    )
    assert [row["code"] for row in answer.json()["rejected"]] == ["unknown_window", "wrong_centre"]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-API-Key": "wrong"},
        {"X-API-Key": ""},
        {"Authorization": f"Basic {KEY}"},
        {"X-API-Key": KEY[:-1]},
    ],
)
def test_without_a_known_key_nothing_is_looked_at(headers: dict[str, str]) -> None:
    door = Visitor()
    answer = door.post(event_bytes(1), headers)
    assert (answer.status_code, door.log.messages) == (401, {})
    assert KEY not in answer.text


@pytest.mark.parametrize(
    "headers", [HEADERS, {"Authorization": f"Bearer {KEY}"}, {"authorization": f"bearer {KEY}"}]
)
def test_the_key_may_come_in_either_header(headers: dict[str, str]) -> None:
    assert Visitor().post(event_bytes(1), headers).status_code == 202


def test_a_body_over_the_limit_is_not_read_on_and_noted() -> None:
    door = Visitor(DoorLimits(body_bytes=1000))
    sent = 0

    async def chunks() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(100):
            sent += 1
            yield b" " * 300

    answer = door.post(chunks())
    assert answer.status_code == 413
    assert sent < 100
    assert [(row["code"], len(row["raw"])) for row in door.log.rejected] == [("body_too_large", 1000)]
    assert door.post(b" " * 1001).status_code == 413
    assert door.post(event_bytes(1)).status_code == 202


def test_too_many_requests_of_one_key_wait_and_others_do_not() -> None:
    door = Visitor(DoorLimits(rate=2, burst=3))
    assert [door.post(event_bytes(n)).status_code for n in range(4)] == [202, 202, 202, 429]
    answer = door.post(event_bytes(9))
    assert answer.headers["retry-after"] == "1"
    assert door.post(event_bytes(5), {"X-API-Key": "x" * 20}).status_code == 202
    door.seconds += 0.5
    assert [door.post(event_bytes(n)).status_code for n in range(2)] == [202, 429]


def test_nothing_is_acknowledged_when_the_log_cannot_be_written() -> None:
    door = Visitor()
    door.log.fails = True
    answer = door.post(event_bytes(1))
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert "secret" not in answer.text
    assert door.get("/healthz").status_code == 503
    door.log.fails = False
    assert door.post(event_bytes(1)).status_code == 202
    assert door.get("/healthz").json() == {"status": "ok"}


def test_what_the_log_will_never_take_is_refused_with_its_largest_field_and_the_others_are_in_it() -> None:
    visitor = Visitor()
    visitor.log.takes = 3000
    large = event_row(2) | {"data": {"note": "x" * 4000, "by": "y"}}
    answer = visitor.post(json.dumps([event_row(1), large, event_row(3)]))
    assert answer.status_code == 400
    assert answer.json()["accepted"] == 2
    (reason,) = answer.json()["rejected"]
    assert (reason["index"], reason["code"], reason["field"]) == (1, "too_large", "data.note")
    assert "bytes" in reason["reason"]
    assert [event["event_id"] for event in visitor.log.events] == [
        event_row(1)["event_id"],
        event_row(3)["event_id"],
    ]
    # Here even its letter is too large: the sender has been told, and is not sent round for ever.
    assert visitor.log.rejected == []
    visitor.log.takes = 10_000
    assert visitor.post(json.dumps([large | {"data": {"note": "x" * 20_000}}])).status_code == 400


def test_a_compressed_body_is_refused_clearly() -> None:
    assert Visitor().post(b"x", {**HEADERS, "Content-Encoding": "gzip"}).status_code == 415


def test_a_body_that_does_not_arrive_is_given_up() -> None:
    async def slow() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.sleep(5)

    assert Visitor(DoorLimits(body_seconds=0.05)).post(slow()).status_code == 408


def test_bodies_beyond_what_the_door_can_hold_are_told_to_come_again() -> None:
    door = Visitor(DoorLimits(body_bytes=1000, held_bytes=1500))
    body = event_bytes(1)

    async def visit() -> list[int]:
        go = asyncio.Event()

        async def slow() -> AsyncIterator[bytes]:
            await go.wait()
            yield body

        transport = httpx.ASGITransport(door.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://door", headers=HEADERS) as client:
            # Its size is not announced, so it counts as the largest.
            first = asyncio.create_task(client.post("/events", content=slow()))
            await asyncio.sleep(0.05)
            small = await client.post("/events", content=body)
            refused = await client.post("/events", content=slow())
            assert refused.headers["retry-after"] == "1"
            go.set()
            after = await first
            again = await client.post("/events", content=body)
        return [small.status_code, refused.status_code, after.status_code, again.status_code]

    assert len(body) < 500
    assert asyncio.run(visit()) == [202, 503, 202, 202]


def test_a_huge_refused_line_still_fits_through_the_log() -> None:
    door = Visitor()
    answer = door.post(b"\xff" * 2_000_000, type_="application/x-ndjson")
    assert answer.json()["rejected"][0]["code"] == "too_large"
    (message,) = door.log.messages["rejected-lines"]
    assert len(message[1]) < 1_000_000
    assert "2000000 bytes" in json.loads(message[1])["reason"]
    assert RAW_LIMIT < 2_000_000


def test_what_the_door_refuses_is_what_the_worker_reads() -> None:
    door = Visitor()
    door.post(b"\xff\x00broken", type_="application/x-ndjson")
    intake = rejected_intake(WriterThread(lambda: None), clock=FakeClock(NOW), counts=Counts())  # type: ignore[arg-type,return-value]
    from streams.intake import Arrived

    refusal = intake._parse(Arrived("x", door.log.messages["rejected-lines"][0][1]))
    assert (refusal.raw, refusal.origin, refusal.place, refusal.code) == (
        b"\xff\x00broken",
        "door",
        "line 1",
        "not_utf8",
    )


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with open_publisher(make_address(tmp_path / "log.db")) as publisher:
        app = create_door(publisher, {"hall": KEY}, None, FakeClock(NOW), DoorLimits(body_bytes=100_000))
        server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error"))
        thread = threading.Thread(target=server.run)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{port}", tmp_path / "log.db"
        server.should_exit = True
        thread.join(10)


def test_over_a_socket_many_at_once_all_lie_in_the_log_when_answered(served: tuple[str, Path]) -> None:
    url, path = served

    def send(sender: int) -> None:
        with httpx.Client(headers=HEADERS) as client:
            for turn in range(5):
                answer = client.post(f"{url}/events", content=event_bytes(sender * 100 + turn))
                assert answer.status_code == 202

    threads = [threading.Thread(target=send, args=[number]) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(EventLog(path).heads().values()) == 30
    answer = httpx.post(f"{url}/events", content=b"x" * 10_000_000, headers=HEADERS)
    assert answer.status_code == 413


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("hall a-long-enough-key-here", ":1: expected name:key"),
        ("# comment\n\nhall:short", ":3: the key of 'hall' is shorter"),
        ("hall:a-long-enough-key-here\nhall:another-long-enough-key", ":2: 'hall' stands twice"),
        ("# nothing", "holds no key"),
    ],
)
def test_a_broken_file_of_keys_is_named_without_its_keys(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "keys").write_text(text)
    with pytest.raises(SettingsError, match=problem) as caught:
        load_api_keys(tmp_path / "keys")
    assert "enough" not in str(caught.value)


def test_keys_are_read_by_name(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("# doors\nhall: a-long-enough-key:with-colon \n")
    assert load_api_keys(tmp_path / "keys") == {"hall": "a-long-enough-key:with-colon"}
