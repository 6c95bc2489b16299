"""All storms of messages at their full size, on a database server of their own."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from store.embedded import EmbeddedServer, dsn_for
from store.migrate import migrate
from tests.drills import camera_storm, message_storm

#: To one person in ten minutes: ten and a digest are what a flood lets through, and one more since it counts by whole minutes.
MOST = 12
QUICK = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


@contextmanager
def databases() -> Iterator[Callable[[], str]]:
    """Makes migrated databases."""
    with tempfile.TemporaryDirectory(prefix="mj-storm-") as folder:
        data, made = Path(folder) / "pg", 0

        def fresh() -> str:
            nonlocal made
            made += 1
            with psycopg.connect(dsn_for(data, "postgres"), autocommit=True) as connection:
                connection.execute(f"create database storm_{made} template mingjing")
            return dsn_for(data, f"storm_{made}")

        with EmbeddedServer(data, settings=QUICK) as server:
            migrate(server.dsn)
            yield fresh


def run(findings: int = 5000, cameras: int = 500, seed: int = 7) -> bool:
    """Plays and prints them; whether all balance."""
    good = True
    with databases() as fresh:
        plan = message_storm.Plan(findings=findings, seed=seed)
        for title, settings in message_storm.STORMS.items():
            began = time.monotonic()
            account = message_storm.storm(fresh(), plan, title, settings)
            print(account, f"({time.monotonic() - began:.0f} s)\n", flush=True)
            good &= not account.faults
        began = time.monotonic()
        for each in camera_storm.together(fresh(), camera_storm.Plan(cameras)):
            print(each, flush=True)
            good &= each.messages == {"source.silent site": 1} and not each.waiting
        print(f"({time.monotonic() - began:.0f} s)\n")
        began = time.monotonic()
        alone = camera_storm.apart(fresh(), camera_storm.Plan(cameras, sites=10), 4)
        print(alone, f"\n({time.monotonic() - began:.0f} s)", flush=True)
        return good and alone.most_in_ten_minutes <= MOST and not alone.waiting
