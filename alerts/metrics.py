"""What senders count, and what waits in the outbox."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import Counter, Histogram
from prometheus_client.metrics_core import GaugeMetricFamily, Metric

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
#: channel: the one by which a message goes on.
NEXT_CHANNEL = Counter(
    "mingjing_next_channel", "Messages that go on by another channel because one did not bring them", ["channel"]
)

# What is held back on purpose (a correction, a pause the gateway asked for) is not late before its moment.
_WAITING = """
select channel, count(*)::float8, count(*) filter (where state = 'leased')::float8,
       coalesce(extract(epoch from max(now() - case when attempts = 0 and next_try_at > give_up_at - %(span)s
            then least(next_try_at, now()) else give_up_at - %(span)s end)), 0)::float8
from outbox where state in ('ready', 'leased') group by channel
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
