"""Apache Kafka for tests of every room: one broker a session, and whole clusters for tests that break them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NoReturn

import pytest

from tests.kafka.cluster import KafkaCluster
from tests.kafka.jars import NoKafka, broker_jars


@pytest.fixture(scope="session")
def _kafka_jars() -> None:
    try:
        broker_jars()
    except NoKafka as reason:
        _give_up(str(reason))


def _give_up(reason: str) -> NoReturn:
    if os.environ.get("CI"):
        pytest.fail(f"{reason}; .ci/run is to install what brokers need")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def kafka(_kafka_jars: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaCluster]:
    """One broker for the whole session. Tests leave it running and use names of their own (:func:`topic_prefix`)."""
    with KafkaCluster(tmp_path_factory.mktemp("kafka") / "cluster") as cluster:
        yield cluster


@pytest.fixture
def kafka_cluster(_kafka_jars: None, tmp_path: Path) -> Iterator[Callable[..., KafkaCluster]]:
    """Starts a cluster for one test: ``kafka_cluster(3)``, ``kafka_cluster(security="SASL_SSL")``."""
    with ExitStack() as stack:

        def start(brokers: int = 1, **settings: Any) -> KafkaCluster:
            folder = tmp_path / f"kafka-{len(list(tmp_path.glob('kafka-*')))}"
            return stack.enter_context(KafkaCluster(folder, brokers, **settings))

        yield start


@pytest.fixture
def topic_prefix(request: pytest.FixtureRequest) -> str:
    """A prefix of topics and groups that no other test uses."""
    return f"t{abs(hash(request.node.nodeid)) % 10**10}."
