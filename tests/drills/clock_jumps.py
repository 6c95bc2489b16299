"""The wall clock set an hour ahead and back again while events flow: nobody is accused because a clock was wrong."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from tests.drills.balance import Balance, take_balance
from tests.drills.pouring import Pouring
from tests.drills.system import System
from tests.drills.workload import ZONE, Row, as_lines, event, events, timed_case

HOUR = 3600


def drill(
    system: System, *, count: int, seed: int = 19, jumps: int = 1, stay: float = 4.0, label: str = "CLOCK"
) -> Balance:
    """
    Args:
        jumps: how often the clock goes ahead and back.
        stay: seconds it stays ahead.
    """
    assert system.set_clock is not None, "the clock of this system cannot be set"
    now = datetime.now(UTC)
    lasting = jumps * (2 * stay + 2) + 10
    # Deadlines inside the hour that the clock skips; one half decided when it is right again, the other still under way.
    inside = now + timedelta(minutes=30)
    # And one that truly passes while the drill runs.
    soon = now + timedelta(seconds=lasting * 0.8)
    timed: list[Row] = []
    for number in range(20):
        timed += timed_case(f"{label}-2027-{number:06d}", inside)
    for number in range(20, 24):
        timed += timed_case(f"{label}-2027-{number:06d}", soon)
    lines = as_lines(events(seed, count // 6, late_share=0.2, label=label))
    system.pour(as_lines(timed))
    began = time.monotonic()
    provoked = []
    starts = {name: system.supervisor.starts(name) for name in system.names}
    decided: list[Row] = []
    with Pouring(system, lines, seconds=lasting):
        system.wait_for("the cases are judged", system.judged, 30)
        for _ in range(jumps):
            system.set_clock(HOUR)
            time.sleep(stay)
            # A rule loop that starts while the clock is wrong must know it as well.
            system.kill("rules")
            time.sleep(stay)
            system.set_clock(0)
            provoked.append(f"clock an hour ahead for {2 * stay:g} s, rules killed meanwhile, and back")
            time.sleep(2.0)
        for number in range(10):
            at = datetime.now(ZONE).replace(microsecond=0) - timedelta(seconds=1)
            decided.append(
                event(f"{label}-2027-{number:06d}", 2, "case.decided", at, "B-001", result="denied")
            )
        system.pour(as_lines(decided))
    lines = [*as_lines(timed), *lines, *as_lines(decided)]
    system.settle(label, len(set(lines)))
    faults = []
    accused = system.query(
        "select state, count(*) from finding where severity <> 'notice' and due_at > now()"
        f" and case_id like '{label}-2027-%' group by 1"
    )
    if accused:
        faults.append(f"cards written before their deadline: {dict(accused)}")
    system.wait_for("what is overdue is red", lambda: _reds(system, label) == 4, 30)
    if died := [
        name for name, n in starts.items() if system.supervisor.starts(name) - n > jumps * (name == "rules")
    ]:
        faults.append(f"died of it: {died}")
    beats = system.query(
        "select role, round(extract(epoch from clock_timestamp() - real_at)) from heartbeat"
        " where role in ('worker', 'rules', 'sender', 'door', 'wall') and clock_timestamp() - real_at > interval '15 s'"
    )
    if beats:
        faults.append(f"no sign of life since: {beats}")
    return take_balance(
        system,
        lines,
        drill="the clock jumps",
        label=label,
        provoked=provoked,
        faults=faults,
        seconds=time.monotonic() - began,
    )


def _reds(system: System, label: str) -> int:
    return int(
        system.one(
            "select count(*) from finding where severity = 'red' and state = 'open' and due_at <= now()"
            f" and case_id like '{label}-2027-%'"
        )
    )
