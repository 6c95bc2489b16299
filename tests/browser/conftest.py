"""A real browser and real servers. Only system Chromium is driven; nothing is downloaded."""

from __future__ import annotations

import os
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from dashboard import server
from dashboard.demo_snapshot import NOON, FakeSource, demo_centre
from dashboard.facts import Snapshot, SnapshotSource
from domain.centre import Centre
from domain.clock import Clock

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "/browser/" in str(item.path):
            item.add_marker(pytest.mark.browser)


# Not for the whole session: while Playwright is open its event loop counts as running, and asyncio.run() in any other
# test of the same thread is refused.
@pytest.fixture(scope="package")
def browser() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    found = (
        os.environ.get("MINGJING_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    )
    if not found:
        pytest.skip("no chromium on this machine (apt install chromium, or set MINGJING_CHROMIUM)")
    with sync_api.sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=found, args=FLAGS)
        yield launched
        launched.close()


def until(page: Any, expression: str, seconds: float = 15.0) -> None:
    """Waits for a JavaScript expression. Playwright's own way needs eval, which the wall's policy forbids."""
    end = time.monotonic() + seconds
    while True:
        with suppress(Exception):  # the page may be loading anew
            if page.evaluate(expression):
                return
        assert time.monotonic() < end, f"never true: {expression}"
        page.wait_for_timeout(30)


@dataclass
class Watched:
    """A page and everything it complained about or asked for."""

    page: Any
    errors: list[str] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)


@pytest.fixture
def open_page(browser: Any) -> Iterator[Callable[..., Watched]]:
    contexts = []

    def open_it(
        url: str, width: int = 1920, height: int = 1080, before: Callable[[Any], None] | None = None
    ) -> Watched:
        context = browser.new_context(viewport={"width": width, "height": height})
        context.set_default_timeout(20_000)
        contexts.append(context)
        page = context.new_page()
        watched = Watched(page)
        page.on("console", lambda message: message.type == "error" and watched.errors.append(message.text))
        page.on("pageerror", lambda error: watched.errors.append(str(error)))
        page.on("request", lambda request: watched.hosts.add(request.url.split("/")[2]))
        page.on("websocket", lambda line: watched.hosts.add(line.url.split("/")[2]))
        if before is not None:
            before(page)
        page.goto(url)
        page.wait_for_selector(".tile-word:not(:empty)")
        return watched

    yield open_it
    for context in contexts:
        context.close()


class Wall:
    """A wall that can be stopped and started again on the same port, over a fake or a given source."""

    def __init__(self, centre: Centre, make_source: Callable[[], SnapshotSource], speed: float = 1.0) -> None:
        self.centre, self.make_source = centre, make_source
        self.clock = Clock(real_start=time.time(), sim_start=NOON.timestamp(), speed=speed)
        self.port = 0
        self._stop: threading.Event | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def start(self) -> Wall:
        sock: socket.socket = server.listen("127.0.0.1", self.port)
        self.port = sock.getsockname()[1]
        app = server.create_wall(self.centre, self.clock, self.make_source)
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=server.run_wall, args=(app,), kwargs={"sock": sock, "stop_event": self._stop}, daemon=True
        )
        self._thread.start()
        return self

    def stop(self) -> None:
        if self._stop is not None and self._thread is not None:
            self._stop.set()
            self._thread.join(8)
            self._stop = None


class Staged(Wall):
    """A wall over invented data; ``show`` changes the scene as a commit in the store would."""

    def __init__(
        self, windows: int, scene: Callable[[Centre, datetime], Snapshot], speed: float = 1.0
    ) -> None:
        centre = demo_centre(windows)
        self.source = FakeSource(lambda now: scene(centre, now))
        super().__init__(centre, lambda: self.source, speed)

    def show(self, scene: Callable[[Centre, datetime], Snapshot]) -> None:
        centre = self.centre
        self.source.make = lambda now: scene(centre, now)
        self.source.notify()


@pytest.fixture
def staged() -> Iterator[Callable[..., Staged]]:
    walls: list[Staged] = []

    def stage(windows: int, scene: Callable[[Centre, datetime], Snapshot], speed: float = 1.0) -> Staged:
        wall = Staged(windows, scene, speed)
        walls.append(wall)
        wall.start()
        return wall

    yield stage
    for wall in walls:
        wall.stop()


@pytest.fixture
def screenshots() -> Path | None:
    """Where pictures are kept, if anybody wants them: MINGJING_SCREENSHOTS."""
    folder = os.environ.get("MINGJING_SCREENSHOTS")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
    return Path(folder) if folder else None


__all__ = ["Staged", "Wall", "Watched", "until"]
