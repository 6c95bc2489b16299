"""Health and metrics of one process, put together: which loops must turn, what must answer, where it is served."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from prometheus_client import REGISTRY

from mingjing.health import Address, Health, Need, Pulse, load_token, serve_health
from mingjing.metrics import DatabaseCollector, ProcessCollector, renderer
from mingjing.needs import DatabaseNeed, log_need
from mingjing.notify import still_alive
from mingjing.settings import Settings

#: Loops that must turn from the start on, by process. The database's counts from its first turn: a migration of much data may
#: take long, and is no hang. Gateway and simulator are of the demo only and have none.
PARTS: Mapping[str, tuple[str, ...]] = {
    "start": ("supervisor",),
    "worker": ("events",),
    "rules": ("loop",),
    "cameras": ("looks",),
    "sender": ("loop",),
    "wall": ("reader", "requests"),
    "door": ("requests",),
}
NEEDS: Mapping[str, tuple[str, ...]] = {
    "database": ("database",),
    "worker": ("database", "log"),
    "rules": ("database",),
    "cameras": ("log",),
    "sender": ("database",),
    "wall": ("database",),
    "door": ("log",),
    "simulator": ("log",),
}


def watch_process(
    process: str,
    settings: Settings,
    *,
    dsn: Callable[[], str],
    bases: Callable[[], Iterable[str]] = tuple,
) -> Health:
    """Makes the health of a process, registers what it knows of itself, and serves it where the settings say.

    Args:
        dsn: the database's address; asked only where the process needs the database.
        bases: calendars of the centres, for the metric of missing years.

    Raises:
        SettingsError: the token's file or an address cannot be used.
    """
    pulse = Pulse(*PARTS.get(process, ()))
    needs: dict[str, Need] = {}
    for name in NEEDS.get(process, ()):
        needs[name] = DatabaseNeed(dsn()) if name == "database" else log_need(settings.broker_url)
    collector = ProcessCollector(
        process, pulse, settings.data, log_file=_local_log(settings.broker_url), bases=bases
    )
    REGISTRY.register(collector)  # type: ignore[arg-type]
    if process == "rules":
        # One process asks for all: it is always there, also where the database is somebody else's server.
        REGISTRY.register(database_collector(dsn()))  # type: ignore[arg-type]
    health = Health(process, pulse, needs, renderer(process), token=load_token(settings.metrics_token_file))
    if settings.metrics_address:
        serve_health(health, Address.parse(settings.metrics_address).of(process))
    keep_manager_informed(pulse)
    return health


def keep_manager_informed(
    pulse: Pulse,
    *,
    environ: Mapping[str, str] = os.environ,
    tell: Callable[[], object] = still_alive,
    wait: Callable[[float], object] = time.sleep,
) -> threading.Thread | None:
    """Tells systemd's watchdog that the loops turn, for as long as they do (sd_watchdog_enabled(3)).

    A process that a supervisor started inherits the variables but is not the one they mean.
    """
    span, whom = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", str(os.getpid()))
    if not span.isdecimal() or int(span) == 0 or whom != str(os.getpid()):
        return None

    def run() -> None:
        while True:
            if not pulse.stuck():
                tell()
            if wait(int(span) / 3e6):
                return

    thread = threading.Thread(target=run, name="watchdog", daemon=True)
    thread.start()
    return thread


def database_collector(dsn: str) -> DatabaseCollector:
    from alerts.metrics import outbox_families
    from store.metrics import row_families, server_families

    return DatabaseCollector(dsn, (server_families, row_families, outbox_families))


def _local_log(broker_url: str) -> Path | None:
    if not broker_url.startswith("local:"):
        return None
    from streams.local_transport import parse_address

    return Path(parse_address(broker_url).path)
