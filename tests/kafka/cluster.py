"""Real Apache Kafka brokers on loopback for tests: one or three, each its own controller too (KRaft, no ZooKeeper)."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import shutil
import signal
import socket
import subprocess
import time
import uuid
from base64 import urlsafe_b64encode
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal, Self

from tests.kafka.certificates import Certificates, make_certificates
from tests.kafka.jars import broker_jars

Security = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]

#: The user that clients of a cluster with SASL may use, with PLAIN and both kinds of SCRAM.
USERNAME, PASSWORD = "mingjing", "pass-word-1"
READY_SECONDS = 60.0
_PR_SET_PDEATHSIG = 1

#: Small, and quick to start and to notice a dead broker; what is not here is Kafka's own default.
SETTINGS = {
    "process.roles": "broker,controller",
    "controller.listener.names": "CONTROLLERS",
    "inter.broker.listener.name": "BROKERS",
    "auto.create.topics.enable": "false",
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "500",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.num.partitions": "2",
    "share.coordinator.state.topic.num.partitions": "1",
    "num.network.threads": "2",
    "num.io.threads": "2",
    "log.cleaner.dedupe.buffer.size": "4194304",
    "log.cleaner.io.buffer.size": "131072",
    "log.index.size.max.bytes": "1048576",
    "controller.quorum.election.timeout.ms": "500",
    "controller.quorum.fetch.timeout.ms": "1000",
    "controller.quorum.election.backoff.max.ms": "300",
    "broker.heartbeat.interval.ms": "300",
    "broker.session.timeout.ms": "3000",
    "unclean.leader.election.enable": "false",
    "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
    "listener.name.clients.ssl.client.auth": "requested",
    "ssl.keystore.type": "PEM",
    "ssl.truststore.type": "PEM",
}
JVM = [
    "-Xmx256m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Xshare:auto",
    "-Djava.awt.headless=true",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
]


class KafkaCluster:
    """Brokers that live as long as the ``with`` block.

    Brokers are counted from 0. Data, settings and output of each are in ``folder/0`` …; whatever kills this process
    takes the brokers along.

    Args:
        folder: made if absent; a cluster started again in it finds nothing of the one before.
        brokers: 1 or 3 (more for curiosity).
        security: of the listener for clients; brokers speak plainly among themselves.
        java: the program.

    Raises:
        NoKafka: Java or Maven is missing.
    """

    def __init__(
        self, folder: Path, brokers: int = 1, *, security: Security = "PLAINTEXT", java: str = "java"
    ) -> None:
        self.folder, self.count, self.security, self._java = folder, brokers, security, java
        self._classpath = str(broker_jars() / "*")
        self.username, self.password = USERNAME, PASSWORD
        self.certificates: Certificates | None = None
        self._processes: list[subprocess.Popen[bytes] | None] = [None] * brokers
        self._paused: set[int] = set()
        # A child with PDEATHSIG dies with the thread that started it: this one lives as long as the cluster.
        self._starter = ThreadPoolExecutor(1, thread_name_prefix="kafka-starter")
        self._libc = ctypes.CDLL(None)

    # -- where it is ---------------------------------------------------------------------------------------------------

    @property
    def servers(self) -> list[str]:
        """``host:port`` of each broker, for clients."""
        return [f"127.0.0.1:{port}" for port, _, _ in self._ports]

    @property
    def url(self) -> str:
        """All brokers as Faust and ``MINGJING_BROKER`` write them."""
        return "kafka://" + ";".join(self.servers)

    @property
    def plain_servers(self) -> list[str]:
        """The listeners without security on which brokers talk to each other; for looking from outside."""
        return [f"127.0.0.1:{port}" for _, port, _ in self._ports]

    def output(self, broker: int = 0) -> str:
        """What a broker has said."""
        return (self.folder / str(broker) / "output.log").read_text("utf-8", "replace")

    # -- life ----------------------------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        try:
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder.mkdir(parents=True)
            self._ports = _free_ports(self.count)
            if self.security.endswith("SSL"):
                self.certificates = make_certificates(self.folder / "certificates")
            for broker in range(self.count):
                self._write_settings(broker)
            self._format()
            for broker in range(self.count):
                self.start(broker, wait=False)
            self.wait_ready()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        for broker in range(self.count):
            self.kill(broker)
        self._starter.shutdown()

    # -- what drills do ------------------------------------------------------------------------------------------------

    def start(self, broker: int, *, wait: bool = True) -> None:
        """Starts a broker that is down, with the port and data it had."""
        assert self._running(broker) is None, f"broker {broker} runs"
        home = self.folder / str(broker)
        command = [self._java, *JVM, "-cp", self._classpath, "kafka.Kafka", str(home / "server.properties")]
        with (home / "output.log").open("ab") as output:
            self._processes[broker] = self._starter.submit(
                subprocess.Popen,
                command,
                cwd=home,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                preexec_fn=self._die_with_starter,
            ).result()
        if wait:
            self.wait_ready()

    def kill(self, broker: int) -> None:
        """SIGKILL: as if the power had gone."""
        self._end(broker, signal.SIGKILL)

    def stop(self, broker: int) -> None:
        """SIGTERM: it hands its partitions over first."""
        self._end(broker, signal.SIGTERM)

    def pause(self, broker: int) -> None:
        """SIGSTOP: connections stay, nobody answers."""
        self._signal(broker, signal.SIGSTOP)
        self._paused.add(broker)

    def resume(self, broker: int) -> None:
        self._signal(broker, signal.SIGCONT)
        self._paused.discard(broker)

    def wait_ready(self, seconds: float = READY_SECONDS) -> None:
        """Returns when every broker that should run is a member of the cluster and the others are not.

        Raises:
            AssertionError: a broker ended or is not ready in time, with the last lines it said.
        """
        give_up = time.monotonic() + seconds
        while True:
            expected = {n for n in range(self.count) if self._processes[n] is not None} - self._paused
            for broker in expected:
                assert self._running(broker), f"broker {broker} ended: {self.output(broker)[-2000:]}"
            listed = asyncio.run(_members([self.plain_servers[n] for n in expected])) == expected
            # The others may list a broker before its own door is open.
            if listed and all(_listens(self.servers[n]) for n in expected):
                return
            assert time.monotonic() < give_up, f"no cluster in {seconds:.0f} s: {self.output()[-2000:]}"
            time.sleep(0.05)

    # -- inside --------------------------------------------------------------------------------------------------------

    def _running(self, broker: int) -> subprocess.Popen[bytes] | None:
        process = self._processes[broker]
        return process if process is not None and process.poll() is None else None

    def _signal(self, broker: int, number: signal.Signals) -> None:
        process = self._running(broker)
        assert process is not None, f"broker {broker} does not run"
        process.send_signal(number)

    def _end(self, broker: int, number: signal.Signals) -> None:
        process = self._running(broker)
        if process is not None:
            process.send_signal(number)
            if broker in self._paused:
                process.send_signal(signal.SIGCONT)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._processes[broker] = None
        self._paused.discard(broker)

    def _die_with_starter(self) -> None:
        self._libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)

    def _write_settings(self, broker: int) -> None:
        home = self.folder / str(broker)
        home.mkdir()
        clients, brokers, controllers = self._ports[broker]
        voters = [f"{n}@127.0.0.1:{ports[2]}" for n, ports in enumerate(self._ports)]
        copies = min(3, self.count)
        settings = SETTINGS | {
            "node.id": str(broker),
            "log.dirs": str(home / "data"),
            "controller.quorum.voters": ",".join(voters),
            "listeners": f"CLIENTS://127.0.0.1:{clients},BROKERS://127.0.0.1:{brokers},CONTROLLERS://127.0.0.1:{controllers}",
            "advertised.listeners": f"CLIENTS://127.0.0.1:{clients},BROKERS://127.0.0.1:{brokers}",
            "listener.security.protocol.map": f"CLIENTS:{self.security},BROKERS:PLAINTEXT,CONTROLLERS:PLAINTEXT",
            "default.replication.factor": str(copies),
            "offsets.topic.replication.factor": str(copies),
            "transaction.state.log.replication.factor": str(copies),
            "transaction.state.log.min.isr": str(min(2, copies)),
            "share.coordinator.state.topic.replication.factor": str(copies),
            "share.coordinator.state.topic.min.isr": str(min(2, copies)),
            "min.insync.replicas": str(min(2, copies)),
        }
        if self.security.startswith("SASL"):
            prefix = "listener.name.clients"
            plain = "org.apache.kafka.common.security.plain.PlainLoginModule"
            scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
            settings[f"{prefix}.plain.sasl.jaas.config"] = (
                f"{plain} required user_{USERNAME}={_quoted(PASSWORD)};"
            )
            settings[f"{prefix}.scram-sha-256.sasl.jaas.config"] = scram
            settings[f"{prefix}.scram-sha-512.sasl.jaas.config"] = scram
        if self.certificates is not None:
            settings["ssl.keystore.location"] = str(self.certificates.server)
            settings["ssl.truststore.location"] = str(self.certificates.ca)
        text = "".join(f"{name}={_escaped(value)}\n" for name, value in settings.items())
        (home / "server.properties").write_text(text, "latin-1")

    def _format(self) -> None:
        """Kafka's own tool for the first broker; the others differ only in their ids, and a JVM costs a second."""
        first = self.folder / "0"
        command = [self._java, *JVM, "-cp", self._classpath, "kafka.tools.StorageTool", "format"]
        command += ["-c", str(first / "server.properties"), "-t", _kafka_id()]
        if self.security.startswith("SASL"):
            for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512"):
                command += ["-S", f"{mechanism}=[name={_quoted(USERNAME)},password={_quoted(PASSWORD)}]"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
        for broker in range(1, self.count):
            data = self.folder / str(broker) / "data"
            shutil.copytree(first / "data", data)
            lines = (data / "meta.properties").read_text().splitlines()
            meta = dict(line.split("=", 1) for line in lines if not line.startswith("#"))
            meta |= {"node.id": str(broker), "directory.id": _kafka_id()}
            (data / "meta.properties").write_text(
                "".join(f"{name}={value}\n" for name, value in meta.items())
            )


def _free_ports(brokers: int) -> list[tuple[int, int, int]]:
    with contextlib.ExitStack() as stack:
        ports = []
        for _ in range(3 * brokers):
            probe = stack.enter_context(socket.socket())
            probe.bind(("127.0.0.1", 0))
            ports.append(probe.getsockname()[1])
    return [(ports[n], ports[n + 1], ports[n + 2]) for n in range(0, len(ports), 3)]


def _kafka_id() -> str:
    """A UUID as Kafka writes it; none that begins with a hyphen, which its tool would take for an option."""
    while True:
        text = urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()
        if not text.startswith("-"):
            return text


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _escaped(value: str) -> str:
    """A value in a Java properties file."""
    value = value.replace("\\", "\\\\")
    return "".join(char if char.isascii() else f"\\u{ord(char):04x}" for char in value)


async def _members(servers: list[str]) -> set[int]:
    """Ids of the brokers that the cluster counts as alive; none while it cannot be asked."""
    from aiokafka.admin import AIOKafkaAdminClient

    # The client would complain about each of them on standard error.
    servers = [server for server in servers if _listens(server)]
    if not servers:
        return set()
    admin = AIOKafkaAdminClient(bootstrap_servers=servers, request_timeout_ms=2000)
    try:
        await admin.start()
        found = await admin.describe_cluster()
        return {int(broker["node_id"]) for broker in found["brokers"]}
    except Exception:
        return set()
    finally:
        with contextlib.suppress(Exception):
            await admin.close()


def _listens(server: str) -> bool:
    host, _, port = server.rpartition(":")
    with contextlib.suppress(OSError), socket.create_connection((host, int(port)), 1):
        return True
    return False
