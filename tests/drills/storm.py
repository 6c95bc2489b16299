"""A storm of 100 times the usual events, then everything that waits at once: memory stays bounded, nothing is lost at the
door, and deadlines that pass meanwhile become red once the backlog is through; never one that was met.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from zlib import crc32

import httpx

from tests.drills.balance import Balance, take_balance
from tests.drills.system import API_KEY, System
from tests.drills.workload import ZONE, Row, as_lines, event, events, timed_case

#: Events a second of a county's centre on an ordinary day, and how much more a storm is.
USUAL, STORM = 5, 100
#: Resident megabytes that no process may exceed, whatever comes.
MOST_MEMORY = 600.0


def drill(
    system: System, *, count: int, seconds: float = 8.0, seed: int = 17, label: str = "STORM"
) -> Balance:
    """
    Args:
        count: events of the burst, all at once from eight senders.
        seconds: how long 500 events a second come before.
    """
    steady = int(seconds * USUAL * STORM)
    storm = as_lines(
        events(seed, (steady + count) // 6, late_share=0.01, label=label, within=timedelta(hours=6))
    )
    began = time.monotonic()
    with _Watch(system) as watch, ThreadPoolExecutor(1) as beside:
        again = _steadily(system, storm[:steady], seconds)
        deadline = datetime.now(UTC) + timedelta(seconds=6)
        timed, decided = (as_lines(rows) for rows in _timed(label, deadline))
        system.pour(timed)
        # In the log before the deadline, but behind all that is poured meanwhile.
        late = beside.submit(_before, system, decided, deadline - timedelta(seconds=1.5))
        again += _at_once(system, storm[steady:])
        taken, waiting = late.result()
        poured = time.monotonic() - began
        lines = [*timed, *storm, *decided]
        system.settle(label, len(set(lines)))
    faults = list(watch.faults)
    if heavy := {name: round(mb) for name, mb in watch.most.items() if mb > MOST_MEMORY}:
        faults.append(f"more than {MOST_MEMORY:.0f} MB of memory: {heavy}")
    false = system.one(
        "select count(*) from finding f where severity <> 'notice' and f.case_id in ("
        f" select case_id from event where kind = 'case.decided' and case_id like '{label}-2027-%')"
    )
    # Known to the log before the deadline, a decision must keep the card from being written at all.
    if false and taken < deadline:
        faults.append(f"{false} cards were written for cases that were decided in time")
    return take_balance(
        system,
        lines,
        drill=f"a storm of {STORM} times the usual events",
        label=label,
        provoked=[
            f"{USUAL * STORM} events/s for {seconds:g} s",
            f"{len(storm) - steady} at once from 8 senders",
        ],
        notes=[
            f"all taken by the door after {poured:.1f} s ({len(lines) / poured:.0f} events/s);"
            f" batches told to come again: {again}",
            f"most memory in MB: { {name: round(mb) for name, mb in sorted(watch.most.items())} }",
            f"decisions taken {(deadline - taken).total_seconds():.1f} s before the deadline, behind {waiting} records",
            f"the wall answered {watch.answers} times, at most {watch.slowest * 1000:.0f} ms",
        ],
        faults=faults,
        seconds=time.monotonic() - began,
    )


def _timed(label: str, deadline: datetime) -> tuple[list[Row], list[Row]]:
    """Cases whose deadline passes in the storm: half of them are decided in time."""
    timed, decided = [], []
    for number in range(20):
        case = f"{label}-2027-{number:06d}"
        timed += timed_case(case, deadline)
        if number % 2:
            at = (deadline - timedelta(seconds=2)).astimezone(ZONE)
            decided.append(event(case, 2, "case.decided", at, "B-001", result="denied"))
    return timed, decided


def _before(system: System, lines: list[str], moment: datetime) -> tuple[datetime, int]:
    """Pours at a moment; when the door had taken it, and how many records no worker had done by then."""
    time.sleep(max(0.0, (moment - datetime.now(UTC)).total_seconds()))
    system.pour(lines)
    return datetime.now(UTC), system.lag()


def _steadily(system: System, lines: Sequence[str], seconds: float) -> int:
    """Pours at an even pace, late batches catching up."""
    batch, began = USUAL * STORM // 10, time.monotonic()
    sent = [0]

    def pace() -> None:
        sent[0] += batch
        time.sleep(max(0.0, began + seconds * sent[0] / len(lines) - time.monotonic()))

    return system.pour(lines, pace, batch)


def _at_once(system: System, lines: Sequence[str], senders: int = 8) -> int:
    """Everything that is left from several senders, each case by one of them, in the largest bodies the door takes."""
    shares: list[list[str]] = [[] for _ in range(senders)]
    for line in lines:
        shares[crc32(line.partition('"case": "')[2][:30].encode()) % senders].append(line)
    with ThreadPoolExecutor(senders) as pool:
        return sum(pool.map(lambda share: system.pour(share, batch=5000), shares))


class _Watch:
    """Looks at memory and at the wall while a storm lasts."""

    def __init__(self, system: System) -> None:
        self._system, self._end = system, threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.most: dict[str, float] = {}
        self.faults: list[str] = []
        self.answers, self.slowest = 0, 0.0

    def __enter__(self) -> _Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join(10)

    def _run(self) -> None:
        with httpx.Client(timeout=20, headers={"X-API-Key": API_KEY}) as client:
            while not self._end.wait(0.5):
                for name, megabytes in self._system.memory().items():
                    self.most[name] = max(megabytes, self.most.get(name, 0.0))
                began = time.monotonic()
                try:
                    status = client.get(f"{self._system.wall}/healthz").status_code
                except httpx.HTTPError as error:
                    self.faults.append(f"the wall did not answer: {type(error).__name__}")
                    continue
                if status != 200:
                    self.faults.append(f"the wall answered {status}")
                self.answers += 1
                self.slowest = max(self.slowest, time.monotonic() - began)
