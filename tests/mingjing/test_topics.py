"""`mingjing topics` on a real broker: what is missing is made, what differs is said with its mend, nothing else changes."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from click.testing import Result
from typer.testing import CliRunner

from domain.errors import LogError, LogRefusedError, SettingsError
from mingjing import topics
from streams.kafka_admin import KafkaAdmin
from streams.topic_plan import RETENTION_DAYS, TIERS, TopicState, compare, plan_topics
from streams.topics import TOPICS
from tests.kafka.cluster import KafkaCluster


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch, topic_prefix: str) -> Callable[..., Result]:
    for name in list(os.environ):
        if name.startswith("MINGJING_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("MINGJING_TOPIC_PREFIX", topic_prefix)
    return lambda *words: CliRunner().invoke(topics.app, list(words))


@pytest.fixture
def on_kafka(
    called: Callable[..., Result], kafka: KafkaCluster, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Result]:
    monkeypatch.setenv("MINGJING_BROKER", kafka.url)
    return called


def states(kafka: KafkaCluster, prefix: str) -> dict[str, TopicState]:
    async def ask() -> dict[str, TopicState]:
        async with KafkaAdmin(kafka.servers) as admin:
            return await admin.topics(prefix + topic for topic in TOPICS)

    return asyncio.run(ask())


def make(kafka: KafkaCluster, topic: str, partitions: int, **settings: str) -> None:
    async def ask() -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=kafka.servers)
        await admin.start()
        new = NewTopic(
            topic, partitions, 1, topic_configs={k.replace("_", "."): v for k, v in settings.items()}
        )
        await admin.create_topics([new])
        await admin.close()

    asyncio.run(ask())


# -- plans, without a broker


def test_three_copies_need_two_of_them_in_step() -> None:
    for name, tier in TIERS.items():
        for plan in plan_topics(name, partitions=1, replication=1):
            assert (plan.partitions, plan.replication) == (tier.partitions, tier.replication)
            assert plan.settings["min.insync.replicas"] == ("2" if tier.replication >= 3 else "1")


def test_a_holiday_of_seven_days_fits_into_the_log() -> None:
    assert min(RETENTION_DAYS.values()) > 7


def test_an_unknown_tier_names_those_there_are(called: Callable[..., Result]) -> None:
    error = called("check", "--tier", "village").exception
    assert isinstance(error, SettingsError)
    assert "province" in str(error)


def test_more_than_planned_is_no_fault() -> None:
    plan = plan_topics("one", partitions=1, replication=1)[0]
    assert not list(compare(plan, TopicState(plan.name, 99, 5, plan.settings), ["h:1"]))


def test_the_local_log_needs_nothing(called: Callable[..., Result]) -> None:
    for command in ("create", "check", "list"):
        result = called(command)
        assert result.exit_code == 0
        assert "nothing needs to be done" in result.stdout


def test_a_kafka_that_is_away_is_said(called: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINGJING_BROKER", "kafka://127.0.0.1:1")
    error = called("check").exception
    assert isinstance(error, LogError)
    assert "127.0.0.1:1 (connection refused)" in str(error)
    assert error.exit_status == 1


# -- on a real broker


@pytest.mark.kafka
def test_missing_topics_are_made_and_a_second_time_nothing_happens(
    on_kafka: Callable[..., Result], kafka: KafkaCluster, topic_prefix: str
) -> None:
    assert on_kafka("check", "--tier", "one").exit_code == topics.DIFFERS
    assert not states(kafka, topic_prefix)  # asking for them made none
    first = on_kafka("create", "--tier", "one")
    assert first.exit_code == 0, first.stdout
    assert first.stdout.count("made, 4 partitions × 1 copies") == len(TOPICS)
    found = states(kafka, topic_prefix)
    for plan in plan_topics("one", partitions=1, replication=1, prefix=topic_prefix):
        assert plan.settings.items() <= found[plan.name].settings.items()
    again = on_kafka("create")
    assert (again.exit_code, "made" in again.stdout) == (0, False)
    assert states(kafka, topic_prefix) == found
    assert on_kafka("check").exit_code == 0
    assert "retention.ms=2592000000" in on_kafka("list").stdout


@pytest.mark.kafka
def test_what_differs_is_said_with_its_mend_and_left_alone(
    on_kafka: Callable[..., Result], kafka: KafkaCluster, topic_prefix: str
) -> None:
    name = topic_prefix + "case-events"
    make(kafka, name, 2, cleanup_policy="compact")
    result = on_kafka("create", "--partitions", "3")
    assert result.exit_code == 0  # the topics are there: nothing is in the way of a start
    assert on_kafka("check", "--partitions", "3").exit_code == topics.DIFFERS
    assert f"✗ {name}: partitions is 2, not 3; `mingjing topics create --raise-partitions`" in result.stdout
    assert (
        f"✗ {name}: cleanup.policy is compact, not delete; kafka-configs.sh --bootstrap-server"
        in result.stdout
    )
    found = states(kafka, topic_prefix)
    assert {state.partitions for state in found.values()} == {2, 3}
    assert found[name].settings["cleanup.policy"] == "compact"


@pytest.mark.kafka
def test_partitions_are_raised_only_when_asked_and_with_a_warning(
    on_kafka: Callable[..., Result], kafka: KafkaCluster, topic_prefix: str
) -> None:
    assert on_kafka("create", "--partitions", "2").exit_code == 0
    result = on_kafka("create", "--partitions", "5", "--raise-partitions")
    assert result.exit_code == 0, result.stdout
    assert result.stdout.count("! ") == len(TOPICS)
    assert "from 2 to 5 partitions" in result.stdout
    assert {state.partitions for state in states(kafka, topic_prefix).values()} == {5}


@pytest.mark.kafka
def test_more_copies_than_brokers_are_refused_with_the_number(
    on_kafka: Callable[..., Result], kafka: KafkaCluster, topic_prefix: str
) -> None:
    error = on_kafka("create", "--tier", "province").exception
    assert isinstance(error, LogRefusedError)
    assert "cannot have 3 copies: 1 brokers are there" in str(error)
    assert not states(kafka, topic_prefix)
