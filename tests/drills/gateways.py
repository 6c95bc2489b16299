"""Thousands of messages through four gateways that misbehave, while their senders are killed: each once, none lost.

Real processes: senders, the door for receipts, the gateways with the phones behind them, PostgreSQL. What is provoked from outside is
here; what each gateway does to each message in :mod:`tests.drills.gateway_plan`.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg

from domain.chain import Checker
from store import chain
from store.embedded import EmbeddedServer
from store.migrate import migrate
from tests.drills.gateway_balance import Balance, Ledger, Row, judge
from tests.drills.gateway_fakes import TOKEN
from tests.drills.gateway_plan import CHANNELS, Course, courses
from tests.drills.system import free_ports

ROOT = Path(__file__).resolve().parents[2]
CENTRE = "530502"
#: Seconds after which a process has begun to work.
GROWN = 2.0


@dataclass(frozen=True, slots=True)
class Plan:
    """How much of it.

    Args:
        senders: processes; the first is spared, so that its memory can be watched.
        trouble: share of the messages with which something goes wrong.
        every: seconds between two blows from outside; at least ``blows`` of them, and at most ``most``: each costs the start of
            a process.
        limit: seconds after which what has not ended is a fault.
    """

    messages: int = 10_000
    seed: int = 7
    senders: int = 3
    trouble: float = 0.3
    every: float = 2.0
    blows: int = 10
    most: int = 1000
    limit: float = 900.0


SHORT = Plan(messages=300, senders=3, every=1.0, blows=5, most=8, limit=240)
_PARAMS = {
    "rule": "time_limit.promised",
    "severity": "yellow",
    "opened_at": "2026-11-20T17:00:00+08:00",
    "due_at": "2026-11-20T17:00:00+08:00",
    "window": "A07",
    "window_name": "不动产登记",
    "who": "张三",
}


def drill(plan: Plan, dsn: str | None = None, say: Callable[[str], object] = lambda _: None) -> Balance:
    """
    Args:
        dsn: of an empty, migrated database; without one a server is started.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mj-gateways-")))
        if dsn is None:
            # kill -9 of the senders is what is tried here, not of the machine.
            quick = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
            dsn = stack.enter_context(EmbeddedServer(folder / "pg", settings=quick)).dsn
            migrate(dsn)
        scene = stack.enter_context(Scene(plan, dsn, folder))
        return scene.run(say)


class Scene:
    """The processes of one drill."""

    def __init__(self, plan: Plan, dsn: str, folder: Path) -> None:
        self.plan, self.dsn, self.folder = plan, dsn, folder
        self.courses = courses(plan.seed, plan.messages, plan.trouble)
        self.rng = random.Random(plan.seed + 1)
        self.provoked: Counter[str] = Counter()
        self.memory: list[float] = []
        self._settings = folder / "settings.json"
        self._door_port = free_ports(1)[0]
        self._started: list[subprocess.Popen[str]] = []

    def __enter__(self) -> Scene:
        (self.folder / "token").write_text(TOKEN)
        self._db = psycopg.connect(self.dsn, autocommit=True)
        words = (self.plan.seed, self.plan.messages, self.plan.trouble, f"http://127.0.0.1:{self._door_port}")
        fakes = self._start("tests.drills.gateway_fakes", *map(str, words), stdout=subprocess.PIPE)
        assert fakes.stdout is not None
        self.ports = json.loads(fakes.stdout.readline())
        self.control = self.ports.pop("control")
        # Nobody listens at the one; at the other somebody does who does not know us.
        self.ports |= {"dead": free_ports(1)[0], "barred": self.ports["http"]}
        settings = {"dsn": self.dsn, "ports": self.ports, "folder": str(self.folder), "door": self._door_port}
        self._settings.write_text(json.dumps(settings))
        self.door = self._ours("door")
        self.senders = [self._ours("sender") for _ in range(self.plan.senders)]
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._started:
            process.kill()
        for process in self._started:
            process.wait(10)
        self._db.close()

    def _start(self, module: str, *words: str, stdout: int | None = None) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", module, *words],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=stdout,
            text=True,
        )
        self._started.append(process)
        return process

    def _ours(self, role: str) -> subprocess.Popen[str]:
        return self._start("tests.drills.gateway_processes", role, str(self._settings))

    # -- the drill

    def run(self, say: Callable[[str], object]) -> Balance:
        write_messages(self._db, self.courses)
        began = time.monotonic()
        blow_at, quiet, heard = began + self.plan.every, 0, began
        while quiet < 3 and time.monotonic() < began + self.plan.limit:
            time.sleep(0.2)
            open_rows, asked = self._waiting()
            blows = sum(self.provoked.values())
            # Until the end nobody has peace; what is left then needs its patience.
            goes_on = open_rows > self.plan.messages // 20 or blows < self.plan.blows
            if time.monotonic() >= blow_at and goes_on and blows < self.plan.most:
                self._blow()
                blow_at = time.monotonic() + self.plan.every * self.rng.uniform(0.5, 1.5)
            self._look()
            done = not open_rows and not asked and blows >= self.plan.blows and not self._ledger()["waiting"]
            quiet = quiet + 1 if done else 0
            if time.monotonic() > heard + 10:
                heard = time.monotonic()
                say(f"{heard - began:5.0f} s: {open_rows} to send, {asked} without a receipt, {blows} blows")
        return self._balance(time.monotonic() - began)

    def _waiting(self) -> tuple[int, int]:
        row = self._db.execute(
            "select count(*) filter (where state in ('ready', 'leased', 'held')),"
            " count(*) filter (where state = 'sent' and ask_at is not null) from outbox"
        ).fetchone()
        assert row is not None
        return row

    def _blow(self) -> None:
        kind = self.rng.choices(
            ("sender", "two senders", "door", "database", "gateway"), (50, 10, 10, 10, 20)
        )[0]
        match kind:
            case "sender" | "two senders":
                # One that has not yet begun to send proves nothing by its death.
                grown = [number for number in range(1, len(self.senders)) if self._age(number) > GROWN]
                for number in self.rng.sample(grown, min(len(grown), 2 if kind == "two senders" else 1)):
                    self.senders[number].kill()
                    self.senders[number].wait(10)
                    self.senders[number] = self._ours("sender")
                    self.provoked["kill -9 of a sender"] += 1
            case "door":
                self.door.kill()
                self.door.wait(10)
                self.door = self._ours("door")
                self.provoked["kill -9 of the door for receipts"] += 1
            case "database":
                self._db.execute(
                    "select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'mingjing-%'"
                    " and datname = current_database()"
                )
                self.provoked["all connections ended by the database"] += 1
            case _:
                channel = self.rng.choice(list(CHANNELS))
                httpx.post(
                    f"{self.control}/down/{channel}",
                    params={"seconds": self.rng.uniform(0.5, 1.5)},
                    timeout=20,
                )
                self.provoked["a gateway away"] += 1

    def _age(self, number: int) -> float:
        return time.time() - psutil.Process(self.senders[number].pid).create_time()

    def _look(self) -> None:
        self.memory.append(psutil.Process(self.senders[0].pid).memory_info().rss / 1e6)

    def _ledger(self) -> dict[str, Any]:
        answer: dict[str, Any] = httpx.get(f"{self.control}/ledger", timeout=30).json()
        return answer

    def _balance(self, seconds: float) -> Balance:
        said = self._ledger()
        ledger = Ledger(said["shown"], said["by_itself"], said["misdeeds"])
        rows = [
            Row(*row)
            for row in self._db.execute(
                "select idempotency_key, state, reason, attempts, coalesce((detail ->> 'perhaps_twice')::bool, false)"
                " from outbox"
            )
        ]
        counts, faults = judge(self.courses, rows, ledger, self._found())
        faults += self._chain()
        middle, end = max(self.memory[: len(self.memory) // 2]), self.memory[-1]
        if end > middle * 1.3 + 10:
            faults.append(f"memory of a sender grew from {middle:.0f} to {end:.0f} MB")
        if self.senders[0].poll() is not None:
            faults.append("the sender nobody killed has ended")
        notes = [
            f"memory of the sender that was spared: {middle:.0f} MB in the first half, {end:.0f} MB at the end",
            self._pace(),
        ]
        doubtful = sorted(row.key for row in rows if row.doubtful)
        return Balance(counts, faults, self.provoked, ledger.misdeeds, notes, seconds, doubtful)

    def _found(self) -> frozenset[str]:
        lines = (
            (self.folder / "questions").read_text().split("\n")
            if (self.folder / "questions").exists()
            else []
        )
        return frozenset(line.removesuffix(" yes") for line in lines if line.endswith(" yes"))

    def _chain(self) -> list[str]:
        """The evidence holds together, and each thing is said of a message once in it."""
        checker = Checker()
        broken = [each for row in chain.read(self._db, CENTRE) if (each := checker.take(row)) is not None]
        if broken:
            return [f"the chain is broken: {broken[0]}"]
        rows = self._db.execute(
            "select subject, kind, count(*) from evidence where kind like 'message.%' group by 1, 2 having count(*) > 1"
        )
        return [f"{subject}: {count} × {kind} in the chain" for subject, kind, count in rows]

    def _pace(self) -> str:
        row = self._db.execute(
            "select percentile_cont(array[0.05, 0.45, 0.85]) within group (order by extract(epoch from handed_at))"
            " from outbox where handed_at is not null"
        ).fetchone()
        first, middle, last = row[0] if row and row[0] else (0, 0, 0)
        share = 0.4 * self.plan.messages
        early, late = share / max(middle - first, 0.01), share / max(last - middle, 0.01)
        return f"handed over: {early:.0f} a second in the first half, {late:.0f} in the second"


def write_messages(connection: psycopg.Connection[Any], planned: Sequence[Course]) -> None:
    """All messages at once, ready to be sent."""
    with connection.transaction(), connection.cursor() as cursor:
        cursor.executemany(
            """
            insert into outbox (idempotency_key, centre, person, phone, channel, template, params, next_try_at, give_up_at,
                                created_at, why, fallback)
            values (%s, %s, %s, %s, %s, 'finding.yellow', %s, now(), now() + interval '1 day', now(), 'test', %s)
            """,
            [
                (
                    each.first_key, CENTRE, f"p{number}", each.number, each.first or each.channel,
                    json.dumps(_PARAMS | {"case": f"LY-{number:05d}"}),
                    json.dumps([[each.channel, each.number]] if each.first else []),
                )
                for number, each in enumerate(planned)
            ],
        )  # fmt: skip
