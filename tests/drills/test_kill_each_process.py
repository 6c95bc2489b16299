"""kill -9 of each process in turn while events flow: every event counted once, every message sent once.

    MINGJING_DRILL_EVENTS=20000 python -m pytest tests/drills/test_kill_each_process.py -s

prints the balance of a long run; the default is a short one.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import httpx
import psutil
import pytest

from domain.centre import load_centre
from mingjing.replay import replay
from tests.drills.system import API_KEY, System, running
from tests.drills.workload import CENTRE, as_lines, events

EVENTS = int(os.environ.get("MINGJING_DRILL_EVENTS", "3000"))
NAMES = ("worker", "rules", "gateway", "sender", "door", "wall")
#: About what seven kills and restarts take.
FLOW_SECONDS = 14.0
REVOKED = "select count(*) from finding where state = 'revoked'"
VICTIMS = ("worker", "rules", "database", "sender", "door", "gateway", "wall")


@pytest.mark.process
@pytest.mark.timeout(900)
def test_it_counts_every_event_once_and_sends_every_message_once(tmp_path: Path) -> None:
    rows = events(seed=7, cases=EVENTS // 6)
    lines = as_lines(rows)
    with running(tmp_path / "data", CENTRE, NAMES) as system:
        system.wait_for("the door answers", lambda: system.answers(f"{system.door}/healthz"), 60)
        # Slowly enough that something flows at every kill.
        pouring = threading.Thread(target=pour, args=(system, lines, FLOW_SECONDS / (len(lines) / 100)))
        pouring.start()
        for name in VICTIMS:
            assert pouring.is_alive(), f"nothing flows any more when {name} is to be killed"
            kill(system, name)
        pouring.join(600)
        assert not pouring.is_alive()

        distinct = len({row["event_id"] for row in rows})
        system.wait_for(
            "all events are stored", lambda: system.one("select count(*) from event") >= distinct, 300
        )
        system.wait_for("all cases are judged", lambda: settled(system), 300)
        system.wait_for("all messages are sent", lambda: waiting(system) == 0, 300)

        now = datetime.now(UTC)
        expected = {
            finding.finding_id: finding.closed_at
            for finding in replay(load_centre(tmp_path / "data" / "centre.yaml"), lines, now).findings
        }
        stored = dict(
            system.query(
                "select finding_id, closed_at from finding where state <> 'revoked' and subject like 'case:%'"
            )
        )
        by_state = dict(system.query("select state, count(*) from outbox group by 1"))
        sent = {
            key
            for (key,) in system.query(
                "select idempotency_key from outbox where state in ('sent','delivered')"
            )
        }
        seen = gateway_counts(system)
        starts = {name: system.supervisor.starts(name) for name in VICTIMS}
        print(f"\nevents in {len(rows)} = {distinct} distinct + {len(rows) - distinct} sent twice")
        print(
            f"stored {system.one('select count(*) from event')}, dead letters {system.one('select count(*) from dead_letter')}"
        )
        print(
            f"findings: live {len(stored)}, replay {len(expected)}, revoked on the way {system.one(REVOKED)}"
        )
        print(f"messages by state {by_state}; at the gateway {len(seen)}; starts {starts}")

        assert system.one("select count(*) from event") == distinct
        assert system.one("select count(*) from dead_letter") == 0
        assert stored == expected
        assert sent, "the drill must send messages to prove anything"
        assert by_state.keys() <= {"sent", "delivered", "skipped"}
        assert set(seen) == sent
        assert set(seen.values()) == {1}
        assert all(count >= 2 for count in starts.values())


def pour(system: System, lines: list[str], pause: float = 0.0) -> None:
    """Posts batches until each is acknowledged, as another system would: a batch without an answer is sent again.

    Args:
        pause: seconds after each batch of 100.
    """
    with httpx.Client(timeout=10, headers={"X-API-Key": API_KEY}) as client:
        for start in range(0, len(lines), 100):
            body = "\n".join(lines[start : start + 100])
            while True:
                try:
                    answer = client.post(
                        f"{system.door}/events",
                        content=body.encode(),
                        headers={"Content-Type": "application/x-ndjson"},
                    )
                except httpx.HTTPError:
                    time.sleep(0.1)
                    continue
                if answer.status_code in (429, 503):
                    time.sleep(0.1)
                    continue
                assert answer.status_code == 202, answer.text
                break
            time.sleep(pause)


def kill(system: System, name: str) -> None:
    """Kills with SIGKILL, for the database the postmaster itself, and waits until the process runs again."""
    system.wait_for(f"{name} runs", lambda: system.supervisor.state(name) == "running", 60)
    time.sleep(0.4)
    before = system.supervisor.starts(name)
    pid = system.supervisor.pid(name)
    assert pid is not None
    if name == "database":
        for child in psutil.Process(pid).children(recursive=True):
            child.send_signal(signal.SIGKILL)
    os.kill(pid, signal.SIGKILL)
    system.wait_for(f"{name} is started again", lambda: system.supervisor.starts(name) > before, 60)


def settled(system: System) -> bool:
    return system.one("select count(*) from case_state where look_at <= now()") == 0


def waiting(system: System) -> int:
    return int(system.one("select count(*) from outbox where state in ('ready', 'leased')"))


def gateway_counts(system: System) -> Counter[str]:
    """How many messages the gateway took for each idempotency key."""
    answer = httpx.get(f"{system.gateway}/messages.json", timeout=30).json()
    return Counter({key: count["accepted"] for key, count in answer["counts"].items()})
