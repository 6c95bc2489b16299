from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from dashboard.demo_snapshot import NOON, FakeSource, demo_centre, mixed
from dashboard.server import create_wall, fingerprint, listen, run_wall
from domain.clock import Clock
from domain.errors import SettingsError

CENTRE = demo_centre(12)


def neighbour() -> Starlette:
    async def hello(request: object) -> PlainTextResponse:
        return PlainTextResponse("acknowledged")

    async def own(request: object) -> PlainTextResponse:
        return PlainTextResponse("own", headers={"content-security-policy": "default-src 'none'"})

    return Starlette(routes=[Route("/t", hello), Route("/own", own)])


@pytest.fixture(scope="module")
def wall() -> Iterator[tuple[str, FakeSource]]:
    source = FakeSource(lambda now: mixed(CENTRE, now))
    clock = Clock(real_start=time.time(), sim_start=NOON.timestamp())
    app = create_wall(CENTRE, clock, lambda: source, mounts={"/ack": neighbour()})
    sock, stop = listen("127.0.0.1", 0), threading.Event()
    thread = threading.Thread(
        target=run_wall, args=(app,), kwargs={"sock": sock, "stop_event": stop}, daemon=True
    )
    address = f"http://127.0.0.1:{sock.getsockname()[1]}"
    thread.start()
    yield address, source
    stop.set()
    thread.join(5)
    assert not thread.is_alive()


def test_the_page_is_a_dash_page_without_anything_from_elsewhere(wall):
    page = httpx.get(wall[0])
    assert page.status_code == 200
    assert "react-entry-point" in page.text
    assert "https://" not in page.text.replace('"dash_version_url":"https:', "")
    layout = httpx.get(f"{wall[0]}/_dash-layout").json()
    assert layout["props"]["id"] == "wall"
    assert "_dash-ws-callback" not in page.text


def test_every_answer_carries_the_security_headers(wall):
    for path in ("/", "/healthz", "/assets/wall.js", "/ack/t", "/nowhere"):
        headers = httpx.get(wall[0] + path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe-eval" not in policy
        assert "'unsafe-inline'" not in policy.split("style-src")[0]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"


def test_a_neighbour_keeps_its_own_policy_and_its_own_path(wall):
    assert httpx.get(f"{wall[0]}/ack/t").text == "acknowledged"
    assert httpx.get(f"{wall[0]}/ack/own").headers["content-security-policy"] == "default-src 'none'"


def test_health_says_when_the_store_is_away_and_no_more(wall):
    address, source = wall

    def status() -> int:
        return httpx.get(f"{address}/healthz").status_code

    deadline = time.monotonic() + 5
    while status() != 200 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert status() == 200
    source.broken = "password=hunter2 host=db"
    source.notify()
    while status() == 200 and time.monotonic() < deadline + 5:
        time.sleep(0.05)
    answer = httpx.get(f"{address}/healthz")
    source.broken = None
    source.notify()
    assert (answer.status_code, answer.json()["status"]) == (503, "store_unreachable")
    assert "hunter2" not in answer.text


@pytest.mark.parametrize("path", ["/docs", "/openapi.json", "/_mcp", "/nowhere", "/assets/../server.py"])
def test_what_is_no_part_of_the_wall_is_not_there(wall, path: str):
    assert httpx.get(wall[0] + path).status_code == 404


def test_the_environment_cannot_switch_the_mcp_server_on(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DASH_MCP_ENABLED", "true")
    from dashboard.server import make_dash

    assert (
        make_dash(CENTRE, Clock(), lambda: FakeSource(lambda now: mixed(CENTRE, now)), "b")._enable_mcp
        is False
    )


def test_a_taken_port_is_named_in_one_sentence():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=f"127.0.0.1:{port}"):
            listen("127.0.0.1", port)


def test_the_fingerprint_follows_the_centre_and_not_the_start():
    assert fingerprint(CENTRE) == fingerprint(demo_centre(12)) != fingerprint(demo_centre(13))
