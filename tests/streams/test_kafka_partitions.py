"""Both kinds of log put a key on the same partition: here a real broker holds what the publisher sent."""

from __future__ import annotations

import pytest

from streams.local_transport import partition_for
from streams.publisher import open_publisher
from tests.kafka import looking
from tests.kafka.cluster import KafkaCluster

pytestmark = [pytest.mark.kafka, pytest.mark.process]

KEYS = [f"窗口{n}".encode() for n in range(60)] + [b"530502/A07", b"", b"x" * 300]


def test_keys_lie_where_the_local_log_would_put_them(kafka: KafkaCluster) -> None:
    looking.make_topics(kafka.servers, ["same.t"], 12)
    with open_publisher(kafka.url, prefix="same.") as publisher:
        publisher.publish("t", [(key, b"v") for key in KEYS] + [(None, b"anywhere")])
    found = looking.records(kafka.servers, "same.t")
    assert sum(map(len, found.values())) == len(KEYS) + 1
    lies = {key: number for number, rows in found.items() for key, _ in rows if key is not None}
    assert lies == {key: partition_for(key, 12) for key in KEYS}
    assert len(set(lies.values())) > 6
