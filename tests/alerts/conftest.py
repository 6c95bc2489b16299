"""A small centre with invented people, findings in a real database, a sender on a real (fake) gateway."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from alerts.hooks import Hook
from alerts.hooks.http_json.fake import FakeGateway
from alerts.links import AckLinks
from alerts.planner import Planner
from alerts.sender import Sender, SenderSettings
from domain.centre import Centre
from domain.clock import FakeClock
from domain.findings import Finding
from store import Connection

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)  # 17:30 in Shanghai
LINKS = AckLinks(b"a secret for tests only", "http://wall.example")
#: Retries at once, without waiting in tests.
QUICK = SenderSettings(waits=(0.0,), jitter=0.0, poll=0.05, max_tries=5)


def make_centre(**messages: Any) -> Centre:
    people = [
        {"id": "p1", "name": "张三", "phone": "13800000001", "invented": True},
        {"id": "p2", "name": "李四", "phone": "13800000002", "invented": True},
        {"id": "p3", "name": "王五", "phone": "13800000003", "invented": True},
        {"id": "p4", "name": "赵六", "phone": "13800000004", "invented": True},
        {"id": "p5", "name": "无机", "invented": True},
        {"id": "p6", "name": "同号", "phone": "+86 138 0000 0001", "invented": True},
    ]
    windows = [
        {
            "id": "A07",
            "name": "不动产登记",
            "staff": ["p1"],
            "handler": "p1",
            "superior": "p2",
            "leader": "p3",
        },
        {"id": "A08", "name": "公积金", "handler": "p5", "superior": "p6", "leader": "p1"},
        {"id": "A09", "name": "社保", "handler": "p1", "superior": "p1"},
        {"id": "A10", "name": "税务", "handler": "p404"},
    ]
    return Centre.model_validate(
        {
            "centre": {"id": "530502", "name": "示例中心"},
            "people": people,
            "windows": windows,
            "messages": {"inspectors": ["p4"], **messages},
        }
    )


def make_finding(number: int = 1, **changes: Any) -> Finding:
    given: dict[str, Any] = {
        "finding_id": f"f{number}",
        "rule": "time_limit.promised",
        "severity": "yellow",
        "centre": "530502",
        "opened_at": NOW - timedelta(minutes=30),
        "case": f"LY-{number:04d}",
        "item": "I-1",
        "window": "A07",
        "due_at": NOW - timedelta(minutes=30),
    }
    return Finding(**(given | changes))


def save_finding(connection: Connection, finding: Finding) -> None:
    connection.execute(
        """
        insert into finding (finding_id, rule, severity, centre, case_id, item, window_id, subject, opened_at, closed_at,
                             state, due_at, issued_at, updated_at)
        values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
        on conflict (finding_id) do update set state = excluded.state
        """,
        (
            finding.finding_id, finding.rule, finding.severity, finding.centre, finding.case, finding.item,
            finding.window, f"case:{finding.case}", finding.opened_at, finding.closed_at, finding.state,
            finding.due_at, NOW, NOW,
        ),
    )  # fmt: skip


class Desk:
    """What a test needs: a database with findings, a planner and senders."""

    def __init__(self, dsn: str) -> None:
        self.dsn, self.clock, self.centre = dsn, FakeClock(NOW), make_centre(group=None, flood=None)
        self.connection: Connection = psycopg.connect(dsn, autocommit=True)
        self.planner = Planner(self.centre, LINKS, correction_hold=timedelta(0))
        self.opened: list[Sender] = []

    def issue(self, finding: Finding, change: str = "opened") -> int:
        """The finding and its messages in one transaction, as the rule loop does."""
        with self.connection.transaction():
            save_finding(self.connection, finding)
            return self.planner(self.connection, [(finding, change)], self.clock.now())

    def sender(self, hook: Hook, settings: SenderSettings = QUICK, **more: Any) -> Sender:
        made = Sender(
            self.dsn, {"http": hook}, self.clock, links=LINKS, settings=settings, rng=random.Random(1), **more
        )
        self.opened.append(made)
        return made

    def drain(self, sender: Sender, steps: int = 200) -> None:
        """Steps until nothing is due."""
        for _ in range(steps):
            if not sender.step():
                return
        raise AssertionError("the outbox does not drain")

    def rows(self, columns: str = "*", where: str = "true") -> list[Any]:
        cursor = self.connection.execute(f"select {columns} from outbox where {where} order by message_id")
        rows = cursor.fetchall()
        return [row[0] for row in rows] if "," not in columns and columns != "*" else rows

    def states(self) -> dict[str, int]:
        from alerts.outbox import counts

        return counts(self.connection)


@pytest.fixture
def desk(database: str) -> Iterator[Desk]:
    made = Desk(database)
    yield made
    for sender in made.opened:
        sender.close()
    made.connection.close()


@pytest.fixture
def gateway() -> Iterator[FakeGateway]:
    with FakeGateway() as made:
        yield made


@pytest.fixture
def wait_for() -> Callable[..., None]:
    """Waits until something is true, looking often; fails after ``seconds``."""
    import time

    def wait(true: Callable[[], Any], seconds: float = 20.0) -> None:
        ends = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < ends, "did not happen"
            time.sleep(0.02)

    return wait
