"""The outside watcher hears from us while rule loop, sender and database live and messages leave; and nothing it should not know."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psycopg
import pytest

from alerts.dead_man import DeadMan, load_url
from domain.errors import SettingsError
from tests.alerts.conftest import Desk
from tests.alerts.ways import put

TOKEN = "7f0e8a52-secret"


class Watcher:
    """An outside watcher as healthchecks is one: remembers what it was told, and may be in trouble itself."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str]] = []
        self.status = 200
        watcher = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
                watcher.heard.append((self.path, body))
                self.send_response(watcher.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/ping/{TOKEN}"

    def told(self) -> list[tuple[str, str]]:
        heard, self.heard = self.heard, []
        return [(path.replace(f"/ping/{TOKEN}", "…"), body) for path, body in heard]


@pytest.fixture
def watcher() -> Iterator[Watcher]:
    made = Watcher()
    yield made
    made.server.shutdown()
    made.server.server_close()


ALIVE = [("…", "")]


def beat(desk: Desk, role: str, seconds_ago: float = 0) -> None:
    desk.connection.execute(
        """
        insert into heartbeat (role, at, real_at) values (%s, now(), clock_timestamp() - make_interval(secs => %s))
        on conflict (role, instance) do update set real_at = excluded.real_at
        """,
        (role, seconds_ago),
    )


@pytest.mark.postgres
def test_it_says_so_only_while_every_link_lives(desk: Desk, watcher: Watcher) -> None:
    dead_man = DeadMan(desk.dsn, watcher.url, grace=0)
    assert not dead_man.step()
    assert watcher.told() == [("…/fail", "the rule loop has never given a sign of life")]
    for role in ("rules", "sender"):
        beat(desk, role)
    assert dead_man.step()
    assert watcher.told() == ALIVE
    for role, name in (("rules", "the rule loop"), ("sender", "the sender")):
        beat(desk, role, 61)
        assert not dead_man.step()
        assert watcher.told() == [("…/fail", f"{name} has been silent for 61 s")]
        beat(desk, role)
        assert dead_man.step()
        assert watcher.told() == ALIVE


@pytest.mark.postgres
def test_it_stops_when_messages_wait_and_none_leaves(desk: Desk, watcher: Watcher) -> None:
    dead_man = DeadMan(desk.dsn, watcher.url, grace=0)
    for role in ("rules", "sender"):
        beat(desk, role)
    put(desk)
    assert dead_man.step()
    desk.connection.execute("update outbox set next_try_at = now() - interval '901 s'")
    assert not dead_man.step()
    (path, reason) = watcher.told()[-1]
    assert (path, reason[:30]) == ("…/fail", "a message has waited for 901 s"[:30])
    # It is tried again and again, and the next try is not yet due.
    desk.connection.execute(
        "update outbox set next_try_at = now() + interval '5 min', attempts = 7, first_try_at = now() - interval '901 s'"
    )
    assert not dead_man.step()
    # Others leave: this one's number has had enough.
    desk.connection.execute(
        "update outbox set state = 'sent', handed_at = now() where message_id = %s",
        (put(desk, "f1:p3:opened"),),
    )
    assert dead_man.step()


@pytest.mark.postgres
def test_it_stops_while_all_messages_are_held(desk: Desk, watcher: Watcher) -> None:
    from alerts.outbox import hold_messages, release_messages

    for role in ("rules", "sender"):
        beat(desk, role)
    dead_man = DeadMan(desk.dsn, watcher.url, grace=0)
    hold_messages(desk.connection, "restored")
    assert not dead_man.step()
    release_messages(desk.connection)
    assert dead_man.step()


def test_without_a_database_it_says_so_and_gets_over_a_watcher_that_is_away(
    watcher: Watcher, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    def away(*_: object, **__: object) -> psycopg.Connection:
        raise psycopg.OperationalError("connection refused")

    seconds = [0.0]
    dead_man = DeadMan("", watcher.url, connector=away, monotonic=lambda: seconds[0])
    dead_man.step()
    assert watcher.told() == []  # the others are still starting
    seconds[0] = 120
    dead_man.step()
    assert watcher.told() == [("…/fail", "the database does not answer")]
    watcher.status = 500
    dead_man.step()
    gone = DeadMan("", "http://127.0.0.1:9/" + TOKEN, connector=away, grace=0)
    assert not gone.step()
    families = {family.name: family for family in dead_man.collect()}
    assert families["mingjing_deadman_ping_age_seconds"].samples[0].value == 120
    counted = {
        sample.labels["outcome"]: sample.value for sample in families["mingjing_deadman_pings"].samples
    }
    assert counted == {"alive": 0, "fail": 1, "error": 1}
    assert "the watcher cannot be told: HTTP 500" in caplog.text
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("alerts")]
    assert ours
    assert TOKEN not in "".join(ours)


def test_the_thread_goes_on_after_a_defect_and_stops_when_told(watcher: Watcher) -> None:
    calls = []

    def broken(*_: object, **__: object) -> psycopg.Connection:
        calls.append(1)
        if len(calls) > 2:
            stop.set()
        raise RuntimeError("a defect")

    stop = threading.Event()
    thread = DeadMan("", watcher.url, every=0.01, connector=broken).start(stop)
    thread.join(5)
    assert not thread.is_alive()
    assert len(calls) >= 3
    assert watcher.told() == []


@pytest.mark.parametrize(
    "text",
    ["", "hc.example/7f0e8a52", "ftp://hc.example/x", "https://u:p@hc.example/x", "https://hc.example/x?a=1"],
)
def test_an_address_that_is_none_is_refused_unquoted(tmp_path: Path, text: str) -> None:
    file = tmp_path / "url"
    file.write_text(text)
    with pytest.raises(SettingsError) as caught:
        load_url(file)
    assert "hc.example" not in str(caught.value)


def test_the_address_is_read_from_its_file(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("https://hc.example/ping/7f0e8a52\n")
    assert load_url(tmp_path / "url") == "https://hc.example/ping/7f0e8a52"
    with pytest.raises(SettingsError, match="cannot be read"):
        load_url(tmp_path / "none")
