"""PostgreSQL killed, cut off in the middle of a commit, read-only, with a full disk: the others wait and lose nothing."""

from __future__ import annotations

import os
import random
import shutil
import time

import psycopg

from tests.drills.balance import Balance, take_balance
from tests.drills.postgres_proxy import Cut
from tests.drills.pouring import Pouring
from tests.drills.system import System
from tests.drills.workload import as_lines, events

#: Each of these is cut once before the statement arrives and once after it is done.
COMMITS = (
    ("mingjing-worker", "commit", "insert into event"),
    ("mingjing rules", "commit", "insert into finding"),
    ("mingjing-sender", "update outbox set state", ""),
)


def drill(
    system: System, *, count: int, seed: int = 11, away: float = 3.0, rounds: int = 1, label: str = "BASE"
) -> Balance:
    """
    Args:
        away: seconds for which the database is read-only, and its disk full.
        rounds: how often all of it is done.
    """
    lines = as_lines(events(seed, count // 6, late_share=0.1, label=label))
    rng, provoked, faults = random.Random(seed), [], []
    began = time.monotonic()
    with Pouring(system, lines, seconds=(4 * away + 12) * rounds) as pouring:
        for _ in range(rounds):
            faults += _cut_commits(system, provoked)
            _read_only(system, away)
            provoked.append(f"read-only for {away:g} s")
            _end_connections(system)
            provoked.append("all connections ended by the server")
            # The second time while it recovers from the first.
            system.kill("database")
            time.sleep(rng.uniform(0.3, 0.8))
            system.kill("database")
            provoked.append("all its processes killed, again during recovery")
            provoked.append(_full_disk(system, away))
            assert pouring.flows, "nothing flows any more"
    system.settle(label, len(set(lines)))
    return take_balance(
        system,
        lines,
        drill="PostgreSQL fails",
        label=label,
        provoked=provoked,
        faults=faults,
        notes=[
            f"starts of each process: { {name: system.supervisor.starts(name) for name in system.names} }"
        ],
        seconds=time.monotonic() - began,
    )


def _cut_commits(system: System, provoked: list[str]) -> list[str]:
    assert system.proxy is not None, "the system runs without a wire to cut"
    cuts = [
        system.proxy.arm(Cut(application, statement, before, following))
        for application, statement, following in COMMITS
        for before in (True, False)
    ]
    faults = []
    for cut in cuts:
        if cut.sprung.wait(20):
            provoked.append(str(cut))
        else:
            faults.append(f"never happened: {cut}")
    system.proxy.disarm()
    return faults


def _administer(system: System, *statements: str) -> None:
    options = "-c default_transaction_read_only=off"
    with psycopg.connect(system.dsn, autocommit=True, options=options) as connection:
        for statement in statements:
            connection.execute(statement)


def _read_only(system: System, seconds: float) -> None:
    _administer(system, "alter system set default_transaction_read_only = on", "select pg_reload_conf()")
    time.sleep(seconds)
    _administer(system, "alter system reset default_transaction_read_only", "select pg_reload_conf()")


def _end_connections(system: System) -> None:
    _administer(
        system,
        "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid()"
        " and backend_type = 'client backend'",
    )


def _full_disk(system: System, seconds: float) -> str:
    """Fills the server's small disk to the last byte, and gives the space back."""
    if system.small_disk is None:
        return "(disk full left out: mounting a small disk takes root)"
    filler = system.small_disk / "filler"
    with filler.open("wb") as file:
        free = shutil.disk_usage(system.small_disk).free
        os.posix_fallocate(file.fileno(), 0, free)
    # What the server still has open lies in pages it owns; a checkpoint needs room and has none.
    time.sleep(seconds)
    filler.unlink()
    return f"disk full for {seconds:g} s"
