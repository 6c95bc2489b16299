"""The proxy itself, where Caddy is on the machine: who is asked for a password, what passes, what does not."""

from __future__ import annotations

import asyncio
import base64
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import uvicorn
import websockets
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from tests.conftest import ROOT
from tests.drills.system import free_ports

CADDY = shutil.which("caddy")
LOGIN = ("inspector", "a password")
#: bcrypt of that with the lowest cost; what `caddy hash-password` makes takes a second each time it is wrong.
HASH = "$2b$04$eMtYuRbJfj3bFY220G/SKekdG4uEm5vuJReyYsFaOEKm7LrqR/tj6"

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(
        CADDY is None, reason="no caddy on this machine; test_compose.py checks its file by reading"
    ),
]


async def say(request: Request) -> PlainTextResponse:
    await request.body()
    return PlainTextResponse(f"{request.url.path} {request.headers.get('x-forwarded-for')}")


async def echo(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_text(await socket.receive_text())
    await socket.close()


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[int, int]]:
    """Our Caddyfile on free ports before one small application; maps its ports to those."""
    folder = tmp_path_factory.mktemp("proxy")
    behind, wall, door, inner = free_ports(4)
    app = Starlette(
        routes=[WebSocketRoute("/wall/live", echo), Route("/{path:path}", say, methods=["GET", "POST"])]
    )
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=behind, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    assert CADDY is not None
    (folder / "wall-users").write_text(f"{LOGIN[0]} {HASH}\n")
    text = (ROOT / "ops" / "proxy" / "Caddyfile").read_text("utf-8")
    version = subprocess.run([CADDY, "version"], capture_output=True, text=True).stdout
    if tuple(int(part) for part in re.findall(r"\d+", version)[:2]) < (2, 8):
        # Debian 12's is older than the pinned one, in which these have other names.
        text = (
            text.replace("basic_auth", "basicauth")
            .replace("{args[0]}", "{args.0}")
            .replace("{args[1]}", "{args.1}")
        )
    for old, new in (
        ("/run/secrets/wall-users", str(folder / "wall-users")),
        ("/etc/caddy/tls.caddy", str(ROOT / "ops" / "proxy" / "plain.caddy")),
        (":8050 {", f"http://127.0.0.1:{wall} {{"),
        (":8051 {", f"http://127.0.0.1:{door} {{"),
        (":8052 {", f"http://127.0.0.1:{inner} {{"),
        ("copies wall 8050", f"copies localhost {behind}"),
        ("copies door 8051", f"copies localhost {behind}"),
    ):
        assert old in text, old
        text = text.replace(old, new)
    (folder / "Caddyfile").write_text(text)
    environ = {
        "HOME": str(folder),
        "XDG_DATA_HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder),
        "PATH": "/usr/bin:/bin",
    }
    command = [CADDY, "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]
    with (folder / "log").open("wb") as log:
        caddy = subprocess.Popen(command, env=environ, stdout=log, stderr=log)
    try:
        wait_for(f"http://127.0.0.1:{inner}/livez", caddy, folder / "log")
        yield {8050: wall, 8051: door, 8052: inner}
    finally:
        caddy.terminate()
        caddy.wait(20)
        server.should_exit = True
        thread.join(10)


def wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(200):
        assert process.poll() is None, log.read_text()
        try:
            if httpx.get(url, timeout=2).status_code == 200:
                return
        except httpx.HTTPError:
            time.sleep(0.05)
    raise AssertionError(log.read_text())


@pytest.mark.parametrize(
    ("port", "path", "stranger", "known"),
    [
        (8050, "/", 401, 200),
        (8050, "/assets/wall.js", 401, 200),
        (8050, "/ack/token", 200, 200),
        (8050, "/receipts/sms?token=t", 200, 200),
        (8050, "/metrics", 401, 404),
        (8050, "/readyz", 401, 404),
        (8051, "/events", 200, 200),
        (8051, "/metrics", 404, 404),
    ],
)
def test_who_gets_in(proxy: dict[int, int], port: int, path: str, stranger: int, known: int) -> None:
    url = f"http://127.0.0.1:{proxy[port]}{path}"
    assert httpx.get(url).status_code == stranger
    assert httpx.get(url, auth=LOGIN).status_code == known
    if stranger == 401:
        assert httpx.get(url, auth=(LOGIN[0], "another")).status_code == 401


def test_what_comes_through_is_known_to_have_come_through(proxy: dict[int, int]) -> None:
    """By this the processes know that a caller is not on their own machine."""
    assert httpx.get(f"http://127.0.0.1:{proxy[8050]}/ack/x").text == "/ack/x 127.0.0.1"


def test_a_body_without_end_is_stopped_here(proxy: dict[int, int]) -> None:
    answer = httpx.post(f"http://127.0.0.1:{proxy[8051]}/events", content=b" " * 7_000_000)
    assert answer.status_code in (413, 502)


def test_the_line_to_the_screens_goes_through_with_the_password_only(proxy: dict[int, int]) -> None:
    basic = base64.b64encode(":".join(LOGIN).encode()).decode()
    url = f"ws://127.0.0.1:{proxy[8050]}/wall/live"

    async def talk() -> None:
        async with websockets.connect(url, additional_headers={"Authorization": f"Basic {basic}"}) as line:
            await line.send("hello")
            assert await line.recv() == "hello"
        with pytest.raises(websockets.InvalidStatus, match="401"):
            await websockets.connect(url)

    asyncio.run(talk())
