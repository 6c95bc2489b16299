"""/livez, /readyz and /metrics: who lives, who is ready, who may read."""

from __future__ import annotations

import asyncio
import json
import os
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from domain.errors import SettingsError
from mingjing.health import Address, Health, Pulse, WithHealth, load_token, serve_health
from mingjing.metrics import renderer
from mingjing.needs import DatabaseNeed, log_need
from mingjing.settings import load_settings
from mingjing.watching import keep_manager_informed
from streams.local_transport import make_address
from tests.drills.system import free_ports

TOKEN = "0123456789abcdef-token"


class Seconds:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def make(needs=None, *, token=None, seconds=None, parts=("loop",)) -> Health:
    seconds = seconds or Seconds()
    pulse = Pulse(*parts, monotonic=seconds)
    return Health("rules", pulse, needs or {}, renderer("rules"), token=token, monotonic=seconds)


def ask(health: Health, path: str, peer="127.0.0.1", **headers: str):
    answer = health.answer(path, peer, {name.replace("_", "-"): value for name, value in headers.items()})
    assert answer is not None
    return answer.status, answer.body.decode()


def test_a_loop_that_turns_is_alive_and_one_that_hangs_is_not():
    seconds = Seconds()
    health = make(seconds=seconds, parts=("reader", "requests"))
    seconds.now += 59
    health.pulse.beat("requests")
    assert ask(health, "/livez")[0] == 200
    seconds.now += 2
    status, body = ask(health, "/livez")
    assert status == 503
    assert json.loads(body)["parts"] == {"reader": "no turn for 61 s"}
    health.pulse.beat("reader")
    assert ask(health, "/livez")[0] == 200


def test_a_loop_that_never_began_is_stuck_too():
    seconds = Seconds()
    health = make(seconds=seconds)
    seconds.now += 61
    assert ask(health, "/livez")[0] == 503


def test_not_ready_says_why_and_hides_the_words_of_errors():
    seconds = Seconds()
    state: list[str | None] = ["does not answer"]

    def broken() -> str | None:
        raise ConnectionError("postgresql://user:secret@host")

    health = make({"database": lambda: state[0], "log": broken}, seconds=seconds)
    status, body = ask(health, "/readyz")
    assert status == 503
    assert json.loads(body)["parts"] == {"database": "does not answer", "log": "ConnectionError"}
    assert "secret" not in body
    health.needs["log"] = lambda: None
    state[0] = None
    assert ask(health, "/readyz")[0] == 503  # many probes cost one question
    seconds.now += 2
    assert ask(health, "/readyz")[0] == 200
    assert ask(health, "/livez")[0] == 200


@pytest.mark.parametrize(
    ("peer", "headers", "status"),
    [
        ("127.0.0.1", {}, 200),
        ("::1", {}, 200),
        ("::ffff:127.0.0.1", {}, 200),
        ("10.0.0.7", {}, 403),
        ("127.0.0.1", {"x_forwarded_for": "10.0.0.7"}, 403),
        ("10.0.0.7", {"authorization": f"Bearer {TOKEN}"}, 200),
        ("127.0.0.1", {"x_forwarded_for": "10.0.0.7", "authorization": f"bearer {TOKEN}"}, 200),
        ("10.0.0.7", {"authorization": "Bearer wrong"}, 403),
        ("", {}, 403),
    ],
)
def test_metrics_are_for_this_machine_or_for_the_token(peer, headers, status):
    found, body = ask(make(token=TOKEN), "/metrics", peer, **headers)
    assert found == status
    assert ("mingjing_log_messages_total" in body) == (status == 200)
    assert TOKEN not in body


def test_without_a_token_nobody_from_elsewhere_reads():
    assert ask(make(), "/metrics", "10.0.0.7", authorization="Bearer ")[0] == 403
    assert ask(make(), "/readyz", "10.0.0.7")[0] == 200


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("9460", "127.0.0.1", 9460),
        (":9460", "127.0.0.1", 9460),
        ("0.0.0.0:9460", "0.0.0.0", 9460),
        ("[::1]:9460", "::1", 9460),
        ("9460+", "127.0.0.1", 9463),
        ("10.1.1.1:9460+", "10.1.1.1", 9463),
    ],
)
def test_an_address_is_a_place_or_a_base(text, host, port):
    found = Address.parse(text).of("rules")
    assert (found.host, found.port) == (host, port)
    assert Address.parse(str(Address.parse(text))) == Address.parse(text)


@pytest.mark.parametrize(
    "text", ["host", "host:", "host:0", "host:70000", "65530+", "a b:9460", "host:9460-"]
)
def test_another_address_is_refused_with_the_variables_name(text):
    with pytest.raises(SettingsError, match="MINGJING_METRICS_ADDRESS"):
        load_settings(metrics_address=text)


def test_a_token_that_is_none_is_refused(tmp_path: Path):
    assert load_token(None) is None
    file = tmp_path / "token"
    file.write_text(TOKEN + "\n")
    assert load_token(file) == TOKEN
    file.write_text("short")
    with pytest.raises(SettingsError, match="shorter") as refused:
        load_token(file)
    assert "short\n" not in str(refused.value)
    with pytest.raises(SettingsError, match="MINGJING_METRICS_TOKEN_FILE"):
        load_token(tmp_path / "none")


def get(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_it_is_served_on_a_port_of_its_own_and_a_taken_port_stops_nobody(caplog):
    (port,) = free_ports(1)
    health = make({"log": lambda: "is away"})
    address = Address("127.0.0.1", port)
    stop = serve_health(health, address)
    assert stop is not None
    try:
        assert get(f"http://{address}/livez")[0] == 200
        assert get(f"http://{address}/readyz?x=1")[0] == 503
        assert "process_resident_memory_bytes" in get(f"http://{address}/metrics")[1]
        assert get(f"http://{address}/else")[0] == 404
        assert serve_health(make(), address) is None
        assert "MINGJING_METRICS_ADDRESS" in caplog.text
    finally:
        stop()


def test_on_an_applications_port_only_the_three_paths_are_ours():
    async def page(request):
        return PlainTextResponse("the page")

    health = make({"database": lambda: "away"}, parts=("requests",))
    health.pulse._last["requests"] = float("-inf")
    app = WithHealth(Starlette(routes=[Route("/{rest:path}", page)]), health)

    async def call(path: str, client=("10.0.0.7", 5)) -> tuple[int, bytes]:
        sent: list[dict] = []

        async def send(message):
            sent.append(message)

        scope = {
            "type": "http", "path": path, "method": "GET", "headers": [], "client": client, "query_string": b"",
            "root_path": "", "scheme": "http", "server": ("x", 1),
        }  # fmt: skip
        await app(scope, None, send)
        return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:])

    async def whole() -> None:
        assert await call("/") == (200, b"the page")
        assert (await call("/livez"))[0] == 503  # nothing has turned yet
        assert (await call("/readyz"))[0] == 503
        assert (await call("/metrics"))[0] == 403
        assert (await call("/metrics", ("127.0.0.1", 5)))[0] == 200
        ended = asyncio.Event()

        async def receive():
            if not ended.is_set():
                ended.set()
                return {"type": "lifespan.startup"}
            await asyncio.sleep(0.05)
            return {"type": "lifespan.shutdown"}

        async def ignore(message):
            pass

        await app({"type": "lifespan"}, receive, ignore)
        assert (await call("/livez"))[0] == 200

    asyncio.run(whole())


@pytest.mark.postgres
def test_a_database_is_asked_for_its_schema(database: str, empty_database: str):
    assert DatabaseNeed(database)() is None
    assert "mingjing migrate" in str(DatabaseNeed(empty_database)())
    away = DatabaseNeed("postgresql://127.0.0.1:1/none?connect_timeout=2")
    assert str(away()).startswith("does not answer")


def test_a_log_that_cannot_be_reached_is_named(tmp_path: Path):
    assert log_need(make_address(tmp_path / "log.db"))() is None
    assert log_need(make_address(tmp_path / "no" / "log.db"))() is not None
    (port,) = free_ports(1)
    assert log_need(f"kafka://127.0.0.1:{port};127.0.0.1:{port}")() == "no broker takes a connection"


def test_systemds_watchdog_hears_of_a_loop_for_as_long_as_it_turns():
    seconds, told, waits = Seconds(), [], []
    pulse = Pulse("loop", monotonic=seconds)

    def wait(span: float) -> bool:
        waits.append(span)
        seconds.now += 50
        return len(waits) == 4

    environ = {"WATCHDOG_USEC": "90000000", "WATCHDOG_PID": str(os.getpid())}
    thread = keep_manager_informed(pulse, environ=environ, tell=lambda: told.append(seconds.now), wait=wait)
    assert thread is not None
    thread.join(5)
    assert waits == [30.0] * 4
    assert told == [100.0, 150.0]  # after 60 s without a turn it is silent
    assert keep_manager_informed(pulse, environ={}) is None
    assert keep_manager_informed(pulse, environ=environ | {"WATCHDOG_PID": "1"}) is None


def test_a_part_that_has_left_is_not_missed_and_may_come_back():
    seconds = Seconds()
    health = make(seconds=seconds)
    health.pulse.leave("loop")
    seconds.now += 1000
    assert ask(health, "/livez")[0] == 200
    health.pulse.beat("loop")
    seconds.now += 61
    assert ask(health, "/livez")[0] == 503
