"""What the evidence chain costs: findings written with it and without it, in turn, by one writer and by several; and how fast
a chain is verified.

    python -m benchmarks.evidence_chain [--batches 100] [--size 50] [--writers 3] [--json FILE]

Starts an embedded server in a temporary folder (or uses MINGJING_TEST_DSN).
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo

from benchmarks.figure import Figure, write_figures
from domain.chain import Checker
from domain.findings import Finding
from store import chain
from store.embedded import EmbeddedServer, dsn_for
from store.findings import Change, Said, as_entries, write_said
from store.migrate import migrate

CODE = "530502"
NOW = datetime(2026, 11, 20, 1, tzinfo=UTC)
#: As long as the explanation of a limit of twenty days.
EXPLAIN = {
    "start": "2026-10-23T10:12:00+08:00", "limit": {"days": 20, "unit": "working_day"}, "due_day": "2026-11-20",
    "counted_days": [f"2026-11-{day:02}" for day in range(1, 21)], "deadline": "2026-11-20T17:00:00+08:00",
    "calendar": "CN; chinesecalendar 1.11.0; holidays 0.109; own 00000000", "articles": "行政许可法 art. 42, 43, 82",
}  # fmt: skip


def said(name: str, size: int) -> list[Said]:
    return [
        Said(f"case:{name}-{n}", [Change("opened", Finding(f"{name}-{n}", "time_limit.legal", "red", CODE, NOW, explain=EXPLAIN))])
        for n in range(size)
    ]  # fmt: skip


def write(connection: psycopg.Connection, name: str, size: int, *, chained: bool) -> float:
    """One transaction as the rule loop writes it; seconds until it is committed."""
    batch = said(name, size)
    began = time.perf_counter()
    with connection.transaction():
        write_said(connection, batch, NOW)
        if chained:
            chain.append(connection, CODE, as_entries(batch), NOW)
    return time.perf_counter() - began


def alone(dsn: str, batches: int, size: int) -> tuple[float, float]:
    """Median seconds of a batch without and with the chain, in turn."""
    took: dict[bool, list[float]] = {False: [], True: []}
    with psycopg.connect(dsn, autocommit=True) as connection:
        for number in range(batches):
            for chained in (False, True) if number % 2 else (True, False):
                took[chained].append(write(connection, f"a{number}-{chained}", size, chained=chained))
    return statistics.median(took[False]), statistics.median(took[True])


def together(dsn: str, writers: int, batches: int, size: int, *, chained: bool, turn: int) -> float:
    """Findings a second that several writers write at once."""
    start = threading.Barrier(writers + 1)

    def work(writer: int) -> None:
        with psycopg.connect(dsn, autocommit=True) as connection:
            start.wait()
            for number in range(batches):
                write(connection, f"t{turn}-{writer}-{number}-{chained}", size, chained=chained)

    threads = [threading.Thread(target=work, args=(writer,)) for writer in range(writers)]
    for thread in threads:
        thread.start()
    start.wait()
    began = time.perf_counter()
    for thread in threads:
        thread.join()
    return writers * batches * size / (time.perf_counter() - began)


def measure(dsn: str, batches: int, size: int, writers: int) -> list[Figure]:
    migrate(dsn)
    bare, chained = alone(dsn, batches, size)
    given = {"size": size, "batches": batches}
    figures = [
        Figure("findings written without the chain", size / bare, "findings/s", parameters=given),
        Figure(
            "findings written with the chain", size / chained, "findings/s", "the same without", bare / chained,
            ">= 0.5", parameters=given,
        ),
    ]  # fmt: skip
    rates: dict[bool, list[float]] = {False: [], True: []}
    for turn in range(4):
        for with_chain in (False, True) if turn % 2 else (True, False):
            rates[with_chain].append(
                together(dsn, writers, max(batches // 8, 2), size, chained=with_chain, turn=turn)
            )
    without, within = statistics.median(rates[False]), statistics.median(rates[True])
    figures.append(
        Figure(
            "findings written by several at once, with the chain", within, "findings/s", "the same without",
            within / without, ">= 0.4", parameters={**given, "writers": writers},
        )
    )  # fmt: skip
    with psycopg.connect(dsn) as connection:
        began, checker = time.perf_counter(), Checker()
        for row in chain.read(connection, CODE):
            broken = checker.take(row)
            assert broken is None, broken
        took = time.perf_counter() - began
    figures.append(
        Figure("chain verified", checker.count / took, "rows/s", parameters={"rows": checker.count})
    )
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--batches", type=int, default=100)
    parser.add_argument("--size", type=int, default=50)
    parser.add_argument("--writers", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    given = os.environ.get("MINGJING_TEST_DSN")
    folder = Path(tempfile.mkdtemp(prefix="mj-chain-"))
    server = None if given else EmbeddedServer(folder)
    try:
        if server is not None:
            server.start()
        home = given or dsn_for(folder, "postgres")
        name = f"mj_chain_{os.getpid()}"
        with psycopg.connect(home, autocommit=True) as admin:
            admin.execute(f"create database {name}")
        figures = measure(make_conninfo(home, dbname=name), options.batches, options.size, options.writers)
        with psycopg.connect(home, autocommit=True) as admin:
            admin.execute(f"drop database {name} with (force)")
    finally:
        if server is not None:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)
    for figure in figures:
        sys.stdout.write(f"{figure}\n")
    if options.json:
        write_figures(options.json, figures)


if __name__ == "__main__":
    main()
