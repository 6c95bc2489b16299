"""A real centre with one command: everything embedded, supervised, stopped cleanly."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
import yaml

from domain.errors import SettingsError
from mingjing.health import PORT_OFFSETS
from mingjing.ports import check_port
from mingjing.settings import load_settings
from mingjing.start import run_centre
from mingjing.system import system_children
from tests.drills.system import free_ports
from tests.drills.workload import CENTRE, as_lines, events


def centre_file(folder: Path) -> Path:
    path = folder / "centre.yaml"
    path.write_text(yaml.safe_dump(CENTRE, allow_unicode=True), "utf-8")
    return path


def answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2).status_code == 200
    except httpx.HTTPError:
        return False


def test_a_database_of_ones_own_is_not_started() -> None:
    names = [child.name for child in system_children(["worker", "gateway"], embedded_database=False)]
    assert names == ["migrate", "worker", "gateway"]


def test_it_refuses_a_clock_that_is_not_real(tmp_path: Path) -> None:
    settings = load_settings(data=tmp_path, centre=centre_file(tmp_path), clock="sim:0:0:60")
    with pytest.raises(SettingsError, match="real clock"):
        run_centre(settings)


def free_block(count: int) -> int:
    """The first of so many ports in a row that are free."""
    for first in range(21000 + os.getpid() % 5000, 32000, count):
        with contextlib.suppress(SettingsError):
            for port in range(first, first + count):
                check_port("127.0.0.1", port, option="")
            return first
    raise AssertionError("no ports in a row")


@pytest.mark.process
def test_it_takes_events_shows_the_wall_and_stops_cleanly(tmp_path: Path) -> None:
    wall, door = free_ports(2)
    data = tmp_path / "data"
    environ = {name: value for name, value in os.environ.items() if not name.startswith("MINGJING_")}
    environ |= {"MINGJING_WALL_PORT": str(wall), "MINGJING_DOOR_PORT": str(door)}
    base = free_block(len(PORT_OFFSETS))
    environ |= {"MINGJING_METRICS_ADDRESS": str(base), "MINGJING_LOG_FORMAT": "json"}
    command = [sys.executable, "-m", "mingjing", "start", str(centre_file(tmp_path)), "--data", str(data)]
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.bind("\0" + str(tmp_path))
    manager.settimeout(10)
    environ["NOTIFY_SOCKET"] = "@" + str(tmp_path)
    process = subprocess.Popen(
        command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        end = time.monotonic() + 60
        addresses = (f"http://127.0.0.1:{wall}/healthz", f"http://127.0.0.1:{door}/healthz")
        while not all(answers(address) for address in addresses):
            assert process.poll() is None, process.communicate()[0]
            assert time.monotonic() < end, "neither wall nor door within a minute"
            time.sleep(0.2)
        key = (data / "secrets" / "api-keys").read_text().strip().split(":")[1]
        assert (data / "secrets" / "api-keys").stat().st_mode & 0o077 == 0
        line = as_lines(events(seed=1, cases=1))[0]
        headers = {"X-API-Key": key, "Content-Type": "application/json"}
        answer = httpx.post(
            f"http://127.0.0.1:{door}/events", content=line.encode(), headers=headers, timeout=10
        )
        assert answer.status_code == 202, answer.text
        for name in ("start", "database", "worker", "rules", "sender", "wall", "door"):
            address = f"http://127.0.0.1:{base + PORT_OFFSETS[name]}"
            while not (answers(f"{address}/livez") and answers(f"{address}/readyz")):
                assert time.monotonic() < end, f"{name} is not ready"
                time.sleep(0.1)
            shown = httpx.get(f"{address}/metrics", timeout=5).text
            assert f'mingjing_build_info{{process="{name}"' in shown
        assert answers(f"http://127.0.0.1:{wall}/readyz")
        assert httpx.get(f"http://127.0.0.1:{door}/metrics", timeout=5).status_code == 200
        desk = httpx.get(f"http://127.0.0.1:{wall}/desk", follow_redirects=True, timeout=5)
        assert (desk.status_code, "MINGJING_DESK_ACCOUNTS_FILE" in desk.text) == (503, True)
        said_to_systemd = manager.recv(200)
        while b"READY=1" not in said_to_systemd:
            assert said_to_systemd == b"WATCHDOG=1"
            said_to_systemd = manager.recv(200)
    finally:
        manager.close()
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert "演练中心" in said
    assert str(wall) in said
    assert key not in said
    for log in ("worker", "rules", "supervisor"):
        lines = (data / "logs" / f"{log}.log").read_text().splitlines()
        assert all(json.loads(line)["process"] in (log, "start") for line in lines), log
