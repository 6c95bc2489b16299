"""A whole system under one supervisor, with everything it keeps in one folder: what ``start`` and ``demo`` share."""

from __future__ import annotations

import os
import secrets
import signal
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from rich.console import Console

from mingjing.folder import FolderLock
from mingjing.health import PORT_OFFSETS, Address
from mingjing.logs import set_up_logs
from mingjing.metrics import RESTARTS, RUNNING
from mingjing.ports import check_port
from mingjing.settings import Settings
from mingjing.spawning import Spawner
from mingjing.supervisor import Child, Supervisor
from mingjing.watching import watch_process

#: Seconds a process may take to stop: the worker commits, the sender ends a question and a send of 5 s each.
PATIENCE = {"worker": 12.0, "sender": 12.0}

_console = Console(soft_wrap=True, highlight=False)


def say(text: str) -> None:
    """One piece of news for the person at the terminal."""
    _console.print(text)


def system_children(names: Sequence[str], *, embedded_database: bool) -> list[Child]:
    """The database where it is ours, the migration, then the named processes; ``gateway`` waits for nobody.

    Args:
        names: of :data:`mingjing.processes.PROCESSES`, in the order in which they are needed.
    """

    def child(name: str, *after: str, patience: float = 8.0) -> Child:
        return Child(name, (sys.executable, "-m", "mingjing", "run", name), after=after, patience=patience)

    command = (sys.executable, "-m", "mingjing", "migrate", "--wait", "60")
    database = [child("database", patience=40.0)] if embedded_database else []
    migrate = Child("migrate", command, after=tuple(each.name for each in database), once=True)
    others = [
        child(name, *(() if name == "gateway" else ("migrate",)), patience=PATIENCE.get(name, 8.0))
        for name in names
    ]
    return [*database, migrate, *others]


def keep_running(
    children: Sequence[Child],
    settings: Settings,
    environ: Mapping[str, str],
    lock: FolderLock,
    *,
    housekeeping: Callable[[], None] = lambda: None,
    when_up: Callable[[float], None] = lambda seconds: None,
) -> None:
    """Supervises until SIGINT, SIGTERM or SIGHUP, then stops all in order.

    Args:
        environ: of the children, without what ``settings`` says.
        lock: held on the data folder; the children inherit it.
        housekeeping: called about every ten seconds.
        when_up: told, once, how many seconds it took until the wall answered.
    """
    logs = settings.data / "logs"
    settings = _with_base_port(settings, [child.name for child in children])
    whole = {**environ, **settings.environ(), "MINGJING_SUPERVISOR": str(os.getpid())}
    spawner = Spawner(logs, whole, keep_open=(lock.fd,))

    def every_ten_seconds() -> None:
        spawner.rotate_all()
        housekeeping()

    tell = _say_restart(logs)

    def on_restart(name: str, status: int, pause: float) -> None:
        RESTARTS.labels(name).inc()
        tell(name, status, pause)

    health = watch_process("start", settings, dsn=str)
    beat = partial(health.pulse.beat, "supervisor")
    supervisor = Supervisor(
        children, spawner, on_restart=on_restart, housekeeping=every_ten_seconds, turn=beat
    )
    for child in children:
        RUNNING.labels(child.name).set_function(partial(_runs, supervisor, child.name))
        RESTARTS.labels(child.name)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: supervisor.request_stop())
    own = (logs / "supervisor.log").open("a", encoding="utf-8")
    set_up_logs("start", form=settings.log_format, stream=own)
    threading.Thread(target=_watch_wall, args=(settings, when_up), daemon=True).start()
    supervisor.run()


def _runs(supervisor: Supervisor, name: str) -> float:
    return float(supervisor.state(name) in ("running", "done"))


def _with_base_port(settings: Settings, names: Sequence[str]) -> Settings:
    """The same port cannot be everybody's: here it is always the base to which each process adds its number.

    Raises:
        SettingsError: one of the ports is taken.
    """
    if not settings.metrics_address:
        return settings
    given = Address.parse(settings.metrics_address)
    base = Address(given.host, given.port, base=True)
    for name in ("start", *names):
        if name in PORT_OFFSETS:
            check_port(base.host, base.of(name).port, option="MINGJING_METRICS_ADDRESS")
    return settings.model_copy(update={"metrics_address": str(base)})


def write_secret(path: Path, value: str | None = None) -> None:
    """A file only its owner reads, made once; a random value unless one is given."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.exists():
        return
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(value or secrets.token_urlsafe(32))


def _watch_wall(settings: Settings, when_up: Callable[[float], None]) -> None:
    begun = time.monotonic()
    while not _answers(f"http://{settings.wall_host}:{settings.wall_port}/healthz"):
        time.sleep(0.3)
    when_up(time.monotonic() - begun)


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=2) as answer:  # noqa: S310 - our own address
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _say_restart(logs: Path) -> Callable[[str, int, float], None]:
    def tell(name: str, status: int, pause: float) -> None:
        say(
            f"[yellow]{name}[/yellow] 进程退出（{status}），{pause:g} 秒后重启 ended, again in {pause:g} s · {logs / name}.log"
        )
        # Killed from outside it has no last words of its own.
        if status > 0 and (words := _last_line(logs / f"{name}.log")):
            _console.print(f"  {words}", style="dim", markup=False)

    return tell


def _last_line(path: Path, most: int = 300) -> str:
    """The last words of a log, for a terminal; empty where there are none."""
    try:
        with path.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - 4096))
            lines = file.read().decode("utf-8", "replace").strip().splitlines()
    except OSError:
        return ""
    return lines[-1][:most] if lines else ""
