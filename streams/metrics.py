"""What the worker, the rule loop and the door count."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Protocol

from prometheus_client import Counter, Gauge, Histogram

from domain.clock import Clock

_FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

# -- worker
EVENTS = Counter("mingjing_worker_events", "Events taken from the log, by what became of them", ["outcome"])
OBSERVATIONS = Counter("mingjing_worker_observations", "Observations of posts and cameras written")
REJECTED = Counter("mingjing_worker_rejected", "Records that became dead letters, by reason", ["code"])
BATCH_SECONDS = Histogram(
    "mingjing_worker_batch_seconds",
    "Seconds from a batch to its commit in the database",
    ["topic"],
    buckets=_FAST,
)
LAG = Gauge("mingjing_worker_lag_records", "Records of the log not yet done", ["topic", "partition"])
PARTITIONS = Gauge("mingjing_worker_partitions", "Partitions this worker reads")
COMMITS = Counter("mingjing_worker_commits", "Commits of offsets")
REBALANCES = Counter("mingjing_worker_rebalances", "Rebalances of the consumer group")
WAITING = Gauge("mingjing_worker_waiting_for_database", "1 while a batch waits because the database is away")

# -- rule loop
TICKS = Counter("mingjing_rules_ticks", "Looks at what is due")
TICK_SECONDS = Histogram(
    "mingjing_rules_tick_seconds", "Seconds one look took, with all it judged", buckets=_FAST
)
JUDGED = Counter("mingjing_rules_judged", "Rows judged")
FAILED = Counter("mingjing_rules_failed", "Rows that could not be judged and were set aside")
FINDINGS = Counter(
    "mingjing_rules_findings", "Changes of findings that were written", ["rule", "severity", "change"]
)
HELD = Gauge("mingjing_rules_held", "1 while cases are held back, by reason", ["reason"])
HELD_SECONDS = Gauge("mingjing_rules_held_seconds", "Seconds for which cases have been held back")
LATE = Gauge(
    "mingjing_rules_look_delay_seconds",
    "Real seconds by which the loop is behind the earliest moment it had to look at",
)


class _Tick(Protocol):
    @property
    def judged(self) -> int: ...
    @property
    def failed(self) -> int: ...
    @property
    def held(self) -> str | None: ...


def note_tick(result: _Tick, seconds: float, held_for: float) -> None:
    """One look of a rule loop."""
    TICKS.inc()
    TICK_SECONDS.observe(seconds)
    JUDGED.inc(result.judged)
    FAILED.inc(result.failed)
    for reason in {*_reasons, *([result.held] if result.held else [])}:
        _reasons.add(reason)
        HELD.labels(reason).set(reason == result.held)
    HELD_SECONDS.set(held_for)


_reasons: set[str] = set()


def note_delay(next_look: datetime | None, now: datetime, clock: Clock) -> None:
    """How far behind a loop is after a look: what was due and is not done.

    Args:
        next_look: the earliest moment that is still to be looked at; a year before 3 says "at once", since when is unknown.
    """
    late = 0.0 if next_look is None or next_look.year < 3 else clock.real_seconds(now - next_look)
    LATE.set(max(0.0, late))


# -- door
REQUESTS = Counter("mingjing_door_requests", "Requests answered, by HTTP status", ["status"])
LINES = Counter("mingjing_door_lines", "Events at the door, by what became of them", ["outcome"])
for _outcome in ("accepted", "refused"):
    LINES.labels(_outcome)
PUBLISH_SECONDS = Histogram(
    "mingjing_door_publish_seconds", "Seconds until the log had what a request brought", buckets=_FAST
)
LOG_FAILS = Gauge("mingjing_door_log_fails", "1 while the log refused the last write")

#: Codes are ours, but anybody may write to a topic: more than this are not told apart.
MOST_CODES = 60
_CODE = re.compile(r"[a-z][a-z0-9_]{0,40}")
_codes: set[str] = set()


def code_label(code: str) -> str:
    """The reason as a label; ``other`` for what is no code of ours or one too many."""
    if code in _codes:
        return code
    if len(_codes) >= MOST_CODES or not _CODE.fullmatch(code):
        return "other"
    _codes.add(code)
    return code
