from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest
from starlette.websockets import WebSocketDisconnect

from dashboard import hub as hub_module
from dashboard.demo_snapshot import NOON, FakeSource, calm, demo_centre, mixed
from dashboard.hub import Hub
from dashboard.live import LiveLine
from dashboard.painting import WallPainter
from domain.clock import FakeClock

CENTRE = demo_centre(12)


class Stage:
    """A hub over a fake source, with real time in the test's hands."""

    def __init__(self) -> None:
        self.real = 1_000_000.0
        self.clock = FakeClock(NOON)
        self.source = FakeSource(lambda now: self._stamp(calm, now))
        self.hub = Hub(
            WallPainter(CENTRE, self.clock.speed),
            self.clock,
            lambda: self.source,
            real_time=lambda: self.real,
        )

    def _stamp(self, scene: Callable[..., Any], now: datetime) -> Any:
        from dataclasses import replace

        return replace(scene(CENTRE, now), read_at=self.real)

    def show(self, scene: Callable[..., Any]) -> None:
        self.source.make = lambda now: self._stamp(scene, now)
        self.source.notify()

    def light(self, tile: int) -> str:
        return str(json.loads(self.hub.picture.parts["zh"][f"tile-{tile}"])["className"])

    def until(self, true: Callable[[], bool], seconds: float = 5.0) -> bool:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if true():
                return True
            time.sleep(0.02)
        return False


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    monkeypatch.setattr(hub_module, "MIN_GAP", 0.01)
    monkeypatch.setattr(hub_module, "POLL", 0.1)
    made = Stage()
    yield made
    made.hub.stop()


def test_before_the_first_reading_every_tile_is_grey(stage: Stage):
    assert {stage.light(tile) for tile in range(12)} == {"tile light-grey"}


def test_a_notice_brings_the_new_picture(stage: Stage):
    stage.hub.start()
    assert stage.until(lambda: stage.light(0) == "tile light-green")
    stage.show(mixed)
    assert stage.until(lambda: stage.light(4) == "tile light-red")


def test_without_the_store_the_picture_stays_then_turns_grey_and_comes_back(stage: Stage):
    stage.hub.start()
    assert stage.until(lambda: stage.light(0) == "tile light-green")
    stage.source.broken = "gone"
    assert stage.until(lambda: stage.hub.error is not None)
    stage.real += 30
    number = stage.hub.picture.number
    assert stage.until(lambda: stage.hub.picture.number > number + 1)
    assert stage.light(0) == "tile light-green"
    assert stage.hub.time_signal(stage.hub.picture)["stale"] >= 30_000
    stage.real += 31
    assert stage.until(lambda: stage.light(0) == "tile light-grey")
    stage.source.broken = None
    assert stage.until(lambda: stage.light(0) == "tile light-green")
    assert stage.hub.error is None


def test_a_source_that_cannot_be_opened_is_tried_again(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(hub_module, "POLL", 0.02)
    monkeypatch.setattr(hub_module, "MIN_GAP", 0.0)
    tries: list[int] = []

    def make() -> FakeSource:
        tries.append(1)
        if len(tries) < 3:
            raise ConnectionError("not yet")
        return FakeSource(lambda now: calm(CENTRE, now))

    hub = Hub(WallPainter(CENTRE, 1.0), FakeClock(NOON), make)
    hub.start()
    try:
        assert Stage.until(None, lambda: "light-green" in hub.picture.parts["zh"]["tile-0"])  # type: ignore[arg-type]
    finally:
        hub.stop()
    assert len(tries) == 3


def test_many_notices_are_few_readings(stage: Stage, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(hub_module, "MIN_GAP", 0.1)
    stage.hub.start()
    begin, end = stage.source.reads, time.monotonic() + 0.4
    while time.monotonic() < end:
        stage.source.notify()
        time.sleep(0.001)
    assert stage.source.reads - begin <= 6


class Screen:
    """A WebSocket as the endpoint sees one; ``slow`` blocks its sending."""

    def __init__(self, language: str = "zh", origin: str | None = "http://wall") -> None:
        self.headers = {"host": "wall"} | ({"origin": origin} if origin else {})
        self.query_params = {"lang": language}
        self.got: list[dict[str, Any]] = []
        self.closed: int | None = None
        self.slow = asyncio.Event()
        self.slow.set()
        self.gone = asyncio.Event()

    async def accept(self) -> None: ...

    async def close(self, code: int = 1000, reason: str = "") -> None:
        self.closed = self.closed or code

    async def send_text(self, text: str) -> None:
        await self.slow.wait()
        self.got.append(json.loads(text))

    async def receive_text(self) -> str:
        await self.gone.wait()
        raise WebSocketDisconnect


async def eventually(true: Callable[[], bool]) -> None:
    for _ in range(250):
        if true():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("never")


def run_line(stage: Stage, play: Callable[[Any, LiveLine], Any]) -> None:
    stage.hub.start()
    assert stage.until(lambda: stage.light(0) == "tile light-green")
    asyncio.run(play(stage, LiveLine(stage.hub, "b1")))


def test_a_screen_gets_everything_first_and_then_only_what_changed(stage: Stage):
    async def play(stage: Stage, line: LiveLine) -> None:
        screen = Screen()
        serving = asyncio.create_task(line.serve(screen))  # type: ignore[arg-type]
        await eventually(lambda: bool(screen.got))
        assert screen.got[0]["build"] == "b1"
        assert len(screen.got[0]["set"]) == len(stage.hub.picture.parts["zh"])
        seen = len(screen.got)
        stage.show(mixed)
        await eventually(lambda: any("tile-4" in m["set"] for m in screen.got[seen:]))
        news = next(m["set"] for m in screen.got[seen:] if "tile-4" in m["set"])
        assert news["tile-4"]["className"] == "tile light-red"
        assert "name" not in news
        screen.gone.set()
        stage.source.notify()
        await asyncio.wait_for(serving, 5)
        assert stage.hub.screens == 0

    run_line(stage, play)


def test_a_slow_screen_gets_the_latest_state_and_nothing_in_between(stage: Stage):
    async def play(stage: Stage, line: LiveLine) -> None:
        screen = Screen()
        serving = asyncio.create_task(line.serve(screen))  # type: ignore[arg-type]
        await eventually(lambda: bool(screen.got))
        screen.slow.clear()
        stage.show(mixed)
        await eventually(lambda: "red" in stage.light(4))
        stage.show(calm)
        await eventually(lambda: "green" in stage.light(4))
        begun = len(screen.got)
        number = stage.hub.picture.number
        screen.slow.set()
        await eventually(lambda: len(screen.got) >= begun + 2)
        # One message was on its way when it stopped; the next is already the newest.
        assert screen.got[begun + 1]["number"] >= number
        serving.cancel()

    run_line(stage, play)


def test_a_screen_that_takes_nothing_is_dropped(stage: Stage, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("dashboard.live.SEND_TIMEOUT", 0.05)

    async def play(stage: Stage, line: LiveLine) -> None:
        screen = Screen()
        screen.slow.clear()
        await asyncio.wait_for(line.serve(screen), 5)  # type: ignore[arg-type]
        assert stage.hub.screens == 0
        assert screen.closed is not None

    run_line(stage, play)


@pytest.mark.parametrize("origin", ["http://elsewhere", None])
def test_a_page_from_elsewhere_gets_no_line(stage: Stage, origin: str | None):
    async def play(stage: Stage, line: LiveLine) -> None:
        screen = Screen(origin=origin)
        await line.serve(screen)  # type: ignore[arg-type]
        assert (screen.closed, screen.got) == (4003, [])

    run_line(stage, play)


def test_each_screen_has_its_language(stage: Stage):
    async def play(stage: Stage, line: LiveLine) -> None:
        screens = [Screen("zh"), Screen("en"), Screen("tlh")]
        serving = [asyncio.create_task(line.serve(screen)) for screen in screens]  # type: ignore[arg-type]
        await eventually(lambda: all(screen.got for screen in screens))
        words = [screen.got[0]["set"]["tile-0-word"]["children"] for screen in screens]
        assert words == ["正常", "Normal", "正常"]
        for task in serving:
            task.cancel()

    run_line(stage, play)
