"""What the worker, the rule loop and the door count."""

from __future__ import annotations

import re

from prometheus_client import Counter, Gauge, Histogram

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

# -- door
REQUESTS = Counter("mingjing_door_requests", "Requests answered, by HTTP status", ["status"])
LINES = Counter("mingjing_door_lines", "Events at the door, by what became of them", ["outcome"])
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
