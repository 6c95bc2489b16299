"""Making a backup of a system that goes on working.

The order is the whole point. The log is copied first, with the positions up to which it has been read; the dump's
snapshot is taken after that. What the copy counts as read is therefore in the dump, and everything else that had been
acknowledged is in the copy; what is in both counts once, by its ``event_id``. The other way round, what the worker wrote
between the two would be in neither. On Kafka the positions alone are noted, and a restore reads from there again.
"""

from __future__ import annotations

import logging
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import psycopg

from domain.errors import LogError, SettingsError, StoreError
from mingjing.backup import archive
from mingjing.backup.archive import Manifest
from mingjing.processes import database_address
from mingjing.settings import Settings
from store import connect
from store.dump import ServerFacts, dump
from store.embedded import EmbeddedServer
from store.ingest import heartbeat
from streams.local_transport import parse_address

log = logging.getLogger(__name__)

#: Role under which the newest backup is noted among the signs of life.
ROLE = "backup"
Positions = dict[str, dict[int, int]]


@dataclass(frozen=True, slots=True)
class Made:
    """A finished backup. ``pruned`` were removed for it; seconds are real ones."""

    folder: Path
    size: int
    seconds: float
    pruned: list[Path]
    notes: list[str]


def make_backup(
    settings: Settings,
    to: Path,
    *,
    keep: int | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    dumper: Callable[[str, Path], ServerFacts] = dump,
    positions_of: Callable[[Settings], Positions] | None = None,
) -> Made:
    """Writes, reads back and only then names one backup.

    Args:
        to: folder of the backups; made if absent, for its owner only (they hold names and phone numbers).
        keep: how many to keep there; None keeps all. Older ones go when the new one has been read back.

    Raises:
        SettingsError: the place cannot be used.
        StoreError, LogError: database or log cannot be read; nothing is left behind then.
    """
    begun, moment = time.monotonic(), now()
    notes = ["secrets are not in it: keys of the door, gateway secret, acknowledge secret, passwords"]
    with _database(settings) as dsn:
        with archive.new_backup(to, moment) as folder:
            positions: Positions = {}
            if settings.broker_url.startswith("local:"):
                if not _copy_log(parse_address(settings.broker_url).path, folder / archive.LOG):
                    notes.append("there is no log yet")
            else:
                positions = (positions_of or _kafka_positions)(settings)
                notes.append("the log itself stays on Kafka; noted is from where to read again")
            server = dumper(dsn, folder / archive.DUMP)
            if not _copy_centre(settings.centre_file, folder):
                notes.append(f"no centre file at {settings.centre_file}")
            _copy_references(settings.data / archive.REFERENCES, folder / archive.REFERENCES)
            archive.seal(folder, Manifest(moment, f"mingjing {version('mingjing')}", server, positions))
            archive.verify(folder)
            size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
            name = folder.name.removeprefix(archive.UNFINISHED)
        pruned = archive.prune(to, keep) if keep is not None else []
        seconds = time.monotonic() - begun
        _note(dsn, moment, {"folder": str(to / name), "bytes": size, "seconds": round(seconds, 1)})
    return Made(to / name, size, seconds, pruned, notes)


@contextmanager
def _database(settings: Settings) -> Iterator[str]:
    """The address of the database; the embedded server is started for the time where the system is not running."""
    dsn = database_address(settings)
    try:
        connect(dsn, application="mingjing backup").close()
    except psycopg.OperationalError as error:
        first = str(error).strip().splitlines()[0]
        if not settings.embedded_database:
            raise StoreError(f"the database does not answer: {first}") from None
        if not (settings.data / "pg" / "PG_VERSION").exists():
            raise SettingsError(f"there is no database in {settings.data}; is --data right?") from None
        with EmbeddedServer(settings.data) as server:
            yield server.dsn
        return
    yield dsn


def _copy_log(source: Path, target: Path) -> bool:
    """One transaction's view of the log, while others go on writing to it."""
    if not source.exists():
        return False
    try:
        with closing(sqlite3.connect(source, timeout=30)) as here, closing(sqlite3.connect(target)) as there:
            # In one step: a copy in steps would begin again with each commit of somebody else.
            here.backup(there)
            # One file, complete without a -wal beside it.
            there.execute("pragma journal_mode = delete")
    except sqlite3.Error as error:
        raise LogError(f"the event log {source} cannot be copied: {error}") from error
    return True


def _copy_centre(source: Path, folder: Path) -> bool:
    if source.is_dir():
        target = folder / archive.CENTRE_FOLDER
        target.mkdir()
        for path in sorted((*source.glob("*.yaml"), *source.glob("*.yml"))):
            shutil.copyfile(path, target / path.name)
        return True
    if source.is_file():
        shutil.copyfile(source, folder / archive.CENTRE_FILE)
        return True
    return False


def _copy_references(source: Path, target: Path) -> None:
    """What cameras learned and operators accepted; files being written at this moment are left out."""
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns(".*"))


def _kafka_positions(settings: Settings) -> Positions:
    from streams.positions import read_positions
    from streams.settings import load_stream_settings

    return read_positions(load_stream_settings())


def _note(dsn: str, moment: datetime, detail: dict[str, object]) -> None:
    """For the doctor and the metrics: when the last good backup was made."""
    with connect(dsn, application="mingjing backup") as connection:
        heartbeat(connection, ROLE, now=moment, detail=detail)
