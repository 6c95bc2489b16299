"""What one tick of the rule loop costs with few and with very many open cases: the ratio should be near 1.

    python -m benchmarks.rule_tick [--small 1000] [--large 1000000] [--due 100] [--ticks 15]

Starts an embedded server in a temporary folder (or uses MINGJING_TEST_DSN), fills one database for each size and measures
ticks in which nothing is due, and ticks in which the same number of cases is due.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo

from domain.centre import Centre
from domain.clock import FakeClock
from store.embedded import EmbeddedServer, dsn_for
from store.migrate import migrate
from streams.rule_loop import RuleLoop

CODE = "530502"
NOW = datetime(2026, 11, 20, 1, tzinfo=UTC)
CENTRE = Centre.model_validate(
    {
        "centre": {"id": CODE},
        "items": [{"code": "A-001", "legal_limit": {"days": 20}, "promised_limit": {"days": 7}}],
        "windows": [{"id": f"A{number:02}"} for number in range(1, 13)],
    }
)


def fill(dsn: str, count: int) -> float:
    """``count`` cases accepted this morning, each judged already and waiting for its notice; seconds it took."""
    began = time.perf_counter()
    migrate(dsn)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(
            "insert into event (source, event_id, kind, occurred_at, received_at, centre, window_id, case_id, item,"
            " content_hash) select 'bench', 'e' || g, 'case.accepted', %(now)s, %(now)s, %(centre)s,"
            " 'A' || lpad((1 + g %% 12)::text, 2, '0'), 'C' || g, 'A-001', decode(md5(g::text), 'hex')"
            " from generate_series(1, %(count)s) g",
            {"now": NOW, "centre": CODE, "count": count},
        )
        connection.execute(
            "insert into case_state (centre, case_id, item, status, started_at, judged_events, judged_at, look_at)"
            " select %(centre)s, 'C' || g, 'A-001', 'accepted', %(now)s, 1, %(now)s,"
            " %(now)s + interval '5 days' + g %% 1000 * interval '1 minute' from generate_series(1, %(count)s) g",
            {"now": NOW, "centre": CODE, "count": count},
        )
        connection.execute("vacuum analyze")
    return time.perf_counter() - began


def measure(dsn: str, count: int, due: int, ticks: int) -> tuple[float, float]:
    """Median milliseconds of a tick with nothing due, and of one with ``due`` cases due."""
    loop = RuleLoop(dsn, CENTRE, FakeClock(NOW))
    with psycopg.connect(dsn, autocommit=True) as connection:

        def wake(number: int) -> None:
            # Spread over the whole table, as events would be.
            step = max(1, count // due)
            names = [f"C{1 + (number + step * each) % count}" for each in range(due)]
            connection.execute("update case_state set look_at = '-infinity' where case_id = any(%s)", [names])

        def timed(prepare: Callable[[int], None], expected: int) -> float:
            times = []
            for number in range(ticks + 3):
                prepare(number)
                began = time.perf_counter()
                result = loop.tick(NOW)
                times.append(time.perf_counter() - began)
                assert result.judged == expected, result
            return statistics.median(times[3:]) * 1000  # the first ones warm the caches

        loop.tick(NOW)
        idle, busy = timed(lambda _: None, 0), timed(wake, due)
        plan = connection.execute(
            "explain select case_id from case_state where centre = %s and look_at <= %s order by look_at limit 200"
            " for update skip locked",
            [CODE, NOW],
        ).fetchall()
    loop.close()
    print("\n".join(f"    {row[0]}" for row in plan))
    return idle, busy


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--small", type=int, default=1_000)
    parser.add_argument("--large", type=int, default=1_000_000)
    parser.add_argument("--due", type=int, default=100)
    parser.add_argument("--ticks", type=int, default=15)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="mj-"))
    server = None if os.environ.get("MINGJING_TEST_DSN") else EmbeddedServer(folder)
    try:
        if server is not None:
            server.start()
        address = os.environ.get("MINGJING_TEST_DSN") or dsn_for(folder, "postgres")
        results = []
        for count in (options.small, options.large):
            name = f"mj_bench_{os.getpid()}_{count}"
            with psycopg.connect(address, autocommit=True) as connection:
                connection.execute(f"create database {name}")
            try:
                dsn = make_conninfo(address, dbname=name)
                print(f"{count:>9,} open cases: filled in {fill(dsn, count):.1f} s")
                idle, busy = measure(dsn, count, min(options.due, count), options.ticks)
                print(f"{'':>9} tick with nothing due {idle:.2f} ms, with {options.due} due {busy:.2f} ms")
                results.append((idle, busy))
            finally:
                with psycopg.connect(address, autocommit=True) as connection:
                    connection.execute(f"drop database {name} with (force)")
        small, large = results
        print(
            f"ratio large / small: nothing due {large[0] / small[0]:.2f}, {options.due} due {large[1] / small[1]:.2f}"
        )
    finally:
        if server is not None:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
