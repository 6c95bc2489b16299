"""The drill of gateways, short, and what its balance would say of senders that do worse."""

from __future__ import annotations

import pytest

from tests.drills.gateway_balance import Ledger, Row, judge
from tests.drills.gateway_plan import Course, courses
from tests.drills.gateways import SHORT, drill


@pytest.mark.process
@pytest.mark.postgres
@pytest.mark.timeout(300)
def test_each_message_arrives_once_or_says_that_it_may_not_have(database: str) -> None:
    balance = drill(SHORT, database)
    print(f"\n{balance}")
    balance.check()
    assert balance.provoked["kill -9 of a sender"]
    whole = sum(balance.counts.values(), type(balance.counts["http"])())
    assert whole["by query"], "no doubt was settled by a question; the drill proves nothing"
    assert whole["tries"] > whole["messages"]


HTTP = Course("a", "http", "1")
BLIND = Course("b", "mas", "2")


def faults(
    course: Course, state: str, shown: int, *, doubtful: bool = False, parts: dict[str, int] | None = None
) -> str:
    row = Row(course.key, state, None, 1, doubtful)
    ledger = Ledger(parts or ({course.key: shown} if shown else {}), {}, {})
    return " ".join(judge([course], [row], ledger)[1])


def test_the_balance_finds_what_went_wrong() -> None:
    assert faults(HTTP, "delivered", 1) == ""
    assert "not at an end: ready" in faults(HTTP, "ready", 0)
    assert "lost: no phone shows it" in faults(HTTP, "delivered", 0)
    assert "shown 2 times" in faults(HTTP, "delivered", 2)
    assert "shown 2 times" in faults(HTTP, "delivered", 2, doubtful=True)
    assert "nothing says that it may have been" in faults(BLIND, "delivered", 2)
    assert faults(BLIND, "delivered", 2, doubtful=True) == ""
    assert "unknown (None), not delivered" in faults(BLIND, "unknown", 1)
    assert "shown, though refused" in faults(Course("a", "http", "1", refused=True), "dead", 1)
    assert "dead (None), not undelivered" in faults(Course("a", "mas", "1", word="undelivered"), "dead", 1)
    assert "lost from the outbox" in " ".join(judge([HTTP], [], Ledger({}, {}, {}))[1])
    # A message in parts is there when all of them are, and twice when one of them is.
    assert "lost: no phone" in faults(BLIND, "delivered", 0, parts={"b#1/2": 1})
    assert "shown 2 times" in faults(BLIND, "delivered", 0, parts={"b#1/2": 1, "b#2/2": 2})


def test_the_same_seed_gives_the_same_misdeeds() -> None:
    assert courses(7, 300) == courses(7, 300) != courses(8, 300)
    assert {course.channel for course in courses(7, 300)} == {"http", "aliyun", "mas", "smpp"}
