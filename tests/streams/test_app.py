"""The application itself: how it is built for both brokers, and that it writes to the real store."""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from domain.clock import FakeClock
from domain.errors import CentreFileError, SettingsError
from streams.app import BoundedWorker, create_app
from streams.kafka_transport import Transport as KafkaTransport
from streams.local_transport import Transport, make_address
from streams.publisher import open_publisher
from streams.rejections import rejection
from streams.settings import StreamSettings, load_stream_settings
from streams.topics import CASE_EVENTS, OBSERVATIONS, REJECTED_LINES, TOPICS
from tests.conftest import ROOT
from tests.kafka import looking
from tests.kafka.cluster import KafkaCluster
from tests.streams.fakes import event_bytes
from tests.streams.test_transport import eventually, run_with

NOW = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith("MINGJING_") and name not in ("MINGJING_SHARED", "MINGJING_TEST_DSN"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("MINGJING_DATA", str(tmp_path))


def test_defaults_are_the_embedded_ones(tmp_path: Path) -> None:
    settings = load_stream_settings()
    assert settings.broker_url == make_address(tmp_path / "log.db")
    assert "pg-run" in settings.dsn or "host=" in settings.dsn


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MINGJING_BROKER", "redis://here"),
        ("MINGJING_BROKER", "local:log.db"),
        ("MINGJING_PARTITIONS", "0"),
        ("MINGJING_BATCH_SIZE", "many"),
        ("MINGJING_GROUP", "a b"),
    ],
)
def test_a_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=name if value != "local:log.db" else "broker"):
        load_stream_settings()


def test_a_wrong_database_address_is_said_without_its_password() -> None:
    with pytest.raises(SettingsError, match="MINGJING_DATABASE") as caught:
        create_app(StreamSettings(database="post gres://u:secret@h"))  # type: ignore[arg-type]
    assert "secret" not in str(caught.value)


def test_the_password_may_lie_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MINGJING_DATABASE", "postgresql://u@h/d")
    monkeypatch.setenv("MINGJING_DATABASE_PASSWORD_FILE", str(tmp_path / "password"))
    with pytest.raises(SettingsError, match="PASSWORD_FILE"):
        _ = load_stream_settings().dsn
    (tmp_path / "password").write_text("it's secret\n")
    assert psycopg.conninfo.conninfo_to_dict(load_stream_settings().dsn)["password"] == "it's secret"
    assert "secret" not in repr(load_stream_settings())


def test_a_broken_centre_file_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "centre.yaml").write_text("centre: {nme: x}\n")
    with pytest.raises(CentreFileError):
        create_app(load_stream_settings())


@pytest.mark.parametrize("broker", ["local", "kafka://broker-1:9092;kafka://broker-2:9092"])
def test_the_same_application_is_built_for_both_brokers(broker: str) -> None:
    settings = StreamSettings(broker="" if broker == "local" else broker)
    app = create_app(settings)
    app.finalize()
    if broker == "local":
        assert isinstance(app.transport, Transport)
    else:
        assert [str(url) for url in app.conf.broker_consumer] == [
            "kafka://broker-1:9092",
            "kafka://broker-2:9092",
        ]
        assert isinstance(app.transport, KafkaTransport)
    assert sorted(app.agents) == sorted(TOPICS)
    assert app.conf.Worker is BoundedWorker


def test_two_systems_on_one_cluster_share_neither_topics_nor_group() -> None:
    app = create_app(StreamSettings(broker="kafka://h", topic_prefix="linxi.", instance="hall-2"))
    assert sorted(name for agent in app.agents.values() for name in agent.channel.topics) == sorted(
        f"linxi.{topic}" for topic in TOPICS
    )
    assert (app.conf.id, app.conf.consumer_group_instance_id) == ("linxi.mingjing", "linxi.mingjing-hall-2")


def test_a_copy_has_a_name_that_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "窗口 pc.7")
    assert StreamSettings().instance_name == "1"
    assert StreamSettings(broker="kafka://h").instance_name == "---pc.7"
    assert StreamSettings(broker="kafka://h", instance="b").instance_name == "b"


def test_no_agent_has_more_than_one_actor() -> None:
    # With more, a commit can pass a message still in work.
    assert {agent.concurrency for agent in create_app(load_stream_settings()).agents.values()} == {1}


def test_what_matters_of_faust_s_settings() -> None:
    conf = create_app(load_stream_settings()).conf
    assert conf.broker_commit_interval == 1.0
    assert conf.stream_buffer_maxsize <= 1024
    assert (conf.web_enabled, conf.worker_redirect_stdouts, conf.stream_wait_empty) == (False, False, False)
    assert str(conf.store).startswith("memory:")
    assert conf.processing_guarantee.value == "at_least_once"


def test_importing_the_module_builds_nothing_and_reading_app_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINGJING_BROKER", "nonsense")
    module = importlib.import_module("streams.app")
    vars(module).pop("app", None)
    with pytest.raises(SettingsError):
        _ = module.app
    monkeypatch.delenv("MINGJING_BROKER")
    assert module.app is module.app


@pytest.mark.process
def test_faust_finds_the_application_by_its_module(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "faust", "-A", "streams.app", "agents"]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert found.returncode == 0, found.stderr
    for topic in TOPICS:
        assert topic in found.stdout


@pytest.mark.postgres
def test_from_the_log_into_postgresql(
    tmp_path: Path, database: str, log_kind: str, topic_prefix: str, request: pytest.FixtureRequest
) -> None:
    broker = ""
    if log_kind == "kafka":
        cluster: KafkaCluster = request.getfixturevalue("kafka")
        looking.make_topics(cluster.servers, [topic_prefix + topic for topic in TOPICS], 4)
        broker = cluster.url
    settings = StreamSettings(data=tmp_path, database=database, broker=broker, topic_prefix=topic_prefix)  # type: ignore[arg-type]
    observation = {
        "observation_id": "o1",
        "kind": "post.state",
        "centre": "c",
        "camera": "k1",
        "window": "A07",
        "post": "p1",
        "state": "present",
        "at": NOW.isoformat(),
    }
    with open_publisher(settings.broker_url, prefix=topic_prefix) as publisher:
        publisher.publish(CASE_EVENTS, [(b"c", event_bytes(n)) for n in (1, 2, 3, 1)])
        publisher.publish(CASE_EVENTS, [(b"c", event_bytes(2, case="another")), (b"c", b"nonsense")])
        publisher.publish(OBSERVATIONS, [(b"A07", json.dumps(observation).encode())])
        publisher.publish(
            REJECTED_LINES,
            [(None, rejection(source="door", raw=b"\xff", code="x", reason="r", place="1", at=NOW))],
        )
    app = create_app(settings, clock=FakeClock(NOW))

    def ask(query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(database) as connection:
            return connection.execute(query).fetchall()  # type: ignore[call-overload,no-any-return]

    async def body() -> None:
        await eventually(
            lambda: len(ask("select from dead_letter")) == 3 and ask("select from observation") != []
        )
        await eventually(lambda: ask("select from heartbeat where role = 'worker'") != [])

    asyncio.run(run_with(app, body))
    assert ask("select event_id, case_id from event order by 1") == [("e1", "c1"), ("e2", "c2"), ("e3", "c3")]
    assert ask("select code, raw from dead_letter order by 1")[0][0] == "bad_json"
    assert {code for (code,) in ask("select code from dead_letter")} == {"bad_json", "conflict", "x"}
    assert ask("select instance from heartbeat where role = 'worker'") == [(settings.instance_name,)]
