"""The way in, killed again and again: a sender that insists, a door and a worker that die. Every event counts once."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import httpx
import pytest

from streams.sending import Sent, send_lines
from tests.conftest import ROOT
from tests.streams.fakes import event_bytes, read
from tests.streams.house import House, eventually
from tests.streams.test_door import KEY

pytestmark = pytest.mark.process

COUNT = 4000


class Doorkeeper:
    """Starts the door's process and kills it."""

    def __init__(self, broker: str, prefix: str) -> None:
        self.broker, self.prefix = broker, prefix
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        command = [
            sys.executable,
            "-m",
            "tests.streams.door_process",
            self.broker,
            self.prefix,
            str(self.port),
            KEY,
        ]
        self.process = subprocess.Popen(command, cwd=ROOT)
        eventually(self._answers)

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/healthz").status_code == 200
        except httpx.TransportError:
            return False

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


def test_door_and_worker_killed_while_events_flow(house: House) -> None:
    keeper = Doorkeeper(house.address, house.prefix)
    result: list[Sent] = []

    def lines() -> Iterator[bytes]:
        for number in range(COUNT):
            if number % 50 == 0:
                time.sleep(0.02)
            yield event_bytes(number)

    def send() -> None:
        result.append(send_lines(lines(), keeper.url, KEY, sleep=lambda _: time.sleep(0.05)))

    def logged() -> int:
        return house.logged()

    sender = threading.Thread(target=send)
    try:
        keeper.start()
        house.start()
        sender.start()
        for goal in (500, 2000):
            eventually(lambda goal=goal: logged() >= goal)  # type: ignore[misc]
            keeper.kill()
            house.end(signal.SIGKILL)
            keeper.start()
            house.start()
        sender.join(60)
        assert not sender.is_alive()
        assert (result[0].accepted, result[0].rejected) == (COUNT, [])
        eventually(lambda: house.stored() == COUNT)
        assert read(house.store, "SELECT count(*), count(DISTINCT event_id) FROM event") == [(COUNT, COUNT)]
    finally:
        keeper.kill()
