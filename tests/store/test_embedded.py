"""The embedded server: starts on any folder, as root and as an ordinary user; comes back; leaves nothing behind."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from domain.errors import StoreError
from store import runas
from store.embedded import EmbeddedServer, dsn_for, run_database, socket_dir_for

pytestmark = [pytest.mark.postgres, pytest.mark.process]

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def made() -> Iterator[Path]:
    """A data folder with a cluster. Making one takes longer than everything else here, so it is made once and copied."""
    with tempfile.TemporaryDirectory(prefix="mj-") as name:
        with EmbeddedServer(Path(name) / "data"):
            pass
        yield Path(name) / "data"


@pytest.fixture
def empty_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="mj-") as name:
        yield Path(name) / "data"


@pytest.fixture
def folder(empty_folder: Path, made: Path) -> Path:
    subprocess.run(["cp", "-a", made, empty_folder], check=True)
    return empty_folder


def until(condition: Callable[[], object], seconds: float = 15.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "did not happen in time"
        time.sleep(0.05)


def ask(dsn: str, question: str) -> tuple:
    with psycopg.connect(dsn, autocommit=True) as connection:
        row = connection.execute(question).fetchone()  # type: ignore[arg-type]
    assert row is not None
    return row


def keep(dsn: str) -> None:
    with psycopg.connect(dsn) as connection:
        connection.execute("create table kept as select 1 as x")


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split(") ")[1][0] != "Z"
    except OSError:
        return False


def test_it_keeps_what_was_written_and_counts_in_utc(folder: Path) -> None:
    with EmbeddedServer(folder) as server:
        keep(server.dsn)
        settings = "select current_setting('TimeZone'), current_setting('fsync'), current_setting('listen_addresses')"
        assert ask(server.dsn, settings) == ("UTC", "on", "")
        pid = server.pid
        assert pid is not None
    assert not alive(pid)
    with EmbeddedServer(folder) as server:
        assert server.dsn == dsn_for(folder)
        assert ask(server.dsn, "select x from kept") == (1,)


def test_a_second_start_is_refused_by_name(folder: Path) -> None:
    with EmbeddedServer(folder), pytest.raises(StoreError, match=f"already run by process {os.getpid()}"):
        EmbeddedServer(folder).start()


def test_a_pid_file_that_names_a_stranger_does_not_stop_the_start(folder: Path) -> None:
    with EmbeddedServer(folder):
        pass
    (folder / "pg" / "postmaster.pid").write_text(f"{os.getppid()}\n{folder / 'pg'}\n1\n5432\n\n\n\nready\n")
    with EmbeddedServer(folder) as server:
        assert ask(server.dsn, "select 1") == (1,)


def test_a_cluster_half_made_is_made_again(empty_folder: Path) -> None:
    (empty_folder / "pg.new" / "base").mkdir(parents=True)
    with EmbeddedServer(empty_folder) as server:
        assert ask(server.dsn, "select 1") == (1,)


def test_a_folder_that_is_no_cluster_is_left_alone(empty_folder: Path) -> None:
    (empty_folder / "pg").mkdir(parents=True)
    (empty_folder / "pg" / "precious").write_text("x")
    with pytest.raises(StoreError, match="holds no PostgreSQL cluster"):
        EmbeddedServer(empty_folder).start()
    assert (empty_folder / "pg" / "precious").read_text() == "x"


def test_a_long_path_moves_the_socket_and_nothing_else(folder: Path) -> None:
    deep = folder / ("明镜" * 20)
    assert socket_dir_for(folder) == folder / "pg-run"
    with EmbeddedServer(deep) as server:
        assert ask(server.dsn, "select 1") == (1,)
        assert (deep / "pg" / "PG_VERSION").exists()
    socket_dir_for(deep).rmdir()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_folder_of_somebody_elses_is_one_clear_sentence(empty_folder: Path) -> None:
    empty_folder.parent.chmod(0o755)
    empty_folder.mkdir(mode=0o755)
    (empty_folder / "pg.lock").touch(0o600)
    code = (
        "import os, sys; from domain.errors import StoreError; from store.embedded import EmbeddedServer\n"
        "os.setuid(65534)\n"
        "try: EmbeddedServer(sys.argv[1]).start()\n"
        "except StoreError as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, empty_folder], capture_output=True, text=True, cwd=ROOT
    )
    assert "pg.lock belongs to another user" in done.stdout


def test_a_shell_that_stands_in_the_folder_is_left_alone(folder: Path) -> None:
    shell = subprocess.Popen(["sleep", "60"], cwd=folder / "pg")
    try:
        with EmbeddedServer(folder) as server:
            assert ask(server.dsn, "select 1") == (1,)
        assert shell.poll() is None
    finally:
        shell.kill()
        shell.wait()


def test_it_says_why_it_does_not_come_up(folder: Path) -> None:
    with pytest.raises(StoreError, match=r"ended at its start.*shared_buffers"):
        EmbeddedServer(folder, settings={"shared_buffers": "nonsense"}).start()


def test_the_server_is_started_again_when_it_is_killed_and_stops_when_told(folder: Path) -> None:
    stop, ready = threading.Event(), []
    server = EmbeddedServer(folder)
    runner = threading.Thread(
        target=run_database, args=(folder, stop), kwargs={"on_ready": ready.append, "server": server}
    )
    runner.start()
    try:
        until(lambda: len(ready) == 1)
        keep(ready[0])
        first = server.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        until(lambda: len(ready) == 2)
        assert server.pid != first
        assert ask(ready[1], "select x from kept") == (1,)
    finally:
        stop.set()
        runner.join(20)
    assert not runner.is_alive()
    assert server._processes() == []


def test_a_server_that_dies_at_once_again_and_again_is_given_up(folder: Path) -> None:
    class Dying(EmbeddedServer):
        starts = 0

        def start(self, timeout: float = 60.0) -> None:
            Dying.starts += 1

        def wait(self, seconds: float) -> int | None:
            return 1

    with pytest.raises(StoreError, match="died 6 times"):
        run_database(folder, threading.Event(), server=Dying(folder))
    assert Dying.starts == 6


def run_child(folder: Path, user: str | None = None, python: str = sys.executable) -> subprocess.Popen[str]:
    """Another process that runs the server; it prints the postmaster's number when ready."""
    code = (
        "import sys, threading; from store.embedded import EmbeddedServer, run_database\n"
        "server = EmbeddedServer(sys.argv[1])\n"
        "run_database(sys.argv[1], threading.Event(), server=server, on_ready=lambda dsn: print(server.pid, flush=True))"
    )
    return subprocess.Popen(
        [python, "-c", code, str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)])},
        user=user,
        group=pwd.getpwnam(user).pw_gid if user else None,
        extra_groups=[] if user else None,
    )


def test_a_killed_runner_leaves_no_server_and_the_next_one_starts(folder: Path) -> None:
    child = run_child(folder)
    assert child.stdout is not None
    postmaster = int(child.stdout.readline())
    child.kill()
    child.wait()
    with EmbeddedServer(folder) as server:
        assert not alive(postmaster)
        assert ask(server.dsn, "select 1") == (1,)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_an_ordinary_user_runs_it_as_himself_and_root_goes_on_with_it(empty_folder: Path) -> None:
    folder = empty_folder
    nobody = pwd.getpwnam("nobody")
    # The interpreter of this environment may lie in a folder of root's; one of the system does as well.
    candidates = (sys.executable, shutil.which("python3", path="/usr/bin:/usr/local/bin") or sys.executable)
    python = next((name for name in candidates if runas.reachable(nobody, [Path(name)])), None)
    if python is None or not runas.reachable(nobody, [ROOT / "store"]):
        pytest.skip("other users can reach no interpreter or not this checkout")
    folder.parent.chmod(0o755)
    folder.mkdir()
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    child = run_child(folder, "nobody", python)
    try:
        assert child.stdout is not None
        postmaster = int(child.stdout.readline())
        assert Path(f"/proc/{postmaster}").stat().st_uid == nobody.pw_uid
    finally:
        child.kill()
        child.wait()
    with EmbeddedServer(folder) as server:
        assert server.pid is not None
        assert Path(f"/proc/{server.pid}").stat().st_uid == nobody.pw_uid


@pytest.mark.skipif(os.geteuid() != 0, reason="PostgreSQL refuses root only")
def test_root_runs_it_in_a_folder_nobody_else_may_enter_without_opening_that_folder(folder: Path) -> None:
    folder.parent.chmod(0o700)
    with EmbeddedServer(folder) as server:
        assert ask(server.dsn, "select 1") == (1,)
        assert server.pid is not None
        assert Path(f"/proc/{server.pid}").stat().st_uid != 0
    assert folder.parent.stat().st_mode & 0o777 == 0o700
