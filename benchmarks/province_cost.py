"""What a province costs: a round of the rules over 1 and over 145 idle centres, and one reading of the wall of all.

    python -m benchmarks.province_cost [--centres 145] [--windows 62] [--cases 500000] [--rounds 50] [--write FOLDER]

Starts an embedded server in a temporary folder (or uses MINGJING_TEST_DSN). Measures in turn, so that the machine's pace
meets all alike; figures are medians.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo

from benchmarks.figure import Figure, Parameter, write_figures
from benchmarks.province import write_province
from dashboard.province_source import ProvinceSource
from dashboard.province_view import ProvincePainter
from dashboard.source import StoreSource
from domain.centre_folder import load_centres
from domain.centres import Centres
from domain.clock import FakeClock
from store.connection import Connection
from store.embedded import EmbeddedServer, dsn_for
from store.migrate import migrate
from streams.circuit import TURN, Circuit
from streams.rule_loop import RuleLoop

NOW = datetime(2026, 11, 20, 2, tzinfo=UTC)


def fill(dsn: str, centres: Centres, cases: int) -> None:
    """Windows with somebody at them, sources that speak, open cases, 20 open findings a centre."""
    codes = list(centres)
    with psycopg.connect(dsn, autocommit=True) as connection:
        for code, centre in centres.items():
            connection.execute(
                "insert into window_state (centre, window_id, presence, reason, since, seen_at, judged_at)"
                " select %s, w, 'present', null, %s, %s, %s from unnest(%s::text[]) as u (w)",
                [code, NOW, NOW, NOW, [window.id for window in centre.windows]],
            )
            connection.execute(
                "insert into source_state (centre, kind, source, last_at, look_at)"
                " select %s, 'camera', c, %s, %s from unnest(%s::text[]) as u (c)",
                [code, NOW, NOW + timedelta(days=1), [camera.id for camera in centre.cameras]],
            )
        each = max(1, cases // len(codes))
        connection.execute(
            "insert into case_state (centre, case_id, item, window_id, status, started_at, judged_events, judged_at, look_at)"
            " select c, 'C' || g, 'I-001', 'A0' || 1 + g %% 8, 'accepted', %(now)s, 1, %(now)s,"
            " %(now)s + interval '5 days' + g %% 1000 * interval '1 minute'"
            " from unnest(%(codes)s::text[]) as u (c), generate_series(1, %(each)s) g",
            {"now": NOW, "codes": codes, "each": each},
        )
        connection.execute(
            "insert into finding (finding_id, rule, severity, centre, case_id, window_id, subject, opened_at, state,"
            " issued_at, updated_at) select c || g, 'time_limit.promised', 'yellow', c, 'C' || g, 'A0' || 1 + g %% 8,"
            " 'case:C' || g, %(now)s - g * interval '1 hour', 'open', %(now)s, %(now)s"
            " from unnest(%(codes)s::text[]) as u (c), generate_series(1, 20) g",
            {"now": NOW, "codes": codes},
        )
        connection.execute("vacuum analyze")


def circuit_of(dsn: str, centres: Centres, codes: list[str]) -> Circuit:
    clock = FakeClock(NOW)

    def make(code: str, opened: Callable[[], Connection]) -> RuleLoop:
        return RuleLoop(dsn, centres[code], clock, batches=TURN, open_connection=opened, beats=False)

    return Circuit(dsn, codes, clock, make)


def in_turn(measures: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Milliseconds, medians."""
    times: dict[str, list[float]] = {name: [] for name in measures}
    for _ in range(rounds):
        for name, measure in measures.items():
            began = time.perf_counter()
            measure()
            times[name].append((time.perf_counter() - began) * 1000)
    return {name: statistics.median(each) for name, each in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--centres", type=int, default=145)
    parser.add_argument("--windows", type=int, default=62)
    parser.add_argument("--cases", type=int, default=500_000)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--write", type=Path, help="only write the centre files into this folder")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if options.write is not None:
        written = write_province(options.write, centres=options.centres, windows=options.windows)
        print(f"{len(written)} centre files in {options.write}")
        return
    parameters: dict[str, Parameter] = {
        "centres": options.centres,
        "windows": options.windows,
        "cases": options.cases,
    }
    figures: list[Figure] = []
    folder = Path(tempfile.mkdtemp(prefix="mj-"))
    server = None if os.environ.get("MINGJING_TEST_DSN") else EmbeddedServer(folder)
    try:
        write_province(folder / "centres", centres=options.centres, windows=options.windows)
        for what in ("first", "again"):
            began = time.perf_counter()
            centres = load_centres(folder / "centres", kept=folder / "kept")
            took = (time.perf_counter() - began) * 1000
            figures.append(Figure(f"reading the centre files, {what}", took, "ms", parameters=parameters))
        if server is not None:
            server.start()
        address = os.environ.get("MINGJING_TEST_DSN") or dsn_for(folder, "postgres")
        name = f"mj_bench_{os.getpid()}"
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute(f"create database {name}")
        dsn = make_conninfo(address, dbname=name)
        migrate(dsn)
        fill(dsn, centres, options.cases)
        one, many = circuit_of(dsn, centres, list(centres)[:1]), circuit_of(dsn, centres, list(centres))
        began = time.perf_counter()
        many.round(NOW)
        took = (time.perf_counter() - began) * 1000
        figures.append(Figure("the first round over all centres", took, "ms", parameters=parameters))
        while one.round(NOW).judged or many.round(NOW).judged:
            pass
        wall = ProvinceSource(dsn, centres, lambda seconds: False)
        painter = ProvincePainter(centres, 1.0)
        single = StoreSource(dsn, centres.first, beats=False)
        snapshot = wall.read(NOW)
        found = in_turn(
            {
                "a round over 1 idle centre": lambda: one.round(NOW),
                "a round over all centres, idle": lambda: many.round(NOW),
                "reading the wall of one centre": lambda: single.read(NOW),
                "reading the wall of all centres": lambda: wall.read(NOW),
                "drawing it in both languages": lambda: painter.paint(snapshot, NOW, None),
            },
            options.rounds,
        )
        beside = {
            "a round over all centres, idle": "a round over 1 idle centre",
            "reading the wall of all centres": "reading the wall of one centre",
        }
        for what, took in found.items():
            other = beside.get(what)
            ratio = None if other is None else took / found[other]
            figures.append(Figure(what, took, "ms", other, ratio, parameters=parameters))
        write_figures(options.json, figures)
        for each in (one, many, wall, single):
            each.close()
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute(f"drop database {name} with (force)")
    finally:
        if server is not None:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
