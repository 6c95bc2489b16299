"""A balance that would not notice would prove nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.drills.balance import Account, Balance
from tests.drills.workload import as_lines, event

AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
FACTS = ("open", "red", "time_limit.legal", AT, None, AT, False)
GOOD = Balance(
    drill="x", broker="y", account=Account(3, 2, 1, {}), stored=2, judged=2, dead_letters={}, live={"f": FACTS},
    replayed={"f": FACTS}, revoked=0, messages={"sent": 1, "skipped": 1}, sent=frozenset("k"), gateway={"k": 1},
)  # fmt: skip


def test_a_balance_that_balances_says_so() -> None:
    GOOD.check()
    assert "3 in = 2 judged + 0 rejected  + 1 duplicates" in str(GOOD)
    assert str(GOOD).endswith("balanced")


@pytest.mark.parametrize(
    "change",
    [
        {"stored": 1},
        {"judged": 1},
        {"dead_letters": {"conflict": 1}},
        {"account": Account(3, 2, 1, {"conflict": 1})},
        {"live": {}},
        {"replayed": {}},
        {"live": {"f": ("closed", *FACTS[1:])}},
        {"messages": {"sent": 1, "ready": 1}},
        {"messages": {"sent": 1, "dead": 1}},
        {"gateway": {}},
        {"gateway": {"k": 2}},
        {"gateway": {"k": 1, "other": 1}},
        {"strangers": 1},
        {"extra_faults": ("the wall is away",)},
    ],
)
def test_whatever_is_lost_doubled_or_invented_shows(change: dict[str, Any]) -> None:
    broken = replace(GOOD, **change)
    assert len(broken.faults) >= 1
    with pytest.raises(AssertionError, match="FAULT"):
        broken.check()


def test_lines_are_counted_by_what_they_say() -> None:
    one = event("L-2026-000001", 1, "case.accepted", AT)
    other = one | {"occurred_at": "2026-03-03T09:00:00+08:00"}
    lines = as_lines([one, one, other, other, event("L-2026-000001", 2, "case.received", AT)])
    account = Account.of([*lines, "{", "{"], centre="530502", windows=None)
    assert account == Account(7, 2, 3, {"conflict": 1, "bad_json": 1})
