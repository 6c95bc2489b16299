"""The two pages in a real browser: phones fill by themselves, the button acknowledges."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount

from alerts.ack_app import create_ack_app
from alerts.hooks.http_json.fake import FakeGateway
from alerts.links import AckLinks
from alerts.planner import Planner
from alerts.sender import Sender
from tests.alerts.conftest import LINKS, QUICK, Desk, make_finding

pytestmark = [pytest.mark.postgres, pytest.mark.browser]

CHROMIUM = Path("/usr/bin/chromium")


@pytest.fixture
def page() -> Iterator:
    if not CHROMIUM.exists():
        pytest.skip("no /usr/bin/chromium")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        made = browser.new_page(viewport={"width": 1600, "height": 900})
        made.problems = []
        made.on("console", lambda line: made.problems.append(line.text))
        made.on("pageerror", lambda error: made.problems.append(str(error)))
        yield made
        browser.close()


@pytest.fixture
def wall(desk: Desk) -> Iterator[str]:
    """A server with the acknowledge pages at /ack; returns its address."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    app = Starlette(routes=[Mount("/ack", create_ack_app(desk.dsn, desk.clock))])
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join(5)
    listener.close()


def test_a_message_appears_on_its_phone_and_its_link_acknowledges(
    desk: Desk, gateway: FakeGateway, wall: str, page, wait_for: Callable[..., None]
) -> None:
    links = AckLinks(LINKS.secret, wall)
    desk.planner = Planner(desk.centre, links)
    page.goto(gateway.url)
    assert "还没有短信" in page.inner_text("main")
    desk.issue(make_finding(severity="red", rule="time_limit.legal"))
    sender = Sender(desk.dsn, {"http": gateway.hook()}, desk.clock, links=links, settings=QUICK)
    desk.opened.append(sender)
    desk.drain(sender)
    page.wait_for_selector(".phone >> nth=3", timeout=5000)  # by itself, without a reload
    assert page.locator(".phone").count() == 4
    link = page.locator(".phone", has_text="13800000001").locator(".bubble a")
    with page.context.expect_page() as opened:
        link.click()
    answer = opened.value
    assert "超法定时限" in answer.inner_text("main")
    assert desk.connection.execute("select acknowledged_by from finding").fetchone() == (None,)
    answer.click("button")
    answer.wait_for_selector("text=已确认收到")
    assert desk.connection.execute("select acknowledged_by from finding").fetchone() == ("p1",)
    assert page.problems == []
