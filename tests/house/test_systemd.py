"""The units of ops/systemd: valid, every command exists, every variable is known, all of them hardened alike."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from mingjing.processes import PROCESSES
from mingjing.settings import PREFIX, Settings
from streams.settings import StreamSettings
from tests.conftest import ROOT
from tests.house.helping import help_of

FOLDER = ROOT / "ops" / "systemd"
UNITS = {path.name: path.read_text("utf-8") for path in sorted(FOLDER.iterdir())}
SERVICES = {name: text for name, text in UNITS.items() if name.endswith(".service")}
PROGRAM = "/opt/mingjing/bin/mingjing"


def values(text: str, key: str) -> list[str]:
    return re.findall(rf"^{key}=(.*)$", text, re.MULTILINE)


def test_every_variable_is_one_the_settings_know() -> None:
    known = {PREFIX + name.upper() for name in (*Settings.model_fields, *StreamSettings.model_fields)}
    for name, text in UNITS.items():
        assert set(re.findall(r"MINGJING_[A-Z_]+", text)) <= known, name


def test_every_secret_that_is_named_is_loaded() -> None:
    for name, text in UNITS.items():
        named = set(re.findall(r"^Environment=.*%d/([\w-]+)$", text, re.MULTILINE))
        assert named == {each.split(":")[0] for each in values(text, "LoadCredential")}, name


def test_every_command_starts_with_help() -> None:
    heads = set()
    for name, text in SERVICES.items():
        (command,) = values(text, "ExecStart")
        program, *words = command.split()
        assert program == PROGRAM, name
        head = tuple(words[: 2 if words[0] == "backup" else 1])
        heads.add(head)
        for option in (word for word in words if word.startswith("--")):
            assert option in help_of(*head), (name, option)
    assert heads == {("start",), ("run",), ("migrate",), ("backup", "make")}


def test_the_processes_that_are_named_exist() -> None:
    named = set(re.findall(r"mingjing@(\w+)\b(?!\.service)", "".join(UNITS.values())))
    listed = re.findall(r"mingjing@\{([\w,]+)\}", UNITS["mingjing.target"])[0].split(",")
    assert named | set(listed) <= set(PROCESSES)
    assert set(PROCESSES) - set(listed) == {"database", "gateway", "simulator"}


def test_all_are_hardened_alike_and_run_as_an_ordinary_user() -> None:
    blocks = {
        re.search(r"^NoNewPrivileges=yes$.*?^SystemCallFilter=.*?$", text, re.MULTILINE | re.DOTALL)[0]
        for text in SERVICES.values()
    }
    assert len(blocks) == 1
    for line in ("ProtectSystem=strict", "PrivateTmp=yes", "CapabilityBoundingSet="):
        assert line in blocks.copy().pop().splitlines()
    for name, text in SERVICES.items():
        assert values(text, "User") == ["mingjing"], name
        assert values(text, "UMask") == ["0077"], name
        # With ProtectSystem=strict this alone may be written.
        assert "mingjing" in values(text, "StateDirectory")[0].split(), name
        assert "MINGJING_DATA=/var/lib/mingjing" in values(text, "Environment"), name


def test_the_watchdog_is_slower_than_its_patting() -> None:
    """The supervisor's housekeeping comes every ten seconds or a little later."""
    assert values(UNITS["mingjing.service"], "Type") == ["notify"]
    assert int(values(UNITS["mingjing.service"], "WatchdogSec")[0]) >= 60


def test_the_timer_starts_the_backup() -> None:
    assert (FOLDER / "mingjing-backup.service").exists()
    assert values(UNITS["mingjing-backup.timer"], "OnCalendar")


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """The units with a program that exists; the template also as an instance."""
    program = tmp_path / "mingjing"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    for name, text in UNITS.items():
        (tmp_path / name).write_text(text.replace(PROGRAM, str(program)))
    shutil.copy(tmp_path / "mingjing@.service", tmp_path / "mingjing@worker.service")
    return tmp_path


def verify(folder: Path) -> str:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip(
            "no systemd-analyze on this machine (Debian: apt install systemd); the checks above stand in for it"
        )
    units = [str(path) for path in sorted(folder.glob("mingjing*.*")) if "@." not in path.name]
    done = subprocess.run([analyze, "verify", "--man=no", *units], capture_output=True, text=True, timeout=60)
    if "Failed to" in done.stderr and "manager" in done.stderr:
        pytest.skip(f"systemd-analyze cannot verify here: {done.stderr.splitlines()[0]}")
    return done.stdout + done.stderr


def test_systemd_takes_them(here: Path) -> None:
    ours = [line for line in verify(here).splitlines() if "mingjing" in line]
    assert ours == []


def test_systemd_would_have_noticed_a_slip(here: Path) -> None:
    unit = here / "mingjing.service"
    unit.write_text(unit.read_text().replace("ProtectSystem=strict", "ProtectSystems=strict"))
    assert "ProtectSystems" in verify(here)
