"""What one tick of the rule loop costs with few and with very many open cases, and how soon a killed one is back.

    python -m benchmarks.rule_tick [--sizes 1000 10000 100000 1000000] [--due 100] [--ticks 50] [--json FILE]

Starts an embedded server in a temporary folder (or uses MINGJING_TEST_DSN), fills one database for each size and measures,
in turn, ticks in which nothing is due and ticks in which the same number of cases is due. Then, for each size, it starts
``mingjing run rules`` over what a killed loop left due: seconds from the start of the process until its first tick is done
and until nothing is due, and the memory it takes.
"""

from __future__ import annotations

import argparse
import logging
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import psutil
import psycopg
import yaml
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from benchmarks.figure import Figure, Parameter, write_figures
from domain.centre import Centre
from domain.clock import FakeClock
from store.embedded import EmbeddedServer, dsn_for
from store.migrate import migrate
from streams.rule_loop import RuleLoop

CODE = "530502"
NOW = datetime(2026, 11, 20, 1, tzinfo=UTC)
FILE = {
    "centre": {"id": CODE},
    "items": [{"code": "A-001", "legal_limit": {"days": 20}, "promised_limit": {"days": 7}}],
    "windows": [{"id": f"A{number:02}"} for number in range(1, 13)],
}
CENTRE = Centre.model_validate(FILE)
#: Cases that became due while the loop was dead.
LEFT_DUE = 1_000


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


def restart(dsn: str, count: int) -> tuple[float, float, float]:
    """Seconds from the start of ``mingjing run rules`` to its first tick done and to nothing due; its memory in MiB."""
    due = min(LEFT_DUE, count)
    step = count // due
    with psycopg.connect(dsn, autocommit=True) as db, tempfile.TemporaryDirectory() as folder:
        db.execute(
            "update case_state set look_at = '-infinity' where case_id = any(%s)",
            [[f"C{1 + step * each}" for each in range(due)]],
        )
        db.execute("delete from heartbeat")
        (Path(folder) / "centre.yaml").write_text(yaml.safe_dump(FILE), "utf-8")
        environ = {key: value for key, value in os.environ.items() if not key.startswith("MINGJING_")}
        environ |= {"MINGJING_DATA": folder, "MINGJING_DATABASE": dsn}
        began = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", "mingjing", "run", "rules"], env=environ, stderr=subprocess.DEVNULL
        )
        try:
            first = wait(
                process, db, "select count(*) from heartbeat where role = 'rules' and detail ? 'held'", began
            )
            nothing = (
                "select 1 where not exists (select from case_state where centre = %s and look_at <= now())"
            )
            last = wait(process, db, nothing, began, [CODE])
            memory = psutil.Process(process.pid).memory_info().rss / 2**20
        finally:
            process.terminate()
            process.wait(30)
    return first, last, memory


def wait(
    process: subprocess.Popen[bytes],
    db: psycopg.Connection,
    question: str,
    began: float,
    values: Sequence[str] = (),
) -> float:
    """Seconds since ``began`` when the answer is no longer 0 or none."""
    while True:
        row = db.execute(question, values).fetchone()
        if row is not None and row[0]:
            return time.perf_counter() - began
        if process.poll() is not None or time.perf_counter() - began > 300:
            raise SystemExit("the rule loop ended or took too long")
        time.sleep(0.01)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000, 100_000, 1_000_000])
    parser.add_argument("--due", type=int, default=100)
    parser.add_argument("--ticks", type=int, default=50)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    folder = Path(tempfile.mkdtemp(prefix="mj-"))
    server = None if os.environ.get("MINGJING_TEST_DSN") else EmbeddedServer(folder)
    made: dict[int, str] = {}
    figures: list[Figure] = []
    try:
        if server is not None:
            server.start()
        address = os.environ.get("MINGJING_TEST_DSN") or dsn_for(folder, "postgres")
        benches = []
        for count in options.sizes:
            name = f"mj_bench_{os.getpid()}_{count}"
            with psycopg.connect(address, autocommit=True) as connection:
                connection.execute(f"create database {name}")
            made[count] = make_conninfo(address, dbname=name)
            print(f"{count:>9,} open cases: filled in {fill(made[count], count):.1f} s", flush=True)
            benches.append(Bench(made[count], count, min(options.due, count)))
        print(benches[-1].plan())
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute("checkpoint")  # writing the filled tables back would slow whatever comes first
        few = f"the same with {options.sizes[0]:,} open cases"
        for due, measures in (
            (0, [bench.idle for bench in benches]),
            (options.due, [bench.busy for bench in benches]),
        ):
            times = in_turn(measures, options.ticks)
            for count, took in zip(options.sizes, times, strict=True):
                parameters: dict[str, Parameter] = {"open cases": count, "due": due}
                goal = "<= 1.5" if count == options.sizes[-1] else None
                figures.append(
                    Figure(
                        "rule tick",
                        took,
                        "ms",
                        few,
                        took / times[0],
                        goal,
                        f"{due} due",
                        "open cases",
                        parameters,
                    )
                )
        for bench in benches:
            bench.close()
        for count, dsn in made.items():
            first, last, memory = restart(dsn, count)
            parameters = {"open cases": count, "due": min(LEFT_DUE, count)}
            figures += [
                Figure(
                    "restart to the first tick",
                    first,
                    "s",
                    None,
                    None,
                    None,
                    "first tick",
                    "open cases",
                    parameters,
                ),
                Figure(
                    "restart to nothing due",
                    last,
                    "s",
                    None,
                    None,
                    None,
                    "nothing due",
                    "open cases",
                    parameters,
                ),
                Figure(
                    "memory of the rule loop",
                    memory,
                    "MiB",
                    None,
                    None,
                    None,
                    "memory",
                    "open cases",
                    parameters,
                ),
            ]
        write_figures(options.json, figures)
    finally:
        if server is not None:
            server.stop()
        else:
            for dsn in made.values():
                with psycopg.connect(os.environ["MINGJING_TEST_DSN"], autocommit=True) as connection:
                    connection.execute(f"drop database {conninfo_to_dict(dsn)['dbname']} with (force)")
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
