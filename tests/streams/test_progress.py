"""What is left to store, as a worker's heartbeat tells the rule loop."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP

from streams.progress import Progress

ONE = TP("case-events", 0)


def lag(end: int | None, committed: int | None, acked: list[int], started_at: int = 0) -> Any:
    consumer = SimpleNamespace(
        assignment=lambda: {ONE},
        known_end=lambda tp: end,
        next_offset=lambda tp: started_at,
        topic_partitions=lambda topic: 4,
        _committed_offset={ONE: committed},
        _acked={ONE: acked},
    )
    app = SimpleNamespace(consumer=consumer, rebalancing=False, rebalancing_count=0)
    return Progress(app, "case-events").detail()["lag"]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("end", "committed", "acked", "left"),
    [
        (100, 40, [], 60),
        (100, 40, [40, 41, 42], 57),  # stored, and committed with the next second
        (100, 40, [99], 0),
        (100, None, [], 100),
        (100, None, [0, 1], 98),
        (None, 40, [], 0),  # an end that nobody knows is told by the partitions that are read
    ],
)
def test_what_is_stored_is_no_backlog_though_its_commit_is_to_come(
    end: int | None, committed: int | None, acked: list[int], left: int
) -> None:
    assert lag(end, committed, acked) == left
