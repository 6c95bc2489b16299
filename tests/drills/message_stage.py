"""A centre, its rules, its messages and a gateway that keeps them, on a clock that jumps: for storms that would take a day."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from alerts.hooks.base import Handed
from alerts.links import AckLinks
from alerts.messages import Outgoing
from alerts.planner import Planner
from alerts.rounds.turn import Rounds
from alerts.sender import Sender, SenderSettings
from domain.centre import Centre
from domain.clock import FakeClock
from streams.rule_loop import RuleLoop

#: A Friday in Shanghai, half an hour after opening.
MORNING = datetime(2026, 11, 20, 1, 30, tzinfo=UTC)
CODE = "530502"


@dataclass
class Recorder:
    """A gateway that takes everything at once."""

    heard: list[Outgoing] = field(default_factory=list)

    def send(self, message: Outgoing) -> Handed:
        self.heard.append(message)
        return Handed(f"r{len(self.heard)}", "delivered")

    def close(self) -> None:
        """Nothing to give back."""


def make_centre(windows: int, leaders: int, cameras: int = 0, sites: int = 1, **messages: Any) -> Centre:
    """``windows`` with a handler each, a superior for five of them, ``leaders`` in turn; one inspector, one operator.

    The ids of the people begin with the letter of what they are: h, s, l, j, o.
    """
    superiors = -(-windows // 5)
    people = [f"h{n}" for n in range(windows)] + [f"s{n}" for n in range(superiors)]
    people += [f"l{n}" for n in range(leaders)] + ["j0", "o0"]
    return Centre.model_validate({
        "centre": {"id": CODE, "name": "示例市政务服务中心", "timezone": "Asia/Shanghai"},
        "calendar": {"base": "CN"},
        "people": [
            {"id": name, "name": name.upper(), "phone": f"138{index:08d}", "invented": True}
            for index, name in enumerate(people)
        ],
        "windows": [
            {"id": f"W{n}", "name": f"{n}号综合窗口", "staff": [f"h{n}"], "handler": f"h{n}", "superior": f"s{n // 5}",
             "leader": f"l{n % leaders}"}
            for n in range(windows)
        ],
        "cameras": [
            {"id": f"K{n}", "url": f"sim://K{n}", "site": f"S{n * sites // cameras}",
             "posts": [{"name": "前台", "window": f"W{n % windows}",
                        "polygon": [[0.1, 0.1], [0.9, 0.1], [0.9, 0.9], [0.1, 0.9]]}]}
            for n in range(cameras)
        ],
        "rules": {"blind": {}},
        "messages": {"inspectors": ["j0"], "operators": ["o0"], **messages},
    })  # fmt: skip


class Stage:
    """What a storm happens on.

    Args:
        dsn: of an empty, migrated database.
    """

    def __init__(self, dsn: str, centre: Centre) -> None:
        self.dsn, self.centre, self.clock, self.recorder = dsn, centre, FakeClock(MORNING), Recorder()
        self.connection: psycopg.Connection[Any] = psycopg.connect(dsn, autocommit=True)
        links = AckLinks(b"a secret for the drill only", "http://wall.example")
        self.planner = Planner(centre, links, correction_hold=timedelta(0))
        self.rounds = Rounds(centre, self.planner)
        self.loop = RuleLoop(dsn, centre, self.clock, plan=self.planner, remind=self.planner.remind)
        self.sender = Sender(
            dsn,
            {"http": self.recorder},
            self.clock,
            links=links,
            settings=SenderSettings(workers=32, jitter=0.0),
            rng=random.Random(1),
        )

    def close(self) -> None:
        self.loop.close()
        self.sender.close()
        self.connection.close()

    @property
    def now(self) -> datetime:
        return self.clock.now()

    def turn(self, *, judge: bool = True) -> datetime | None:
        """Everything that is due is done; returns when something of the messages is due next."""
        while judge and self.loop.tick(self.now).more:
            pass
        while True:
            ahead = self.rounds(self.connection, self.now)
            ready = self.one("select exists (select 1 from outbox where state in ('ready', 'leased'))")
            sent = self.sender.step() if ready else 0
            if not sent and (ahead is None or ahead > self.now):
                return ahead

    def play_out(self, until: datetime) -> None:
        """Jumps from moment to moment until nothing waits; what waits longer than ``until`` is left."""
        ahead = self.turn(judge=False)
        while ahead is not None and ahead <= until and self.waiting():
            self.clock.set(ahead)
            ahead = self.turn(judge=False)

    def waiting(self) -> int:
        return int(self.one("select count(*) from outbox where state in ('held', 'ready', 'leased')"))

    def one(self, query: str, values: Sequence[Any] = ()) -> Any:
        row = self.connection.execute(query, values).fetchone()
        assert row is not None
        return row[0]

    def heard_by(self, person: str) -> list[Outgoing]:
        phone = self.centre.person_by_id[person].phone
        return [each for each in self.recorder.heard if each.to == phone]
