"""The wall of all centres in a real browser: everything is seen, nothing is cut off, one click leads to a centre."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dashboard import server
from dashboard.demo_snapshot import NOON, FakeSource, mixed
from dashboard.province_server import create_province
from domain.clock import Clock
from tests.browser.conftest import until
from tests.dashboard.province_scenes import FakeProvince, morning, province, well

CENTRES = province()
SHOWN = "!!document.querySelector('.chip-name:not(:empty)')"
#: Texts wider than their boxes, and chips outside of the screen.
CUT = """
[...document.querySelectorAll('.card:not(.empty) > span, .chip > span, .map, .name-centre, .total')]
  .filter(node => node.scrollWidth > node.clientWidth + 1 && getComputedStyle(node).display !== 'inline')
  .map(node => (node.id || node.className) + ': ' + node.textContent)
"""
OUTSIDE = """
[...document.querySelectorAll('.chip')].filter(node => {
  const box = node.getBoundingClientRect(), map = document.querySelector('.map').getBoundingClientRect();
  return box.bottom > map.bottom + 1 || box.right > map.right + 1 || box.height < 16;
}).map(node => node.textContent)
"""


@pytest.fixture
def wall() -> Iterator[tuple[str, FakeProvince]]:
    clock = Clock(real_start=time.time(), sim_start=NOON.timestamp())
    source = FakeProvince(lambda now: morning(CENTRES, now))
    app = create_province(
        CENTRES, clock, lambda: source, lambda centre: FakeSource(lambda now: mixed(centre, now)), gap=0.1
    )
    sock, stop = server.listen("127.0.0.1", 0), threading.Event()
    thread = threading.Thread(
        target=server.run_wall, args=(app,), kwargs={"sock": sock, "stop_event": stop}, daemon=True
    )
    thread.start()
    yield f"http://127.0.0.1:{sock.getsockname()[1]}/", source
    stop.set()
    thread.join(8)


@pytest.fixture
def show(browser: Any) -> Iterator[Callable[..., Any]]:
    contexts = []

    def open_it(url: str, width: int, height: int) -> Any:
        context = browser.new_context(viewport={"width": width, "height": height})
        contexts.append(context)
        page = context.new_page()
        page.faults = []
        page.on("console", lambda said: said.type == "error" and page.faults.append(said.text))
        page.on("pageerror", lambda error: page.faults.append(str(error)))
        page.goto(url)
        until(page, SHOWN, 30)
        return page

    yield open_it
    for context in contexts:
        context.close()


def test_145_centres_fit_and_nothing_is_cut_off(wall, show, screenshots: Path | None):
    page = show(wall[0], 1920, 1080)
    until(page, "document.querySelectorAll('.card.light-red').length === 5")
    until(page, "document.querySelector('.card-age').textContent.length > 2")
    assert page.evaluate("document.querySelectorAll('.chip').length") == 145
    for width, height in ((1920, 1080), (3840, 2160)):
        page.set_viewport_size({"width": width, "height": height})
        until(page, f"innerWidth === {width}")
        page.wait_for_timeout(100)
        assert page.evaluate(CUT) == []
        assert page.evaluate(OUTSIDE) == []
        # 36 of 1080 lines: on a 55-inch screen over two centimetres, which is read from five metres.
        size = page.evaluate("parseFloat(getComputedStyle(document.querySelector('.card-name')).fontSize)")
        assert size / height >= 36 / 1080
        if screenshots is not None:
            page.screenshot(path=str(screenshots / f"province-{height}.png"))
    assert page.faults == []


def test_a_change_arrives_without_a_reload_and_a_click_leads_to_the_centre_and_back(wall, show):
    url, source = wall
    source.make = lambda now: well(CENTRES, now)
    page = show(url, 1920, 1080)
    until(page, "document.getElementById('cards-none').textContent.length > 3")

    def one_red(now: Any) -> Any:
        calm = well(CENTRES, now)
        facts = list(calm.centres)
        facts[1] = replace(facts[1], red=3)
        return replace(calm, centres=tuple(facts))

    source.make = one_red
    until(page, "document.querySelector('#card-0.light-red .card-count')?.textContent === '3'")
    assert page.evaluate("document.querySelectorAll('.chip.light-red').length") == 1
    page.click("#card-0")
    until(
        page, "location.pathname === '/centre/530102/' && !!document.querySelector('.tile-word:not(:empty)')"
    )
    page.click("#up")
    until(page, f"location.pathname === '/' && {SHOWN}")
    assert page.faults == []
