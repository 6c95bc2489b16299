"""From the door to the tile and the phone, with every process real: a case passes its legal limit before our eyes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.browser.conftest import until
from tests.drills.system import API_KEY, System, running
from tests.drills.workload import CENTRE

NAMES = ("worker", "rules", "gateway", "sender", "door", "wall")
# One person, red cards only: exactly one message is right.
ONE_MESSAGE = {**CENTRE, "messages": {"yellow": [], "red": ["handler"], "notice": []}}

NOTE_WHEN_RED = """
window.redAt = null;
const tile = document.getElementById('tile-0');
new MutationObserver(() => {
  if (window.redAt === null && tile.className.includes('light-red')) window.redAt = Date.now();
}).observe(tile, {attributes: true});
"""


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with running(tmp_path_factory.mktemp("overdue") / "data", ONE_MESSAGE, NAMES) as system:
        system.wait_for("the door answers", lambda: system.answers(f"{system.door}/healthz"), 60)
        system.wait_for("the wall answers", lambda: system.answers(f"{wall(system)}/healthz"), 60)
        yield system


def wall(system: System) -> str:
    return f"http://127.0.0.1:{system.settings.wall_port}"


def accepted(case: str, deadline: datetime, at: datetime) -> dict[str, Any]:
    return {
        "event_id": f"{case}-1", "kind": "case.accepted", "occurred_at": at.isoformat(), "source": "approval",
        "centre": "530502", "window": "A01", "case": case, "item": "A-001",
        "data": {"promised_deadline": deadline.isoformat(), "legal_deadline": deadline.isoformat()},
    }  # fmt: skip


@pytest.mark.browser
@pytest.mark.process
@pytest.mark.timeout(180)
def test_it_turns_the_tile_red_within_a_second_and_sends_one_message(system: System, open_page: Any) -> None:
    page = open_page(wall(system)).page
    until(page, "document.querySelector('#tile-0 .tile-id').textContent === 'A01'", 20)
    page.evaluate(NOTE_WHEN_RED)
    now = datetime.now(UTC)
    deadline = now + timedelta(seconds=4)
    answer = httpx.post(
        f"{system.door}/events",
        json=accepted("530502-2026-1", deadline, now),
        headers={"X-API-Key": API_KEY},
        timeout=10,
    )
    assert answer.status_code == 202, answer.text
    until(page, "window.redAt !== null", 30)
    late = page.evaluate("window.redAt") / 1000 - deadline.timestamp()
    print(f"\nred {late * 1000:.0f} ms after the deadline")
    assert 0 <= late < 1.0
    system.wait_for("the message is sent", lambda: sent(system) == 1, 20)
    time.sleep(0.4)
    assert httpx.get(f"{system.gateway}/messages.json", timeout=10).json()["totals"]["accepted"] == 1


def sent(system: System) -> int:
    return int(system.one("select count(*) from outbox where state in ('sent', 'delivered')"))
