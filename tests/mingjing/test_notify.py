"""systemd is told when the system is ready and that it lives; without systemd nobody is."""

from __future__ import annotations

import socket
import tempfile
from pathlib import Path

import pytest

from mingjing.notify import notify, still_alive


@pytest.mark.parametrize("abstract", [False, True])
def test_the_manager_hears_it(abstract: bool) -> None:
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        path = f"{folder}/notify"
        manager.bind("\0" + path if abstract else path)
        manager.settimeout(1)
        assert notify("READY=1", "STATUS=up", environ={"NOTIFY_SOCKET": ("@" if abstract else "") + path})
        assert manager.recv(100) == b"READY=1\nSTATUS=up"


def test_the_watchdog_is_patted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "n"))
        manager.settimeout(1)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "n"))
        still_alive()
        assert manager.recv(100) == b"WATCHDOG=1"


@pytest.mark.parametrize("address", ["", "/no/such/socket", "relative"])
def test_a_manager_that_is_not_there_stops_nothing(address: str) -> None:
    assert notify("READY=1", environ={"NOTIFY_SOCKET": address}) is False
