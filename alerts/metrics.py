"""What senders count, and what waits in the outbox."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from prometheus_client import Counter, Histogram
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric

from alerts.states import GIVE_UP_AFTER
from store import Connection

#: outcome: sent | later (tried again) | dead (given up) | next (goes on by another channel) | lost (another sender had taken it over)
MESSAGES = Counter(
    "mingjing_sender_messages", "Outcomes of messages a sender had in hand", ["channel", "outcome"]
)
SECONDS = Histogram(
    "mingjing_sender_send_seconds",
    "Seconds one message took at the gateway",
    ["channel"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
#: outcome: delivered | undelivered | unknown, each counted once a message; unmatched (belongs to no message known so far)
RECEIPTS = Counter("mingjing_receipts", "What gateways said became of messages", ["channel", "outcome"])
#: part: escalation | release | digest
ROUNDS_FAILED = Counter(
    "mingjing_rounds_failed",
    "Times that a part of what comes later (reminders, what waits, digests) failed as a whole",
    ["part"],
)
for _part in ("escalation", "release", "digest"):
    # A series that begins with its first failure hides that failure from every increase().
    ROUNDS_FAILED.labels(_part)
#: channel: the one by which a message goes on.
NEXT_CHANNEL = Counter(
    "mingjing_next_channel",
    "Messages that go on by another channel because one did not bring them",
    ["channel"],
)

# What is held back on purpose (a correction, a pause the gateway asked for) is not late before its moment.
_WAITING = """
select channel, count(*)::float8, count(*) filter (where state = 'leased')::float8,
       coalesce(extract(epoch from max(now() - case when attempts = 0 and next_try_at > give_up_at - %(span)s
            then least(next_try_at, now()) else give_up_at - %(span)s end)), 0)::float8
from outbox where state in ('ready', 'leased') group by channel
"""

_HELD = "select coalesce(reason, ''), count(*)::float8 from outbox where state = 'held' group by 1"
_OFF = "select channel, extract(epoch from clock_timestamp() - off_since)::float8 from channel_state"
_TROUBLES = """
select detail ->> 'kind', detail ->> 'about', extract(epoch from clock_timestamp() - since)::float8 from trouble
where times > 0
"""

_FATES = """
select channel, state, count(*)::float8 from outbox
where handed_at > now() - interval '1 day' and state in ('sent', 'delivered', 'undelivered', 'unknown') group by 1, 2
"""


def outbox_families(connection: Connection) -> Iterator[Metric]:
    """Messages that wait, by channel, and what became of those of the last day."""
    waiting = GaugeMetricFamily("mingjing_outbox_waiting", "Messages not yet handed over", labels=["channel"])
    leased = GaugeMetricFamily(
        "mingjing_outbox_leased", "Of these, in the hands of a sender", labels=["channel"]
    )
    oldest = GaugeMetricFamily(
        "mingjing_outbox_oldest_waiting_seconds",
        "Real seconds the longest waiting message has waited",
        labels=["channel"],
    )
    for channel, count, held, waited in connection.execute(_WAITING, {"span": GIVE_UP_AFTER}):
        waiting.add_metric([channel], count)
        leased.add_metric([channel], held)
        oldest.add_metric([channel], max(waited, 0.0))
    fates = GaugeMetricFamily(
        "mingjing_outbox_day",
        "Messages handed over within 24 real hours, by what became of them",
        labels=["channel", "state"],
    )
    for channel, state, count in connection.execute(_FATES):
        fates.add_metric([channel, state], count)
    yield from (waiting, leased, oldest, fates)
    yield from _trouble_families(connection)


def _trouble_families(connection: Connection) -> Iterator[Metric]:
    """What is held back, which channels are off, what is wrong with the messages themselves."""
    held = GaugeMetricFamily(
        "mingjing_outbox_held", "Messages that wait for a moment of the system's clock", labels=["reason"]
    )
    for reason, count in connection.execute(_HELD):
        held.add_metric([reason], count)
    off = GaugeMetricFamily(
        "mingjing_channel_off_seconds", "Real seconds for which a channel has been off", labels=["channel"]
    )
    for channel, seconds in connection.execute(_OFF):
        off.add_metric([channel], seconds)
    troubles = GaugeMetricFamily(
        "mingjing_trouble_seconds",
        "Real seconds for which something has been wrong with the messages; part: the channel or process",
        labels=["kind", "part"],
    )
    for kind, part, seconds in connection.execute(_TROUBLES):
        troubles.add_metric([kind, part], seconds)
    yield from (held, off, troubles)


class HookCollector:
    """What hooks count that keep a line of their own (SMPP).

    Args:
        hooks: channel → hook; those without ``counts`` are left out.
    """

    def __init__(self, hooks: Mapping[str, object]) -> None:
        self._hooks = hooks

    def collect(self) -> Iterator[Metric]:
        family = CounterMetricFamily(
            "mingjing_sender_heard", "What came over a gateway's own line", labels=["channel", "outcome"]
        )
        for channel, hook in self._hooks.items():
            for outcome, count in dict(getattr(hook, "counts", {})).items():
                family.add_metric([channel, outcome], count)
        yield family

    def describe(self) -> Iterator[Metric]:
        return iter(())
