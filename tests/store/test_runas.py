"""Another user, with one capability where a closed folder asks for it."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest

from store import runas

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@pytest.fixture
def tool(tmp_path: Path) -> Path:
    """A program in a folder that only root may enter, as a checkout under /root is."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    made = closed / "tool"
    made.write_text("#!/bin/sh\nid -u\n")
    made.chmod(0o755)
    return made


def as_nobody(tool: Path, *command: str) -> subprocess.CompletedProcess[str]:
    setup = runas.setup_for(pwd.getpwnam("nobody"), [tool], follow_parent=False)
    return subprocess.run(command, preexec_fn=setup, capture_output=True, text=True, cwd="/")


def test_programs_in_a_closed_folder_run_as_the_other_user(tool: Path) -> None:
    assert as_nobody(tool, str(tool)).stdout.strip() == str(pwd.getpwnam("nobody").pw_uid)


def test_programs_in_a_closed_folder_are_found_by_those_who_ask_first(tool: Path) -> None:
    # initdb asks access(2) for postgres beside it; that call forgets capabilities unless told not to.
    asking = f"import os, sys; sys.exit(not os.access({str(tool)!r}, os.X_OK))"
    assert as_nobody(tool, sys.executable, "-c", asking).returncode == 0


def may_only_search() -> bool:
    status = Path("/proc/self/status").read_text()
    permitted = next(line for line in status.splitlines() if line.startswith("CapPrm")).split()[1]
    return bool(int(permitted, 16) & 1 << 2)


@pytest.mark.skipif(
    not may_only_search(), reason="this container grants no CAP_DAC_READ_SEARCH, only the stronger one"
)
def test_nothing_may_be_written_in_the_closed_folder(tool: Path) -> None:
    assert as_nobody(tool, "/bin/sh", "-c", f"echo x > {tool.parent}/file").returncode != 0
