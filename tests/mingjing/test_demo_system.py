"""The demo as a visitor starts it: real processes, real database, real log."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from store.embedded import dsn_for
from tests.conftest import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.process, pytest.mark.timeout(300)]


def free_ports() -> int:
    """A port whose two neighbours are free, too."""
    for port in range(18050, 19000, 10):
        with contextlib.ExitStack() as stack:
            try:
                for number in range(port, port + 3):
                    probe = stack.enter_context(socket.socket())
                    probe.bind(("127.0.0.1", number))
            except OSError:
                continue
            return port
    pytest.fail("no three free ports")


class Demo:
    """A running demo and what can be asked of it."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.port = folder, port
        self.output = folder.parent / "terminal.txt"
        environ = {name: value for name, value in os.environ.items() if not name.startswith("MINGJING_")}
        with self.output.open("ab") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "mingjing", "demo", "--data", str(folder), "--port", str(port)],
                stdout=out, stderr=out, env=environ, cwd=ROOT, start_new_session=True,
            )  # fmt: skip

    def ask(self, question: str) -> list[tuple]:
        with psycopg.connect(dsn_for(self.folder), connect_timeout=3) as connection:
            return connection.execute(question).fetchall()

    def wait_for(self, what: str, question: str, seconds: float = 90) -> None:
        """Until the question has an answer."""
        end = time.monotonic() + seconds
        while True:
            with contextlib.suppress(psycopg.Error):
                if self.ask(question):
                    return
            assert self.process.poll() is None, self.output.read_text()
            assert time.monotonic() < end, f"{what}: not within {seconds} s\n{self.output.read_text()}"
            time.sleep(0.3)

    def pid(self, name: str) -> int:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        for pid in children:
            if Path(f"/proc/{pid}/cmdline").read_bytes().endswith(f"run\0{name}\0".encode()):
                return int(pid)
        pytest.fail(f"{name} does not run")

    def stop(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(60)

    def leftovers(self) -> list[str]:
        """Processes that still use the folder."""
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                environ = (entry / "environ").read_bytes()
                if f"MINGJING_DATA={self.folder}".encode() in environ.split(b"\0"):
                    found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        return found


@pytest.fixture(scope="module")
def demo(tmp_path_factory) -> Iterator[Demo]:
    folder = tmp_path_factory.mktemp("demo") / "data"
    running = Demo(folder, free_ports())
    yield running
    if running.process.poll() is None:
        running.stop()


def test_first_light_comes_within_a_minute(demo):
    begun = time.monotonic()
    demo.wait_for(
        "every window has an answer",
        "select 1 from window_state where presence = 'present' having count(*) = 12",
    )
    assert time.monotonic() - begun < 60
    with urllib.request.urlopen(f"http://127.0.0.1:{demo.port}/healthz", timeout=5) as answer:
        assert json.load(answer)["status"] == "ok"
    said = demo.output.read_text()
    assert f"http://127.0.0.1:{demo.port}/" in said
    password = demo.folder / "secrets" / "desk-password"
    assert password.stat().st_mode & 0o777 == 0o600
    assert said.count(password.read_text()) == 1
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(f"http://127.0.0.1:{demo.port}/desk/", timeout=5)


def test_the_past_arrives_without_a_card_for_the_innocent_or_a_message(demo):
    demo.wait_for("the past", "select 1 from event where kind = 'case.received' having count(*) > 2900", 120)
    demo.wait_for("its judgement", "select 1 from case_state where look_at = '-infinity' having count(*) = 0")
    revoked = demo.ask("select count(*) from finding where state = 'revoked' and rule like 'time_limit%'")
    assert revoked == [(0,)]
    old = "select count(*) from outbox o join finding f using (finding_id) where o.state <> 'skipped'"
    assert demo.ask(f"{old} and f.opened_at < o.created_at - interval '2 hours'") == [(0,)]


@pytest.mark.parametrize(
    "name", ["worker", "rules", "cameras", "sender", "wall", "door", "simulator", "gateway", "database"]
)
def test_a_process_killed_with_9_comes_back(demo, name):
    before = demo.pid(name)
    os.kill(before, signal.SIGKILL)
    end = time.monotonic() + 40
    while True:
        time.sleep(0.2)
        children = Path(f"/proc/{demo.process.pid}/task/{demo.process.pid}/children").read_text().split()
        alive = [
            pid
            for pid in children
            if Path(f"/proc/{pid}/cmdline").read_bytes().endswith(f"run\0{name}\0".encode())
        ]
        if alive and int(alive[0]) != before:
            break
        assert time.monotonic() < end, name


def test_after_all_these_deaths_events_flow_and_messages_go_out_once(demo):
    demo.wait_for("new events", "select 1 from event where received_at > now() - interval '10 years' limit 1")
    [(newest,)] = demo.ask("select max(seq) from event")
    demo.wait_for("events after the restarts", f"select 1 from event where seq > {newest + 5} limit 1")
    roles = "('worker', 'rules', 'cameras', 'sender', 'door', 'wall')"
    demo.wait_for(
        "signs of life of everybody",
        f"select 1 from heartbeat where role in {roles} and real_at > now() - interval '8 s' having count(*) >= 6",
    )
    assert demo.ask("select event_id from event group by source, event_id having count(*) > 1") == []
    demo.wait_for("a message", "select 1 from outbox where state in ('sent', 'delivered') limit 1", 150)
    url = f"http://127.0.0.1:{demo.port + 2}/messages.json"
    with urllib.request.urlopen(url, timeout=5) as answer:
        totals = json.load(answer)["totals"]
    assert totals["accepted"] == totals["keys"] > 0


def test_a_second_demo_on_the_folder_or_the_port_is_refused_in_a_sentence(demo, tmp_path):
    for folder, port, said in (
        (demo.folder, free_ports(), "is in use by process"),
        (tmp_path / "d", demo.port, "is taken"),
    ):
        refused = subprocess.run(
            [sys.executable, "-m", "mingjing", "demo", "--data", str(folder), "--port", str(port)],
            capture_output=True, text=True, timeout=60, cwd=ROOT,
        )  # fmt: skip
        assert refused.returncode == 2
        assert said in refused.stderr
        assert refused.stderr.count("\n") == 1


def test_ctrl_c_stops_everything_and_the_next_start_goes_on(demo):
    assert demo.stop() == 0
    assert demo.leftovers() == []
    noted = json.loads((demo.folder / "demo.json").read_text())
    assert noted["clean"]
    again = Demo(demo.folder, demo.port)
    try:
        again.wait_for(
            "the wall's sign of life",
            "select 1 from heartbeat where role = 'wall' and real_at > now() - interval '5 s'",
        )
        [(first,)] = again.ask("select count(*) from event where kind = 'case.received'")
        assert first > 2900
        again.process.kill()
        again.process.wait()
        end = time.monotonic() + 30
        while again.leftovers():
            assert time.monotonic() < end, again.leftovers()
            time.sleep(0.3)
    finally:
        if again.process.poll() is None:
            again.stop()
