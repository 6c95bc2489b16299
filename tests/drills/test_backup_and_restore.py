"""Backup under load, the machine lost, restored elsewhere: findings equal those of replay, no message twice."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from domain.centre import load_centre
from mingjing.backup.archive import list_backups
from mingjing.backup.restoring import restore_backup
from mingjing.replay import replay
from mingjing.sending import send_file
from mingjing.settings import Settings
from streams.local_transport import EventLog
from tests.drills.system import System, running
from tests.drills.workload import CENTRE, as_lines, events

#: Events go straight into the log, as `mingjing send` puts them there: what it returned for is acknowledged.
NAMES = ("worker", "rules", "gateway", "sender")
CASES = int(os.environ.get("MINGJING_DRILL_EVENTS", "360")) // 6


def mingjing(settings: Settings, *words: str) -> str:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("MINGJING_")}
    done = subprocess.run(
        [sys.executable, "-m", "mingjing", *words],
        env=environ | settings.environ(),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def pour(system: System, lines: list[str], pause: float = 0.0) -> None:
    file = system.settings.data / "pouring.jsonl"
    for start in range(0, len(lines), 20):
        file.write_text("\n".join(lines[start : start + 20]), "utf-8")
        assert send_file(file, system.settings).rejected == 0
        time.sleep(pause)


def consumed(system: System) -> bool:
    """Whether the worker has committed all that lies in the log."""
    log = EventLog(system.settings.data / "log.db")
    try:
        heads, done = log.heads(), log.committed("mingjing")
    finally:
        log.close()
    return all(done.get(partition, 0) >= head for partition, head in heads.items())


def waiting(system: System) -> int:
    """Messages on their way, without corrections, which are held back for fifteen seconds."""
    rows = (
        "select count(*) from outbox where state in ('ready', 'leased') and template <> 'finding.correction'"
    )
    return int(system.one(rows))


def requests_by_key(system: System) -> dict[str, int]:
    """How often each message was handed to the gateway, taken or not."""
    counts = httpx.get(f"{system.gateway}/messages.json", timeout=30).json()["counts"]
    return {key: count["requests"] for key, count in counts.items()}


@pytest.mark.process
@pytest.mark.timeout(300)
def test_nothing_is_lost_and_nobody_is_told_twice(tmp_path: Path) -> None:
    rows = events(seed=11, cases=CASES, late_share=0.3)
    lines = as_lines(rows)
    third = len(lines) // 3
    first, second = tmp_path / "first", tmp_path / "second"

    with running(first, CENTRE, NAMES) as system:
        pour(system, lines[:third])
        system.wait_for("the gateway answers", lambda: system.answers(f"{system.gateway}/messages.json"), 60)
        system.wait_for("the first message is sent", lambda: requests_by_key(system), 60)
        # While the backup is made, the worker reads, rules judge and the sender sends.
        more = threading.Thread(target=pour, args=(system, lines[third : 2 * third], 0.02))
        more.start()
        mingjing(system.settings, "backup", "make", str(tmp_path / "backups"), "--keep", "3")
        more.join(120)
        # Known to the lost system only: findings and messages that the restored one will come to again.
        pour(system, lines[2 * third :])
        system.wait_for("all is read and judged", lambda: consumed(system) and system.judged(), 120)
        system.wait_for("all messages are sent", lambda: waiting(system) == 0, 120)
        told = requests_by_key(system)

    # The machine is lost. What is outside of it is not: the gateway's memory, the secrets in the safe.
    shutil.copytree(first / "secrets", tmp_path / "safe")
    shutil.copy(first / "gateway.db", tmp_path / "gateway.db")
    shutil.rmtree(first)

    (backup,) = list_backups(tmp_path / "backups")
    restore_backup(Settings(data=second, centre=second / "centre.yaml"), backup)
    shutil.copytree(tmp_path / "safe", second / "secrets")
    shutil.copy(tmp_path / "gateway.db", second / "gateway.db")

    with running(second, CENTRE, NAMES) as system:
        system.wait_for(
            "what the log still held is judged", lambda: consumed(system) and system.judged(), 120
        )
        included = {key for (key,) in system.query("select event_id from event")}
        compare(system, [line for line, row in zip(lines, rows, strict=True) if row["event_id"] in included])

        # The other systems send again what they have no receipt for (here: everything).
        pour(system, lines)
        system.wait_for("all is read and judged", lambda: consumed(system) and system.judged(), 120)
        system.wait_for("all messages are sent", lambda: waiting(system) == 0, 120)
        assert system.one("select count(*) from event") == len({row["event_id"] for row in rows})
        compare(system, lines)
        again = requests_by_key(system)
        print(
            f"\n{len(lines)} events, {len(included)} of them in the backup; {len(told)} messages, {len(again)} after it"
        )
        before = {row["event_id"] for row in rows[:third]}
        assert before <= included, "acknowledged before the backup and not in it"
        assert len(included) < len({row["event_id"] for row in rows})
        assert told, "the drill must send messages to prove anything"
        assert set(again) >= set(told)
        assert set(again.values()) == {1}, "a message was handed over twice"


def compare(system: System, lines: list[str]) -> None:
    """The system's findings are those of replay over these events."""
    centre = load_centre(system.settings.data / "centre.yaml")
    expected = {each.finding_id: each.closed_at for each in replay(centre, lines, datetime.now(UTC)).findings}
    live = "select finding_id, closed_at from finding where state <> 'revoked' and subject like 'case:%'"
    system.wait_for("findings as replayed", lambda: dict(system.query(live)) == expected, 60)
    assert expected
