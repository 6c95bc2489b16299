"""A whole system in one folder: real processes under the real supervisor, on free ports of the loopback."""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psycopg
import yaml

from mingjing.processes import database_address
from mingjing.settings import Settings, load_settings
from mingjing.spawning import Spawner
from mingjing.supervisor import Child, Supervisor

API_KEY = "drill-key-of-the-tests-only"


class System:
    """What a drill may do to a running system, and read from it."""

    def __init__(self, settings: Settings, supervisor: Supervisor) -> None:
        self.settings, self.supervisor = settings, supervisor

    @property
    def dsn(self) -> str:
        return database_address(self.settings)

    @property
    def door(self) -> str:
        return f"http://127.0.0.1:{self.settings.door_port}"

    @property
    def gateway(self) -> str:
        return self.settings.gateway_url.rsplit("/", 1)[0]

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows; while the database is away it is asked again for up to a minute."""
        for _ in range(600):
            try:
                with psycopg.connect(self.dsn, connect_timeout=3) as connection:
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

    def tails(self) -> str:
        logs = sorted((self.settings.data / "logs").glob("*.log"))
        return "\n".join(f"--- {path.name}\n{path.read_text('utf-8', 'replace')[-1500:]}" for path in logs)


@contextmanager
def running(folder: Path, centre: dict[str, Any], names: tuple[str, ...]) -> Iterator[System]:
    """Starts the named processes over an embedded database, and stops them cleanly at the end."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "centre.yaml").write_text(yaml.safe_dump(centre, allow_unicode=True), "utf-8")
    secrets = folder / "secrets"
    secrets.mkdir(mode=0o700, exist_ok=True)
    (secrets / "api-keys").write_text(f"drill:{API_KEY}\n")
    (secrets / "gateway").write_text("drill-secret")
    wall, door, gateway = free_ports(3)
    settings = load_settings(
        data=folder, centre=folder / "centre.yaml", wall_port=wall, door_port=door, broker="", database="",
        gateway_url=f"http://127.0.0.1:{gateway}/messages", gateway_secret_file=secrets / "gateway",
        gateway_query_url=f"http://127.0.0.1:{gateway}/messages/{{key}}",
        api_keys_file=secrets / "api-keys", base_url="", ack_secret_file=secrets / "ack", clock="real",
    )  # fmt: skip
    environ = {key: value for key, value in os.environ.items() if not key.startswith("MINGJING_")}
    environ |= settings.environ()
    command = (sys.executable, "-m", "mingjing")
    children = [
        Child("database", (*command, "run", "database"), patience=40),
        Child("migrate", (*command, "migrate", "--wait", "60"), after=("database",), once=True),
    ]
    children += [Child(name, (*command, "run", name), after=("migrate",), patience=12) for name in names]
    supervisor = Supervisor(children, Spawner(folder / "logs", environ))
    thread = threading.Thread(target=supervisor.run, daemon=True)
    thread.start()
    try:
        yield System(settings, supervisor)
    finally:
        supervisor.request_stop()
        thread.join(60)
        assert not thread.is_alive(), "the system did not stop"


def free_ports(count: int) -> list[int]:
    held = [socket.socket() for _ in range(count)]
    try:
        for one in held:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in held]
    finally:
        for one in held:
            one.close()


def read_findings(lines: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines.splitlines()]
