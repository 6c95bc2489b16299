"""kill -9 in the middle of hundreds of messages: each arrives once, none is lost. Real processes."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from alerts import receipts
from alerts.hooks.base import Receipt, short_key
from alerts.hooks.http_json.fake import FakeGateway
from alerts.hooks.http_json.gateway import Behaviour
from tests.alerts.conftest import NOW, Desk, make_finding

pytestmark = [pytest.mark.postgres, pytest.mark.process]

ROOT = Path(__file__).resolve().parents[2]
Start = Callable[[], subprocess.Popen[bytes]]


@pytest.fixture
def start(desk: Desk, gateway: FakeGateway) -> Iterator[Start]:
    started: list[subprocess.Popen[bytes]] = []
    environment = {
        **os.environ,
        "TEST_DSN": desk.dsn,
        "TEST_GATEWAY": gateway.url,
        "TEST_SECRET": gateway.secret.decode(),
        "PYTHONPATH": str(ROOT),
    }

    def spawn() -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "tests.alerts.sender_process"]
        started.append(subprocess.Popen(command, env=environment, cwd=ROOT, stderr=subprocess.PIPE))
        return started[-1]

    yield spawn
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=10)


def fill(desk: Desk, findings: int) -> int:
    with desk.connection.transaction():
        for number in range(findings):
            desk.issue(make_finding(number, severity="red"))
    return findings * 4


def test_killed_senders_lose_nothing_and_repeat_nothing(
    desk: Desk, gateway: FakeGateway, start: Start, wait_for: Callable[..., None]
) -> None:
    messages = fill(desk, 100)
    # Slow enough that every kill hits sends that have been accepted and not yet confirmed.
    gateway.always = Behaviour("slow", seconds=0.01)
    chance = random.Random(7)
    senders = [start(), start()]
    for _ in range(5):
        before = gateway.inbox.totals()[0]
        wait_for(lambda before=before: gateway.inbox.totals()[0] >= min(before + 25, messages))
        victim = senders.pop(chance.randrange(2))
        victim.send_signal(signal.SIGKILL)
        victim.wait(10)
        senders.append(start())
    assert gateway.inbox.totals()[0] < messages, "all was sent before the kills were over"
    wait_for(lambda: desk.states() == {"sent": messages}, 60)
    accepted = [count["accepted"] for count in gateway.counts().values()]
    assert len(accepted) == messages
    assert set(accepted) == {1}
    assert desk.rows("message_id", "attempts > 1"), "no kill hit a send; the test proves nothing"


def test_a_killed_senders_message_is_asked_for_before_it_is_sent_again(
    desk: Desk, gateway: FakeGateway, start: Start, wait_for: Callable[..., None]
) -> None:
    """The gateway here has no memory of its own: only the question keeps the second copy away."""
    desk.issue(make_finding(window="A09"))
    gateway.always = Behaviour("accept_twice")
    gateway.will(Behaviour("slow", seconds=30, accept=True))
    victim = start()
    wait_for(lambda: desk.states() == {"leased": 1} and gateway.counts())
    gateway.inbox.accept(_body_of(desk), time.time())  # it was taken, but nobody was told
    victim.kill()
    victim.wait(10)
    start()
    wait_for(lambda: desk.states() == {"sent": 1})
    assert gateway.counts() == {"f1:p1:opened": {"accepted": 1, "requests": 1}}


def test_a_receipt_settles_what_a_killed_sender_did_not_confirm(
    desk: Desk, gateway: FakeGateway, start: Start, wait_for: Callable[..., None]
) -> None:
    """The gateway answers "no such message" when asked: only the receipt keeps the second copy away."""
    desk.issue(make_finding(window="A09"))
    gateway.will(Behaviour("slow", seconds=30, accept=True))
    victim = start()
    wait_for(lambda: desk.states() == {"leased": 1} and gateway.counts())
    victim.kill()
    victim.wait(10)
    said = Receipt("delivered", "g1", short_key("f1:p1:opened"))
    assert receipts.take(desk.connection, "http", [said], NOW) == 1
    desk.connection.execute("update outbox set leased_until = now() where leased_until is not null")
    desk.issue(make_finding(2, window="A09"))
    start()
    wait_for(lambda: desk.states() == {"delivered": 1, "sent": 1})
    assert gateway.counts()["f1:p1:opened"]["requests"] == 1
    assert desk.rows("provider_id, attempts")[0] == ("g1", 1)


def _body_of(desk: Desk) -> dict[str, str]:
    (key,) = desk.rows("idempotency_key")
    return {"idempotency_key": key, "to": "1", "template": "finding.red", "text": "x", "created_at": "x"}


def test_sigterm_finishes_the_running_sends(
    desk: Desk, gateway: FakeGateway, start: Start, wait_for: Callable[..., None]
) -> None:
    messages = fill(desk, 10)
    gateway.always = Behaviour("slow", seconds=0.4)
    process = start()
    wait_for(lambda: desk.states().get("leased"))
    process.terminate()
    assert process.wait(10) == 0
    states = desk.states()
    assert "leased" not in states
    assert states["sent"] == gateway.inbox.totals()[0] >= 1
    assert states["sent"] + states["ready"] == messages
