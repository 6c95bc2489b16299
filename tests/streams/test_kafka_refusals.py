"""A broker that asks who is there (TLS, passwords, rights) and would make topics by itself: what it refuses is said in one
sentence, soon; and nobody of ours makes it make a topic."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psycopg
import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Array, Int8, Int16, Int32, Schema, String

from domain.errors import LogError, LogRefusedError, MessagesRefusedError
from streams.kafka_admin import KafkaAdmin, wait_for_kafka
from streams.kafka_publisher import KafkaPublisher
from streams.kafka_security import KafkaSecurity
from streams.topic_plan import TopicPlan, TopicState, compare, plan_topics
from tests.kafka import cluster as kafka
from tests.kafka.cluster import KafkaCluster
from tests.streams.fakes import event_bytes
from tests.streams.house import eventually

pytestmark = [pytest.mark.kafka, pytest.mark.process]

#: Any of the refusals below within this; a hang would take 20 to 40 s.
SOON = 5.0


DESCRIBE, ALL = 8, 2


class CreateAclsResponse(Response):
    API_KEY, API_VERSION = 30, 1
    SCHEMA = Schema(("throttle", Int32), ("results", Array(("code", Int16), ("message", String("utf-8")))))


class CreateAclsStruct(RequestStruct):
    API_KEY, API_VERSION, RESPONSE_TYPE = 30, 1, CreateAclsResponse
    SCHEMA = Schema(
        (
            "creations",
            Array(
                ("resource_type", Int8),
                ("resource_name", String("utf-8")),
                ("pattern_type", Int8),
                ("principal", String("utf-8")),
                ("host", String("utf-8")),
                ("operation", Int8),
                ("permission", Int8),
            ),
        )
    )


class CreateAcls(Request[CreateAclsStruct]):
    """Kafka's request to add rights, which aiokafka does not have."""

    API_KEY = 30

    def __init__(self, rights: Sequence[tuple[str, int, str]]) -> None:
        self._rights = rights

    def build(self, struct: type[CreateAclsStruct]) -> CreateAclsStruct:
        topic, literal, allowed = 2, 3, 3
        return struct(
            [(topic, name, literal, f"User:{user}", "*", to, allowed) for user, to, name in self._rights]
        )


class Guarded(KafkaCluster):
    """With rights: everything is allowed to everybody except the topics ``read-only`` and ``forbidden``."""

    def allow(self, *rights: tuple[str, int, str]) -> None:
        """(user, operation, topic); nobody else has a right on that topic then."""

        async def ask() -> None:
            async with KafkaAdmin(self.plain_servers) as admin:
                answer = await admin._client._send_request(CreateAcls(rights))
                assert all(code == 0 for code, _ in answer.results), answer

        asyncio.run(ask())

    def topics(self) -> set[str]:
        """As seen from the inside."""

        async def ask() -> set[str]:
            async with KafkaAdmin(self.plain_servers) as admin:
                return set(await admin._client.list_topics())

        return {name for name in asyncio.run(ask()) if not name.startswith("__")}


@pytest.fixture(scope="module")
def guarded(_kafka_jars: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    with pytest.MonkeyPatch.context() as patch:
        authorizer = "org.apache.kafka.metadata.authorizer.StandardAuthorizer"
        for name, value in {
            "auto.create.topics.enable": "true",
            "authorizer.class.name": authorizer,
            "allow.everyone.if.no.acl.found": "true",
            "super.users": "User:ANONYMOUS",
            "listener.name.clients.ssl.client.auth": "required",
        }.items():
            patch.setitem(kafka.SETTINGS, name, value)
        with Guarded(tmp_path_factory.mktemp("guarded") / "cluster", security="SASL_SSL") as cluster:
            asyncio.run(make(cluster, "open", "read-only", "forbidden", small={"max.message.bytes": "2000"}))
            cluster.allow(("mingjing", DESCRIBE, "read-only"), ("somebody", ALL, "forbidden"))
            (cluster.folder / "password").write_text(cluster.password + "\n", "utf-8")
            (cluster.folder / "wrong").write_text("not it", "utf-8")
            yield cluster


async def make(cluster: KafkaCluster, *names: str, **more: dict[str, str]) -> None:
    plans = [TopicPlan(name, 2, 1, {}) for name in names]
    plans += [TopicPlan(name, 2, 1, settings) for name, settings in more.items()]
    async with KafkaAdmin(cluster.plain_servers) as admin:
        await admin.create(plans)


def security(cluster: KafkaCluster, **changes: Any) -> KafkaSecurity:
    assert cluster.certificates is not None
    given: dict[str, Any] = {
        "protocol": "sasl_ssl",
        "username": cluster.username,
        "password_file": cluster.folder / "password",
        "ca_file": cluster.certificates.ca,
        "certificate_file": cluster.certificates.client,
        "key_file": cluster.certificates.client_key,
    }
    return KafkaSecurity(**(given | changes))


def publisher(cluster: KafkaCluster, **changes: Any) -> KafkaPublisher:
    return KafkaPublisher(cluster.servers, security=security(cluster, **changes))


def read(cluster: KafkaCluster, topic: str) -> list[bytes]:
    async def ask() -> list[bytes]:
        consumer = AIOKafkaConsumer(
            topic, bootstrap_servers=cluster.plain_servers, auto_offset_reset="earliest"
        )
        await consumer.start()
        try:
            ends = await consumer.end_offsets(consumer.assignment())
            found: list[bytes] = []
            while len(found) < sum(ends.values()):
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    found += [record.value for record in records]
            return found
        finally:
            await consumer.stop()

    return asyncio.run(ask())


@contextlib.contextmanager
def refused(words: str) -> Iterator[None]:
    """In one sentence with these words, and soon."""
    started = time.monotonic()
    with pytest.raises(LogRefusedError, match=words) as caught:
        yield
    assert time.monotonic() - started < SOON
    assert "\n" not in str(caught.value)
    assert kafka.PASSWORD not in str(caught.value)


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", None])
def test_the_right_password_is_let_in(guarded: Guarded, mechanism: str | None) -> None:
    value = f"by {mechanism}".encode()
    with publisher(guarded, mechanism=mechanism) as door:
        door.publish("open", [(b"k", value)])
    assert value in read(guarded, "open")


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-512"])
def test_a_wrong_password_is_said(guarded: Guarded, mechanism: str) -> None:
    wrong = {"mechanism": mechanism, "password_file": guarded.folder / "wrong"}
    with publisher(guarded, **wrong) as door, refused(r"does not know user 'mingjing' .*PASSWORD_FILE"):
        door.publish("open", [(b"k", b"v")])


def test_a_mended_password_file_counts_without_a_restart(guarded: Guarded, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("not yet")
    secured = security(guarded, password_file=file)
    with KafkaPublisher(guarded.servers, security=secured, away=0.0) as door:
        with refused("does not know"):
            door.publish("open", [(b"k", b"v")])
        file.write_text(guarded.password)
        door.publish("open", [(b"k", b"mended")])
    assert b"mended" in read(guarded, "open")


def test_a_certificate_of_another_authority_is_said(guarded: Guarded) -> None:
    assert guarded.certificates is not None
    with publisher(guarded, ca_file=guarded.certificates.stranger_ca) as door, refused("KAFKA_CA_FILE"):
        door.publish("open", [(b"k", b"v")])


def test_a_certificate_of_ours_that_is_missing_or_strange_is_said(guarded: Guarded) -> None:
    assert guarded.certificates is not None
    strange = guarded.certificates.stranger_ca
    for files, words in (
        (
            {"certificate_file": None, "key_file": None},
            "asks for a certificate of ours: MINGJING_KAFKA_CERTIFICATE",
        ),
        (
            {"certificate_file": strange, "key_file": strange.with_suffix(".key")},
            "does not accept MINGJING_KAFKA_CER",
        ),
    ):
        with publisher(guarded, **files) as door, refused(words):
            door.publish("open", [(b"k", b"v")])


def test_the_name_of_the_host_is_checked_unless_told_otherwise(guarded: Guarded) -> None:
    assert guarded.certificates is not None
    # The certificate is for 127.0.0.1 and localhost; this is another name of the same listener.
    servers = [guarded.servers[0].replace("127.0.0.1", "0.0.0.0")]
    for check, expected in ((True, refused("another host")), (False, contextlib.nullcontext())):
        with expected:
            wait_for_kafka(servers, security(guarded, check_hostname=check), [], threading.Event())


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"protocol": "plaintext"}, "speaks TLS, but MINGJING_KAFKA_SECURITY=plaintext"),
        ({"protocol": "ssl"}, "asks for a password"),
    ],
)
def test_speaking_another_way_than_the_broker_is_said(
    guarded: Guarded, given: dict[str, str], words: str
) -> None:
    assert guarded.certificates is not None
    if given["protocol"] == "ssl":
        given = {
            "ca_file": guarded.certificates.ca,
            "certificate_file": guarded.certificates.client,
            "key_file": guarded.certificates.client_key,
            **given,
        }
    with KafkaPublisher(guarded.servers, security=KafkaSecurity(**given)) as door, refused(words):
        door.publish("open", [(b"k", b"v")])


def test_tls_and_passwords_to_a_plain_broker_are_said(guarded: Guarded) -> None:
    for protocol, words in (("sasl_ssl", "does not speak TLS"), ("sasl_plaintext", "asks for no password")):
        files = {} if protocol == "sasl_ssl" else dict.fromkeys(("ca_file", "certificate_file", "key_file"))
        plain = security(guarded, protocol=protocol, **files)
        with KafkaPublisher(guarded.plain_servers, security=plain) as door, refused(words):
            door.publish("open", [(b"k", b"v")])


def test_a_missing_topic_is_said_and_not_made(guarded: Guarded) -> None:
    before = guarded.topics()
    with publisher(guarded) as door:
        for _ in range(2):
            with refused("no topic 'case-evnets': `mingjing topics create`"):
                door.publish("case-evnets", [(b"k", b"v")])
        with refused("no topic"):
            wait_for_kafka(guarded.servers, security(guarded), ["open", "observatoins"], threading.Event())
    # This very broker makes a topic for whoever merely asks for it:
    assert guarded.topics() == before
    with contextlib.suppress(Exception):
        read(guarded, "asked-for")
    assert "asked-for" in guarded.topics()


def test_a_topic_without_the_right_to_write_or_to_see_is_said(guarded: Guarded) -> None:
    with publisher(guarded) as door:
        for topic in ("read-only", "forbidden"):
            with refused(f"use topic '{topic}'"):
                door.publish(topic, [(b"k", b"v")])
        door.publish("open", [(b"k", b"after the refusals")])
    assert b"after the refusals" in read(guarded, "open")


def test_a_message_too_large_for_its_topic_is_refused_for_good_and_the_next_ones_pass(
    guarded: Guarded,
) -> None:
    large = os.urandom(4000)  # which no compression makes smaller
    with publisher(guarded) as door:
        door.publish("small", [(b"k", b"before")])
        started = time.monotonic()
        with pytest.raises(MessagesRefusedError) as caught:
            door.publish("small", [(b"k", b"beside"), (b"k", large), (b"k", b"behind")])
        assert list(caught.value.reasons) == [1]
        assert "topic 'small' takes fewer" in caught.value.reasons[1]
        with pytest.raises(MessagesRefusedError, match="a request may have 4,194,304"):
            door.publish("small", [(b"k", b"x" * 5_000_000)])
        door.publish("small", [(b"k", b"after")])
        assert time.monotonic() - started < SOON
    assert {b"before", b"beside", b"behind", b"after"} == set(read(guarded, "small"))


def test_a_worker_that_may_makes_the_topics_as_they_were_planned(guarded: Guarded) -> None:
    plans = plan_topics(partitions=3, replication=1, prefix="made.")
    names = [plan.name for plan in plans]
    for _ in range(2):
        wait_for_kafka(guarded.servers, security(guarded), names, threading.Event(), make=plans)

    async def ask() -> dict[str, TopicState]:
        async with KafkaAdmin(guarded.plain_servers) as admin:
            return await admin.topics(names)

    found = asyncio.run(ask())
    assert not [each for plan in plans for each in compare(plan, found[plan.name], guarded.servers)]


def test_a_worker_that_waits_for_kafka_can_be_stopped(guarded: Guarded) -> None:
    stop, said = threading.Event(), []

    def wait() -> None:
        try:
            wait_for_kafka(["127.0.0.1:1"], KafkaSecurity(), [], stop, pause=0.01)
        except LogError as error:
            said.append(error)

    waiting = threading.Thread(target=wait)
    waiting.start()
    waiting.join(0.2)
    assert waiting.is_alive()
    stop.set()
    waiting.join(5)
    assert not waiting.is_alive()
    assert not said


# -- the whole way: publish, a real worker, PostgreSQL


def worker_environ(cluster: Guarded, folder: Path, database: str, **more: str) -> dict[str, str]:
    assert cluster.certificates is not None
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MINGJING_")}
    given = {
        "DATA": folder,
        "BROKER": cluster.url,
        "DATABASE": database,
        "TOPIC_PREFIX": "whole.",
        "DECLARE_TOPICS": "false",
        "LOG_LEVEL": "DEBUG",
        "KAFKA_SECURITY": "SASL_SSL",
        "KAFKA_SASL_MECHANISM": "PLAIN",
        "KAFKA_USERNAME": cluster.username,
        "KAFKA_PASSWORD_FILE": cluster.folder / "password",
        "KAFKA_CA_FILE": cluster.certificates.ca,
        "KAFKA_CERTIFICATE_FILE": cluster.certificates.client,
        "KAFKA_KEY_FILE": cluster.certificates.client_key,
    }
    return clean | {f"MINGJING_{name}": str(value) for name, value in (given | more).items()}


def mingjing(*words: str) -> list[str]:
    return [sys.executable, "-m", "mingjing", *words]


@pytest.mark.postgres
def test_events_come_to_the_database_over_tls_and_a_password_and_no_topic_makes_itself(
    guarded: Guarded, database: str, tmp_path: Path
) -> None:
    environ = worker_environ(guarded, tmp_path, database)
    (tmp_path / "centre.yaml").write_text("centre: {id: '1', name: x}\nwindows: [{id: A01}]\n")
    before = guarded.topics()
    refused = subprocess.run(
        mingjing("run", "worker"), env=environ, capture_output=True, text=True, timeout=30
    )
    assert refused.returncode == 2
    last = refused.stderr.splitlines()[-1]
    assert last.startswith("mingjing: Kafka has no topic 'whole.")
    assert "`mingjing topics create`" in last
    assert guarded.topics() == before
    made = subprocess.run(
        mingjing("topics", "create"), env=environ, capture_output=True, text=True, timeout=30
    )
    assert made.returncode == 0, made.stdout + made.stderr
    with (tmp_path / "worker.log").open("wb") as out:
        worker = subprocess.Popen(mingjing("run", "worker"), env=environ, stdout=out, stderr=out)
    try:
        file = tmp_path / "events.jsonl"
        file.write_bytes(b"\n".join(event_bytes(number) for number in range(120)))
        sent = subprocess.run(
            mingjing("send", str(file)), env=environ, capture_output=True, text=True, timeout=30
        )
        assert (sent.returncode, sent.stdout.split()[0]) == (0, "120"), sent.stderr
        with psycopg.connect(database, autocommit=True) as connection:

            def stored() -> bool:
                assert worker.poll() is None, (tmp_path / "worker.log").read_text()[-2000:]
                row = connection.execute("select count(*), count(distinct event_id) from event").fetchone()
                return row == (120, 120)

            eventually(stored)
    finally:
        worker.terminate()
        assert worker.wait(15) == 0
    prefixed = {"whole.case-events", "whole.observations", "whole.rejected-lines"}
    assert guarded.topics() == before | prefixed
    said = refused.stderr + made.stdout + sent.stderr + (tmp_path / "worker.log").read_text()
    assert "DEBUG" in said
    assert 'pass "word"' not in said  # however the rest of it would be written


@pytest.mark.postgres
def test_a_worker_with_a_wrong_password_ends_soon_with_one_sentence(
    guarded: Guarded, database: str, tmp_path: Path
) -> None:
    environ = worker_environ(guarded, tmp_path, database, KAFKA_PASSWORD_FILE=str(guarded.folder / "wrong"))
    for words in (("run", "worker"), ("topics", "check")):
        done = subprocess.run(mingjing(*words), env=environ, capture_output=True, text=True, timeout=20)
        assert done.returncode == 2, done.stderr
        last = done.stderr.splitlines()[-1]
        assert last.startswith("mingjing: Kafka at 127.0.0.1:")
        assert "does not know user 'mingjing'" in last
        assert "Traceback" not in done.stderr
