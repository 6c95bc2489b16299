"""What one tick of the rule loop costs with few and with very many open cases: the ratio should be near 1.

    python -m benchmarks.rule_tick [--small 1000] [--large 1000000] [--due 100] [--ticks 50]

Starts an embedded server in a temporary folder (or uses MINGJING_TEST_DSN), fills one database for each size and measures,
in turn, ticks in which nothing is due and ticks in which the same number of cases is due.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
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
            "insert into event (source, event_id, kind, occurred_at, received_at, arrived_at, centre, window_id, case_id, item)"
            " select 'bench', 'e' || g, 'case.accepted', %(now)s, %(now)s, %(now)s, %(centre)s,"
            " 'A' || lpad((1 + g %% 12)::text, 2, '0'), 'C' || g, 'A-001' from generate_series(1, %(count)s) g",
            {"now": NOW, "centre": CODE, "count": count},
        )
        connection.execute(
            "insert into case_state (centre, case_id, item, status, started_at, judged_events, judged_at, events_from,"
            " events_until, look_at) select %(centre)s, 'C' || g, 'A-001', 'accepted', %(now)s, 1, %(now)s, %(now)s, %(now)s,"
            " %(now)s + interval '5 days' + g %% 1000 * interval '1 minute' from generate_series(1, %(count)s) g",
            {"now": NOW, "centre": CODE, "count": count},
        )
        connection.execute("vacuum analyze")
    return time.perf_counter() - began


class Bench:
    """One database with its loop."""

    def __init__(self, dsn: str, count: int, due: int) -> None:
        self.count, self.due = count, due
        self.loop = RuleLoop(dsn, CENTRE, FakeClock(NOW))
        self.connection = psycopg.connect(dsn, autocommit=True)
        self.loop.tick(NOW)

    def idle(self, _: int) -> float:
        """Milliseconds of a tick with nothing due."""
        return self._tick(0)

    def busy(self, number: int) -> float:
        """Milliseconds of a tick with ``due`` cases due, spread over the whole table as events would be."""
        step = max(1, self.count // self.due)
        names = [f"C{1 + (number + step * each) % self.count}" for each in range(self.due)]
        self.connection.execute(
            "update case_state set look_at = '-infinity' where case_id = any(%s)", [names]
        )
        return self._tick(self.due)

    def _tick(self, expected: int) -> float:
        began = time.perf_counter()
        result = self.loop.tick(NOW)
        took = (time.perf_counter() - began) * 1000
        assert result.judged == expected, result
        return took

    def plan(self) -> str:
        """What the search for due rows reads."""
        rows = self.connection.execute(
            "explain select case_id from case_state where centre = %s and look_at <= %s order by look_at limit 50"
            " for update skip locked",
            [CODE, NOW],
        ).fetchall()
        return "\n".join(f"    {row[0]}" for row in rows)

    def close(self) -> None:
        self.loop.close()
        self.connection.close()


def in_turn(measures: Sequence[Callable[[int], float]], ticks: int) -> list[float]:
    """Medians of measures taken in turn, so that a change of the machine's pace meets all of them alike."""
    times = [[measure(number) for measure in measures] for number in range(ticks + 3)]
    return [statistics.median(column) for column in zip(*times[3:], strict=True)]  # the first warm the caches


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--small", type=int, default=1_000)
    parser.add_argument("--large", type=int, default=1_000_000)
    parser.add_argument("--due", type=int, default=100)
    parser.add_argument("--ticks", type=int, default=50)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="mj-"))
    server = None if os.environ.get("MINGJING_TEST_DSN") else EmbeddedServer(folder)
    try:
        if server is not None:
            server.start()
        address = os.environ.get("MINGJING_TEST_DSN") or dsn_for(folder, "postgres")
        benches = []
        for count in (options.small, options.large):
            name = f"mj_bench_{os.getpid()}_{count}"
            with psycopg.connect(address, autocommit=True) as connection:
                connection.execute(f"create database {name}")
            dsn = make_conninfo(address, dbname=name)
            print(f"{count:>9,} open cases: filled in {fill(dsn, count):.1f} s")
            benches.append(Bench(dsn, count, min(options.due, count)))
            print(benches[-1].plan())
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute("checkpoint")  # writing the filled tables back would slow whatever comes first
        for title, measures in (
            ("nothing due", [bench.idle for bench in benches]),
            (f"{options.due} due", [bench.busy for bench in benches]),
        ):
            small, large = in_turn(measures, options.ticks)
            print(
                f"tick with {title}: {small:.2f} ms and {large:.2f} ms, ratio large / small {large / small:.2f}"
            )
        for bench in benches:
            bench.close()
            with psycopg.connect(address, autocommit=True) as connection:
                connection.execute(f"drop database mj_bench_{os.getpid()}_{bench.count} with (force)")
    finally:
        if server is not None:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
