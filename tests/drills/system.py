"""A whole system in one folder: real processes under the real supervisor, on free ports of the loopback."""

from __future__ import annotations

import os
import signal
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg
import yaml

from mingjing.settings import Settings, load_settings
from mingjing.spawning import Spawner
from mingjing.supervisor import Child, Supervisor
from store.embedded import dsn_for, socket_dir_for
from tests.drills.postgres_proxy import PostgresProxy
from tests.kafka.cluster import KafkaCluster

API_KEY = "drill-key-of-the-tests-only"
#: The supervisor's own time runs faster, so that a process killed for the tenth time is not waited for.
HURRY = 8.0
ALL = ("worker", "rules", "gateway", "sender", "door", "wall")


class System:
    """What a drill may do to a running system, and read from it. Process names may end in ``-2``, ``-3``: copies."""

    def __init__(
        self,
        settings: Settings,
        supervisor: Supervisor,
        names: Sequence[str],
        dsn: str,
        proxy: PostgresProxy | None,
    ) -> None:
        self.settings, self.supervisor, self.names = settings, supervisor, tuple(names)
        self.dsn = dsn
        self.proxy = proxy
        #: The folder of the database server, where it has a small disk of its own.
        self.small_disk: Path | None = None
        #: The brokers, where the log is Kafka's.
        self.cluster: KafkaCluster | None = None
        #: Seconds to add to the clock of every process, where it can be set (see :mod:`tests.drills.clock_shift`).
        self.set_clock: Callable[[float], None] | None = None

    @property
    def door(self) -> str:
        return f"http://127.0.0.1:{self.settings.door_port}"

    @property
    def gateway(self) -> str:
        return self.settings.gateway_url.rsplit("/", 1)[0]

    @property
    def wall(self) -> str:
        return f"http://127.0.0.1:{self.settings.wall_port}"

    @property
    def broker_kind(self) -> str:
        return "Kafka" if self.settings.broker_url.startswith("kafka") else "the local log"

    # -- reading

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows; while the database is away it is asked again for up to a minute."""
        for _ in range(600):
            try:
                with psycopg.connect(self.dsn, connect_timeout=3, options="-c timezone=UTC") as connection:
                    return connection.execute(sql).fetchall()
            except psycopg.OperationalError:
                time.sleep(0.1)
        raise AssertionError("the database did not come back within a minute")

    def one(self, sql: str) -> Any:
        return self.query(sql)[0][0]

    def wait_for(self, what: str, ready: Callable[[], Any], seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if ready():
                return
            time.sleep(0.2)
        raise AssertionError(f"not within {seconds:.0f} s: {what}; {self.tails()}")

    def answers(self, url: str) -> bool:
        try:
            return httpx.get(url, timeout=2).status_code == 200
        except httpx.HTTPError:
            return False

    def wait_ready(self, seconds: float = 90) -> None:
        for name, url in (("door", self.door), ("wall", self.wall), ("gateway", self.gateway)):
            if name in self.names:
                self.wait_for(f"the {name} answers", lambda url=url: self.answers(f"{url}/healthz"), seconds)

    def settle(self, label: str, distinct: int, seconds: float = 300) -> None:
        """Waits until every event of these cases is stored and judged and nothing waits to be sent."""
        stored = f"select count(*) from event where case_id like '{label}-%'"
        self.wait_for(f"{distinct} events are stored", lambda: self.one(stored) >= distinct, seconds)
        self.wait_read(seconds)
        self.wait_for("all cases are judged", self.judged, seconds)
        # Corrections are held back in case the finding comes back; here nothing more comes.
        self.query(
            "update outbox set next_try_at = now() where state = 'ready' and last_error is null returning 1"
        )
        self.query("select pg_notify('mingjing', 'outbox')")
        self.wait_for("all messages are sent", lambda: self.waiting() == 0, seconds)

    def wait_read(self, seconds: float = 120) -> None:
        """Waits until the workers say that they have done all that lies in the log now."""
        # What they said before may be older than the last record.
        asked = self.one("select clock_timestamp() + interval '0.5 s'").isoformat()
        self.wait_for("the log is read to its end", lambda: self.lag(asked) == 0, seconds)

    def lag(self, since: str = "-infinity") -> int:
        """Records no worker has done yet, by the workers' own heartbeats after a moment; -1 while none has beaten."""
        rows = self.query(
            f"select (detail ->> 'lag')::int, detail ->> 'waiting_for' is not null, real_at > '{since}' from heartbeat"
            " where role = 'worker' and clock_timestamp() - real_at <= interval '5 seconds'"
        )
        if not rows or any(waits or not fresh for _, waits, fresh in rows):
            return -1
        return sum(lag or 0 for lag, _, _ in rows)

    def judged(self) -> bool:
        return bool(self.one("select count(*) from case_state where look_at <= now()") == 0)

    def waiting(self) -> int:
        return int(self.one("select count(*) from outbox where state in ('ready', 'leased')"))

    def gateway_counts(self) -> Counter[str]:
        """How many messages the gateway took for each idempotency key."""
        answer = httpx.get(f"{self.gateway}/messages.json", timeout=30).json()
        return Counter({key: count["accepted"] for key, count in answer["counts"].items()})

    def memory(self) -> dict[str, float]:
        """Resident megabytes of each process with all its children."""
        found = {}
        for name in (*self.names, "database"):
            pid = self.supervisor.pid(name)
            try:
                process = psutil.Process(pid or -1)
                family = [process, *process.children(recursive=True)]
                # What PostgreSQL's processes share would be counted once for each of them.
                found[name] = sum(each.memory_full_info().uss for each in family) / 1e6
            except (psutil.Error, ValueError):
                continue
        return found

    def tails(self) -> str:
        logs = sorted((self.settings.data / "logs").glob("*.log"))
        return "\n".join(f"--- {path.name}\n{path.read_text('utf-8', 'replace')[-1500:]}" for path in logs)

    # -- doing

    def pour(self, lines: Sequence[str], pause: Callable[[], object] = lambda: None, batch: int = 100) -> int:
        """Posts batches until each is acknowledged, as another system would: a batch without an answer is sent again.

        Args:
            pause: called after each batch.

        Returns:
            How often a batch was sent again.
        """
        again = 0
        with httpx.Client(timeout=30, headers={"X-API-Key": API_KEY}) as client:
            for start in range(0, len(lines), batch):
                body = "\n".join(lines[start : start + batch]).encode()
                while not self._posted(client, body):
                    again += 1
                    time.sleep(0.2)
                pause()
        return again

    def _posted(self, client: httpx.Client, body: bytes) -> bool:
        try:
            answer = client.post(
                f"{self.door}/events", content=body, headers={"Content-Type": "application/x-ndjson"}
            )
        except httpx.HTTPError:
            return False
        if answer.status_code in (429, 503):
            return False
        assert answer.status_code in (202, 400), answer.text
        return True

    def running(self, name: str) -> psutil.Process:
        """The process of that name, once it runs."""
        self.wait_for(f"{name} runs", lambda: self.supervisor.state(name) == "running", 60)
        return psutil.Process(self.supervisor.pid(name) or -1)

    def kill(self, *names: str) -> None:
        """Kills with SIGKILL, all at once, and waits until each is started again. For the database: every process of it."""
        before = {name: self.supervisor.starts(name) for name in names}
        victims = []
        for name in names:
            process = self.running(name)
            victims += [*(process.children(recursive=True) if name == "database" else []), process]
        for victim in victims:
            try:
                victim.send_signal(signal.SIGKILL)
            except psutil.NoSuchProcess:
                continue
        for name, starts in before.items():
            self.wait_for(
                f"{name} is started again",
                lambda name=name, starts=starts: self.supervisor.starts(name) > starts,
                60,
            )


@contextmanager
def running(
    folder: Path,
    centre: dict[str, Any],
    names: tuple[str, ...],
    *,
    broker: str = "",
    proxied: bool = False,
    database: Path | None = None,
    environ: Mapping[str, str] | None = None,
) -> Iterator[System]:
    """Starts the named processes over an embedded database, and stops them cleanly at the end.

    Args:
        broker: of the log; default the local one.
        proxied: between the processes and the database lies a wire that can be cut (``System.proxy``).
        database: data folder of the database server, if it is not to be the system's.
        environ: for every process.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "centre.yaml").write_text(yaml.safe_dump(centre, allow_unicode=True), "utf-8")
    secrets = folder / "secrets"
    secrets.mkdir(mode=0o700, exist_ok=True)
    (secrets / "api-keys").write_text(f"drill:{API_KEY}\n")
    (secrets / "gateway").write_text("drill-secret")
    wall, door, gateway = free_ports(3)
    settings = load_settings(
        data=folder, centre=folder / "centre.yaml", wall_port=wall, door_port=door, broker=broker, database="",
        gateway_url=f"http://127.0.0.1:{gateway}/messages", gateway_secret_file=secrets / "gateway",
        gateway_query_url=f"http://127.0.0.1:{gateway}/messages/{{key}}",
        api_keys_file=secrets / "api-keys", base_url="", ack_secret_file=secrets / "ack", clock="real",
    )  # fmt: skip
    base = {key: value for key, value in os.environ.items() if not key.startswith("MINGJING_")}
    base |= settings.environ() | dict(environ or {})
    data = database or folder
    dsn = dsn_for(data)
    with ExitStack() as stack:
        proxy = None
        # The migration goes straight to the server, whatever lies between it and the others.
        for_all = {"MINGJING_DATABASE": dsn} if database else {}
        through = dict(for_all)
        if proxied:
            near = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mj-wire-")))
            proxy = stack.enter_context(PostgresProxy(near, socket_dir_for(data) / ".s.PGSQL.5432"))
            through = {"MINGJING_DATABASE": dsn.replace(_host_of(dsn), str(near).replace("/", "%2F"))}
        children = [
            _child("database", {"MINGJING_DATA": str(data)}, patience=40),
            Child("migrate", _command(for_all, "migrate", "--wait", "60"), after=("database",), once=True),
            *(_child(name, through, after=("migrate",), patience=12) for name in names),
        ]
        supervisor = Supervisor(
            children, Spawner(folder / "logs", base), monotonic=lambda: HURRY * time.monotonic()
        )
        thread = threading.Thread(target=supervisor.run, daemon=True)
        thread.start()
        try:
            yield System(settings, supervisor, names, dsn, proxy)
        finally:
            supervisor.request_stop()
            thread.join(60)
            assert not thread.is_alive(), "the system did not stop"


def _host_of(dsn: str) -> str:
    return dsn.partition("host=")[2].partition("&")[0]


def _command(environ: Mapping[str, str], *words: str) -> tuple[str, ...]:
    settings = (f"{key}={value}" for key, value in environ.items())
    return ("/usr/bin/env", *settings, sys.executable, "-m", "mingjing", *words)


def _child(name: str, environ: Mapping[str, str], *, patience: float, after: tuple[str, ...] = ()) -> Child:
    role, _, copy = name.partition("-")
    # The copies of one role are told apart by their instance; one alone keeps what the settings say.
    own = dict(environ) | ({"MINGJING_INSTANCE": copy} if copy else {})
    return Child(name, _command(own, "run", role), after=after, patience=patience * HURRY)


def free_ports(count: int) -> list[int]:
    held = [socket.socket() for _ in range(count)]
    try:
        for one in held:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in held]
    finally:
        for one in held:
            one.close()
