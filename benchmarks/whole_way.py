"""From the door to the finding with every process real, beside a bare Faust agent on the very same log.

    python -m benchmarks.whole_way [--broker local|kafka] [--workload today|history] [--events 10000] [--json FILE]

``today``: cases of the last hours, as other systems send them while they are handled; one in twenty-five is past its deadline.
``history``: a spring's cases poured in half a year later, so that each stands overdue until its decision comes.

Measures events a second over the whole way (HTTP door → log → worker → PostgreSQL → rule loop → finding; door, worker, rule
loop and database share the machine), then the bare agent's reading of the same records, their ratio, what each process cost,
and the time from the request to the written finding of single events on the quiet system.
"""

from __future__ import annotations

import argparse
import json
import logging
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg

from benchmarks.door_to_finding import bare_app, measure
from benchmarks.figure import Figure, Parameter, write_figures
from streams.local_transport import make_address
from tests.drills.system import API_KEY, System, running
from tests.drills.workload import CENTRE, as_lines, events
from tests.kafka.cluster import KafkaCluster

#: Nobody is told: the sender is another matter.
SILENT = {**CENTRE, "messages": {"yellow": [], "red": [], "notice": []}}
PROCESSES = ("worker", "rules", "door")
#: How often the bare agent reads the log; the median counts.
ROUNDS = 3
#: Systems that send at the same time, 100 events a request.
SENDERS = 4


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--events", type=int, default=10_000)
    parser.add_argument("--singles", type=int, default=50)
    parser.add_argument("--broker", choices=("local", "kafka"), default="local")
    parser.add_argument("--workload", choices=("today", "history"), default="today")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    make = today if options.workload == "today" else events
    rows = make(seed=3, cases=options.events // 6)
    lines = as_lines(rows)
    distinct = len({row["event_id"] for row in rows}) + options.singles
    with tempfile.TemporaryDirectory() as folder, log(options.broker, Path(folder)) as address:
        data = Path(folder) / "data"
        with running(data, SILENT, PROCESSES, broker=address) as system:
            system.wait_for("the door answers", lambda: system.answers(f"{system.door}/healthz"), 60)
            system.wait_for("worker and rules beat", lambda: beats(system), 60)
            waits = [single(system, number) for number in range(options.singles)]
            before, begun = processor_times(system), time.perf_counter()
            shares = [share for number in range(SENDERS) if (share := lines[number::SENDERS])]
            with ThreadPoolExecutor(SENDERS) as pool:
                list(pool.map(system.pour, shares))
            answered = len(lines) / (time.perf_counter() - begun)
            with psycopg.connect(system.dsn, autocommit=True) as connection:
                while not done(connection, distinct):
                    time.sleep(0.1)
            whole = len(lines) / (time.perf_counter() - begun)
            after = processor_times(system)
            findings = system.one("select count(*) from finding")
        read = address or make_address(data / "log.db")
        bare = [measure(lambda seen: bare_app(read, f"bare-{n}", seen), len(lines)) for n in range(ROUNDS)]  # noqa: B023
    base = statistics.median(rate.wall for rate in bare)
    base_cost = 1e6 / statistics.median(rate.processor for rate in bare)
    beside = "a bare Faust agent on the same log, events/s"
    parameters: dict[str, Parameter] = {
        "broker": options.broker, "workload": options.workload, "events": len(lines), "findings": int(findings),
    }  # fmt: skip
    costs = {name: (after[name] - before.get(name, 0.0)) / len(lines) * 1e6 for name in after}
    write_figures(
        options.json,
        [
            Figure("door to finding", whole, "events/s", beside, whole / base, ">= 0.5", options.broker, "events", parameters),
            Figure("answered by the door", answered, "events/s", beside, answered / base, None, options.broker, "events", parameters),
            Figure("bare agent", base, "events/s", None, None, None, options.broker, "events", parameters),
            *(
                Figure("processor time an event", cost, "µs", "the bare agent's", cost / base_cost, None, options.broker, None,
                       parameters | {"process": name})
                for name, cost in costs.items() if cost >= 1
            ),
            Figure("request to finding, median", statistics.median(waits) * 1000, "ms", None, None, None, options.broker, None,
                   {"broker": options.broker, "events": len(waits)}),
            Figure("request to finding, longest", max(waits) * 1000, "ms", None, None, None, options.broker, None,
                   {"broker": options.broker, "events": len(waits)}),
        ],
    )  # fmt: skip


def today(seed: int, cases: int, late_share: float = 0.04) -> list[dict[str, Any]]:
    """Six events a case, all of the last hours, nearly in the order in which they happened, one in fifty of them twice."""
    rng, now = random.Random(seed), datetime.now(UTC)
    rows: list[dict[str, Any]] = []
    for number in range(cases):
        case = f"530502-{now:%Y}-{number:06d}"
        at = now - timedelta(hours=6) + timedelta(seconds=rng.randrange(3 * 3600))
        late = {"legal_deadline": (at + timedelta(hours=1)).isoformat()} if rng.random() < late_share else {}
        course: list[tuple[str, dict[str, Any]]] = [
            ("received", {}), ("accepted", late), ("stage_started", {"stage": "review"}),
            ("stage_finished", {"stage": "review"}), ("decided", {"result": "granted"}), ("delivered", {}),
        ]  # fmt: skip
        for step, (kind, data) in enumerate(course):
            rows.append(
                {
                    "event_id": f"{case}-{step}", "kind": f"case.{kind}", "occurred_at": at.isoformat(),
                    "source": "approval", "centre": "530502", "window": f"A{1 + number % 12:02}", "case": case,
                    "item": "A-001", "data": data,
                }
            )  # fmt: skip
            at += timedelta(minutes=rng.uniform(5, 35))
    rows += [dict(rng.choice(rows)) for _ in range(len(rows) // 50)]
    rows.sort(key=lambda row: datetime.fromisoformat(row["occurred_at"]).timestamp() + rng.uniform(0, 300))
    return rows


@contextmanager
def log(kind: str, folder: Path) -> Iterator[str]:
    """The address of the log; empty for the one in the data folder."""
    if kind == "local":
        yield ""
    else:
        with KafkaCluster(folder / "kafka") as cluster:
            yield cluster.url


def processor_times(system: System) -> dict[str, float]:
    """Seconds of the processor each process has used so far; the database's by whom they were used for."""
    times: dict[str, float] = {}
    pids = [(system.supervisor.pid(name), name) for name in PROCESSES]
    pids += system.query(
        "select pid, 'database for ' || coalesce(nullif(application_name, ''), backend_type) from pg_stat_activity"
    )
    for pid, name in pids:
        try:
            spent = psutil.Process(pid).cpu_times()
        except psutil.NoSuchProcess:
            continue
        times[name] = times.get(name, 0.0) + spent.user + spent.system
    return times


def beats(system: System) -> bool:
    return (
        int(system.one("select count(distinct role) from heartbeat where role in ('worker', 'rules')")) == 2
    )


def done(connection: psycopg.Connection[tuple[int]], expected: int) -> bool:
    """Whether every event is stored and no case is due."""
    stored = connection.execute("select count(*) from event_key").fetchone()
    if not stored or stored[0] < expected:
        return False
    due = connection.execute("select count(*) from case_state where look_at <= now()").fetchone()
    return bool(due and due[0] == 0)


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
            if time.perf_counter() - begun > 60:
                raise SystemExit(f"no finding for single-{number} within a minute: {system.tails()}")
            time.sleep(0.002)
        return time.perf_counter() - begun


if __name__ == "__main__":
    main()
