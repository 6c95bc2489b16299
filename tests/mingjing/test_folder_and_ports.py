"""One supervisor to a data folder; a taken port is named with its owner."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from domain.errors import SettingsError
from mingjing.folder import FolderLock
from mingjing.ports import check_port


def test_a_second_supervisor_is_refused_and_told_who_holds_the_folder(tmp_path: Path):
    with FolderLock(tmp_path), pytest.raises(SettingsError, match=f"process {os.getpid()}"):
        FolderLock(tmp_path, sleep=lambda s: None).__enter__()
    with FolderLock(tmp_path):
        pass


def test_what_a_killed_supervisor_started_is_waited_for(tmp_path: Path):
    with FolderLock(tmp_path) as lock:
        child = subprocess.Popen(
            [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=(lock.fd,)
        )
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    lock.path.write_text(str(dead.pid))
    waited: list[float] = []

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        child.communicate(b"\n")

    with FolderLock(tmp_path, sleep=sleep):
        assert waited


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="cannot be used"):
        FolderLock(tmp_path / "file" / "data").__enter__()


def test_a_taken_port_is_named_with_its_owner_and_the_way_out():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        with pytest.raises(
            SettingsError, match=rf"port {port} is taken by process {os.getpid()} \(.+\): use --port"
        ):
            check_port("127.0.0.1", port, option="--port")
    check_port("127.0.0.1", port, option="--port")


def test_a_host_of_another_machine_is_refused():
    with pytest.raises(SettingsError):
        check_port("192.0.2.1", 8050, option="--port")
