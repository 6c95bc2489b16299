"""From the door to the finding with every process real, beside a bare Faust agent on the very same log.

    python -m benchmarks.whole_way [--events 10000]

Prints events a second over the whole way (HTTP door → log → worker → PostgreSQL → rule loop → finding; four processes and
the database share the machine), the bare agent's reading of the same log file right after, their ratio, and the time from
the answered request to the written finding of single events on the quiet system.
"""

from __future__ import annotations

import argparse
import json
import logging
import statistics
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import psycopg

from benchmarks.door_to_finding import bare_app, measure
from streams.local_transport import make_address
from tests.drills.system import API_KEY, System, running
from tests.drills.test_kill_each_process import pour
from tests.drills.workload import CENTRE, as_lines, events

#: Nobody is told: the sender is another matter.
SILENT = {**CENTRE, "messages": {"yellow": [], "red": [], "notice": []}}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--events", type=int, default=10_000)
    parser.add_argument("--singles", type=int, default=50)
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    rows = events(seed=3, cases=options.events // 6)
    lines = as_lines(rows)
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        with running(data, SILENT, ("worker", "rules", "door")) as system:
            system.wait_for("the door answers", lambda: system.answers(f"{system.door}/healthz"), 60)
            system.wait_for("the worker beats", lambda: beats(system), 60)
            waits = [single(system, number) for number in range(options.singles)]
            begun = time.perf_counter()
            pour(system, lines)
            answered = len(lines) / (time.perf_counter() - begun)
            distinct = len({row["event_id"] for row in rows}) + options.singles
            with psycopg.connect(system.dsn, autocommit=True) as connection:
                while not done(connection, distinct):
                    time.sleep(0.05)
            whole = len(lines) / (time.perf_counter() - begun)
            findings = system.one("select count(*) from finding")
        bare = measure(lambda seen: bare_app(make_address(data / "log.db"), "bare", seen), len(lines))
    print(f"answered by the door  {answered:8,.0f} events/s")
    print(f"door to finding       {whole:8,.0f} events/s ({len(lines):,} events, {findings:,} findings)")
    print(f"bare agent, same log  {bare.wall:8,.0f} events/s")
    print(f"ratio                 {whole / bare.wall:8.2f}")
    print(
        f"request to finding    {statistics.median(waits) * 1000:8.0f} ms median,"
        f" {max(waits) * 1000:.0f} ms longest of {len(waits)} on the quiet system"
    )


def beats(system: System) -> int:
    return int(system.one("select count(*) from heartbeat where role in ('worker', 'rules')")) >= 2


def done(connection: psycopg.Connection[tuple[int]], expected: int) -> bool:
    stored = connection.execute("select count(*) from event").fetchone()
    due = connection.execute("select count(*) from case_state where look_at <= now()").fetchone()
    return bool(stored and due and stored[0] >= expected and due[0] == 0)


def single(system: System, number: int) -> float:
    """Seconds from before the request to the finding of a case whose deadline has just passed."""
    now = datetime.now(UTC)
    event = {
        "event_id": f"single-{number}", "kind": "case.accepted", "occurred_at": (now - timedelta(hours=1)).isoformat(),
        "source": "approval", "centre": "530502", "window": "A01", "case": f"single-{number}", "item": "A-001",
        "data": {"legal_deadline": (now - timedelta(minutes=1)).isoformat()},
    }  # fmt: skip
    with psycopg.connect(system.dsn, autocommit=True) as connection:
        begun = time.perf_counter()
        answer = httpx.post(
            f"{system.door}/events", content=json.dumps(event), headers={"X-API-Key": API_KEY}, timeout=10
        )
        assert answer.status_code == 202, answer.text
        asked = "select 1 from finding where case_id = %s and rule = 'time_limit.legal'"
        while connection.execute(asked, [f"single-{number}"]).fetchone() is None:
            time.sleep(0.002)
        return time.perf_counter() - begun


if __name__ == "__main__":
    main()
