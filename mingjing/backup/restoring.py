"""Putting a backup into a place where nothing is yet."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from alerts.outbox import hold_messages as hold
from domain.errors import SettingsError, StoreError
from mingjing.backup import archive
from mingjing.backup.archive import Manifest
from mingjing.folder import FolderLock
from mingjing.processes import database_address, migrate_database
from mingjing.settings import Settings
from store import connect
from store.dump import restore
from store.embedded import EmbeddedServer
from store.ingest import heartbeat
from store.migrate import load_migrations
from streams.local_transport import parse_address

log = logging.getLogger(__name__)

#: Role under which a restore is noted; the senders ask the gateway about everything that is older than it.
ROLE = "restore"


@dataclass(frozen=True, slots=True)
class Restored:
    """What was done: the backup's manifest, what ``migrate`` said, and what a person should know."""

    manifest: Manifest
    migrated: str
    notes: list[str]


def restore_backup(
    settings: Settings,
    source: Path,
    *,
    hold_messages: bool = False,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    rewind: Callable[[Settings, Manifest], None] | None = None,
) -> Restored:
    """Checks the backup, fills database and log, brings the schema up to date. Nothing is ever written over.

    Args:
        hold_messages: no message leaves until ``mingjing messages release``.

    Raises:
        InputError: the backup is damaged, or of a newer program.
        SettingsError: the system is running, or there is data already.
        StoreError, LogError: the restore failed; what it had made in the data folder is gone again.
    """
    manifest = archive.verify(source)
    newest = len(load_migrations())
    if manifest.server.schema > newest:
        raise StoreError(
            f"the backup has schema {manifest.server.schema}, this program knows {newest}: install {manifest.program} or newer"
        )
    notes: list[str] = []
    with FolderLock(settings.data, wait=1.0), _undone_on_failure() as undo:
        log_path = _free_log_path(settings)
        with _database(settings, undo) as dsn:
            restore(dsn, source / archive.DUMP, manifest.server)
            with connect(dsn, application="mingjing restore") as connection:
                heartbeat(connection, ROLE, now=now(), detail={"made_at": manifest.made_at.isoformat()})
                if hold_messages:
                    hold(connection, "restored")
                    notes.append("no message leaves until `mingjing messages release`")
            migrated = migrate_database(settings)
            if log_path is not None and (source / archive.LOG).exists():
                undo.append(log_path)
                _copy_private(source / archive.LOG, log_path)
        if log_path is None and (source / archive.LOG).exists():
            notes.append(
                f"the backup's log is not on Kafka: `mingjing move-log --from` a copy of {source / archive.LOG}"
            )
        notes += _restore_centre(settings, source)
        notes += _restore_references(settings, source)
        if manifest.positions and log_path is None:
            (rewind or _rewind_kafka)(settings, manifest)
            notes.append(f"the worker's group reads Kafka again from {manifest.made_at:%Y-%m-%d %H:%M}Z on")
    notes.append(
        "put the secrets back before you start; links in messages sent before need the old acknowledge secret"
    )
    return Restored(manifest, migrated, notes)


@contextmanager
def _undone_on_failure() -> Iterator[list[Path]]:
    made: list[Path] = []
    try:
        yield made
    except BaseException:
        for path in made:
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
        raise


@contextmanager
def _database(settings: Settings, undo: list[Path]) -> Iterator[str]:
    if not settings.embedded_database:
        yield database_address(settings)
        return
    cluster = settings.data / "pg"
    if cluster.exists() and any(cluster.iterdir()):
        raise SettingsError(
            f"{cluster} holds a database already: a backup is restored into a new data folder"
        )
    undo.append(cluster)
    with EmbeddedServer(settings.data) as server:
        yield server.dsn


def _free_log_path(settings: Settings) -> Path | None:
    """Where the local log goes; None on Kafka.

    Raises:
        SettingsError: there is a log already.
    """
    if not settings.broker_url.startswith("local:"):
        return None
    path = parse_address(settings.broker_url).path
    if path.exists():
        raise SettingsError(f"{path} is there already: a backup is restored into a new data folder")
    return path


def _copy_private(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    shutil.copyfile(source, part)
    part.chmod(0o600)
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.rename(target)


def _restore_centre(settings: Settings, source: Path) -> list[str]:
    """The centre file goes where the settings want one, unless there is one."""
    target = settings.centre_file
    file, folder = source / archive.CENTRE_FILE, source / archive.CENTRE_FOLDER
    kept = folder if folder.is_dir() else file
    if not kept.exists():
        return ["the backup holds no centre file"]
    if target.exists():
        same = target.is_file() and kept.is_file() and target.read_bytes() == kept.read_bytes()
        return [] if same else [f"{target} was left as it is; the backup's is {kept}"]
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(kept, target) if kept.is_dir() else shutil.copyfile(kept, target)
    return [f"centre file put at {target}"]


def _restore_references(settings: Settings, source: Path) -> list[str]:
    """What cameras learned, unless they have learned something here already."""
    kept, target = source / archive.REFERENCES, settings.data / archive.REFERENCES
    if not kept.is_dir():
        return []
    if target.exists():
        return [f"{target} was left as it is; the backup's is {kept}"]
    shutil.copytree(kept, target)
    return [f"what cameras learned put at {target}"]


def _rewind_kafka(settings: Settings, manifest: Manifest) -> None:
    from streams.positions import rewind
    from streams.settings import load_stream_settings

    rewind(load_stream_settings(), manifest.positions)
